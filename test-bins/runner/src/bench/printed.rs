//! A case as a table for a terminal, at most 80 columns wide.

use std::io::{self, Write};

use super::measured::{Case, Contender};
use super::number::{goal, short, threads};
use crate::text::{cut, wrap};

/// Columns for the label; each number of threads takes 14.
const LABEL: usize = 24;

/// Numbers of threads beside each other.
const ACROSS: usize = 4;

/// Prints the rows of all contenders, then what was skipped and the goals.
pub fn print(out: &mut dyn Write, case: &Case) -> io::Result<()> {
    for line in wrap(&format!("{}: {}", case.name, case.operation), 80) {
        writeln!(out, "{line}")?;
    }
    for columns in case.threads().chunks(ACROSS) {
        let heads: String = columns.iter().map(|&count| format!("{:>14}", threads(count))).collect();
        writeln!(out, "{:LABEL$}{heads}", "")?;
        for contender in case.contenders.iter().filter(|contender| contender.skipped.is_none()) {
            writeln!(out, "{}", row(contender, columns))?;
        }
    }
    for contender in &case.contenders {
        if let Some(reason) = &contender.skipped {
            paragraph(out, "skipped", &format!("{}: {reason}", contender.label))?;
        }
    }
    for one in &case.goals {
        if let (Some(met), Some(text)) = (one.met(), goal(one)) {
            paragraph(out, if met { "met" } else { "missed" }, &text)?;
        }
    }
    writeln!(out)?;
    out.flush()
}

fn row(contender: &Contender, columns: &[u32]) -> String {
    let cell = |&threads: &u32| match contender.with(threads) {
        Some(point) => {
            let ratio = point.ratio.map_or(String::new(), |ratio| format!("{}x", short(ratio.median)));
            format!(" {:>6} {ratio:>6}", short(point.cpu_ns.median))
        }
        None => format!("{:14}", ""),
    };
    let cells: String = columns.iter().map(cell).collect();
    format!("{:LABEL$}{cells}", cut(&contender.label, LABEL)).trim_end().to_owned()
}

/// A word, and beside it a text of any length.
fn paragraph(out: &mut dyn Write, word: &str, text: &str) -> io::Result<()> {
    for (index, line) in wrap(text, 70).iter().enumerate() {
        writeln!(out, "{:8}{line}", if index == 0 { word } else { "" })?;
    }
    Ok(())
}

/// Cases that several modules show in their tests.
#[cfg(test)]
pub mod sample {
    use crate::bench::measured::{Case, Contender, Goal, Point, Quartiles};

    fn point(threads: u32, ns: f64, ratio: f64) -> Point {
        let around = |median| Quartiles { low: median * 0.9, median, high: median * 1.1 };
        let (cpu_ns, ratio) = (around(ns), Some(around(ratio)));
        Point { threads, operations: 1, cpu_ns, wall_ns: cpu_ns, ratio }
    }

    /// Two contenders that ran, with these numbers of threads, and one that did not.
    pub fn case(threads: &[u32]) -> Case {
        let contender = |label: &str, ours, ns: f64| Contender {
            label: label.into(),
            ours,
            skipped: None,
            points: threads.iter().map(|&threads| point(threads, ns * f64::from(threads), ns)).collect(),
        };
        let skipped = Some("no such thing is here".into());
        let goal = |at_most| {
            let (contender, peer) = ("ours".into(), Some("Mutex<Vec<u64>>, shared".into()));
            Goal { contender, threads: 2, peer, at_most, measured: Some(0.5) }
        };
        Case {
            name: "sample".into(),
            operation: "does nothing, and says so in words that are too many for one line of a terminal".into(),
            reference: "ours".into(),
            contenders: vec![
                contender("ours", true, 1.0),
                contender("Mutex<Vec<u64>>, shared", false, 987.0),
                Contender { label: "absent".into(), ours: false, skipped, points: Vec::new() },
            ],
            goals: vec![goal(0.5), goal(0.4)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_a_terminal() {
        let mut out = Vec::new();
        print(&mut out, &sample::case(&[1, 2, 4, 8, 16, 256])).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let row = |label: &str, cells: [&str; 4]| {
            format!("\n{label:24}{}\n", cells.map(|cell| format!("{cell:>14}")).concat())
        };
        let ours = row("ours", ["1.00  1.00x", "2.00  1.00x", "4.00  1.00x", "8.00  1.00x"]);
        assert!(text.contains(&ours), "{text}");
        assert!(text.contains("\nMutex<Vec<u64>>, shared     987   987x   1974   987x"), "{text}");
        assert!(text.contains("    16 threads   256 threads\n"), "{text}");
        assert!(text.contains("\nskipped absent: no such thing is here\n"), "{text}");
        assert!(
            text.contains("\nmet     ours, 2 threads: 0.50x Mutex<Vec<u64>>, shared, at most 0.50x\nmissed  "),
            "{text}"
        );
    }
}
