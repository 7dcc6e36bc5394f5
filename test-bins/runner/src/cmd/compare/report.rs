//! What `compare` prints.

use std::io::{self, Write};

use serde::Serialize;

use super::args::CompareArgs;
use crate::report::print_json;

/// What came of one mode.
#[derive(Debug, Serialize)]
pub struct Compared {
    mode: String,
    /// Operations a thread, on all sides.
    repetitions: u64,
    /// Median nanoseconds of processor time an operation.
    ours_ns: f64,
    /// The others, in the order of the command line.
    peers: Vec<Against>,
    /// The number of the peer that took the least time.
    fastest: usize,
}

/// One peer beside ours.
#[derive(Debug, Serialize)]
pub struct Against {
    pub name: String,
    /// Median nanoseconds of processor time an operation.
    pub ns: f64,
    /// Median ratios of the rounds, its time to ours.
    pub cpu_ratio: f64,
    pub wall_ratio: f64,
    /// The quarter of the rounds with the lowest ratios ends here, and that with the highest begins here.
    pub cpu_quartiles: (f64, f64),
}

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    pairs: u32,
    threads: u32,
    modes: &'a [Compared],
}

impl Compared {
    /// Of at least one peer.
    pub fn new(mode: String, repetitions: u64, ours_ns: f64, peers: Vec<Against>) -> Self {
        let by_time = |a: &(usize, &Against), b: &(usize, &Against)| a.1.ns.total_cmp(&b.1.ns);
        let fastest = peers.iter().enumerate().min_by(by_time).map_or(0, |(number, _)| number);
        Self { mode, repetitions, ours_ns, peers, fastest }
    }

    /// The peer that took the least time.
    pub fn fastest(&self) -> &Against {
        &self.peers[self.fastest]
    }
}

/// Prints everything as one document.
pub fn json(args: &CompareArgs, modes: &[Compared]) -> io::Result<()> {
    print_json(&mut io::stdout(), &Report { schema: 2, pairs: args.pairs, threads: args.threads, modes })
}

/// Prints a mode as a line, the first one below what its columns are. The longest name of a mode has so many letters.
pub fn line(one: &Compared, first: bool, longest: usize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if first {
        out.write_all(head(one, longest).as_bytes())?;
    }
    out.write_all(row(one, longest).as_bytes())?;
    out.flush()
}

/// Two lines: the peers' names over what is printed of each; of several, the ratio to the fastest comes last.
fn head(one: &Compared, longest: usize) -> String {
    let [mut names, mut columns] = ["ours", "ns"].map(|what| format!("{:<longest$} {what:>8}", ""));
    for peer in &one.peers {
        names += &format!("  {:<36}", format!("{}, its time / ours", peer.name));
        columns += &format!("  {:>7} {:>7} {:^11} {:>8}", "ns", "CPU", "quartiles", "wall");
    }
    if one.peers.len() > 1 {
        names += "  fastest";
        columns += "      CPU";
    }
    format!("{}\n{}\n", names.trim_end(), columns.trim_end())
}

fn row(one: &Compared, longest: usize) -> String {
    let mut row = format!("{:<longest$} {:>8.2}", one.mode, one.ours_ns);
    for Against { ns, cpu_ratio, wall_ratio, cpu_quartiles: (low, high), .. } in &one.peers {
        let quartiles = format!("{low:.2}..{high:.2}");
        row += &format!("  {ns:>7.2} {cpu_ratio:>7.2} {quartiles:^11} {wall_ratio:>8.2}");
    }
    if one.peers.len() > 1 {
        row += &format!("  {:>7.2}", one.fastest().cpu_ratio);
    }
    row + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn against(name: &str, ns: f64) -> Against {
        Against { name: name.into(), ns, cpu_ratio: ns / 2.0, wall_ratio: 1.0, cpu_quartiles: (1.0, 3.0) }
    }

    #[test]
    fn several_peers_stand_side_by_side_and_the_fastest_last() {
        let one =
            Compared::new("list by cpu_id".into(), 10, 2.0, vec![against("kernel", 4.0), against("librseq", 3.0)]);
        assert_eq!(one.fastest().name, "librseq");
        let (head, row) = (head(&one, 25), row(&one, 25));
        let columns: Vec<_> = row.split_whitespace().skip(3).collect();
        let each = ["2.00", "4.00", "2.00", "1.00..3.00", "1.00", "3.00", "1.50", "1.00..3.00", "1.00", "1.50"];
        assert_eq!(columns, each);
        assert!(head.contains("kernel, its time / ours") && head.contains("librseq, its time / ours"), "{head}");
        assert!(head.lines().chain(row.lines()).all(|line| line.len() <= 120), "{head}{row}");
    }

    #[test]
    fn of_one_peer_nothing_is_printed_twice() {
        let one = Compared::new("list by cpu_id".into(), 10, 2.0, vec![against("kernel", 4.0)]);
        assert!(!head(&one, 25).contains("fastest"));
        assert_eq!(row(&one, 25).split_whitespace().filter(|column| *column == "2.00").count(), 2);
    }
}
