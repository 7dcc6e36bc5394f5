//! What is shown at the end: architectures down, kernels across.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use super::paint::Paint;
use crate::events::{Event, Reporter};
use crate::guest::cell_result::{CellResult, Matrix};
use crate::kernels::version::Version;
use crate::ktap::{Counts, Outcome};
use crate::text::printable;
use crate::verdict::Status;

/// Prints the matrix at the end, and before it, where there is one cell only, what its programs printed.
pub struct Table<W> {
    out: W,
    paint: Paint,
}

impl<W: Write> Table<W> {
    /// Prints to `out`.
    pub fn new(out: W, paint: Paint) -> Self {
        Self { out, paint }
    }

    /// A line of the user's program: as it is for a file or a program, and so that it cannot move a terminal's cursor.
    fn harmless(&self, line: &str) -> String {
        match self.paint.redraws {
            true => line.split('\t').map(printable).collect::<Vec<_>>().join("\t"),
            false => line.to_owned(),
        }
    }
}

impl<W: Write + Send> Reporter for Table<W> {
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        let Event::MatrixEnded(matrix) = event else { return Ok(()) };
        if let [only] = &matrix.cells[..] {
            only.notes.iter().try_for_each(|note| writeln!(self.out, "# {}", printable(note)))?;
            only.output.iter().try_for_each(|line| writeln!(self.out, "{}", self.harmless(line)))?;
        }
        print(&mut self.out, self.paint, matrix)?;
        self.out.flush()
    }
}

/// Prints the matrix, why things were skipped, what failed, and how to run that again.
fn print(out: &mut dyn Write, paint: Paint, matrix: &Matrix) -> io::Result<()> {
    let cells = &matrix.cells;
    writeln!(out, "passed/failed/skipped in each cell; 'skip': not run\n")?;
    table(out, paint, cells)?;
    cpus(out, cells)?;
    reasons(out, cells, "failed as expected", Outcome::Xfail)?;
    reasons(out, cells, "skipped", Outcome::Skip)?;
    flaky(out, cells)?;
    failures(out, paint, matrix)?;
    let mut counts = Counts::default();
    cells.iter().for_each(|result| counts.merge(result.counts));
    let worst = cells.iter().map(|result| result.verdict.status).max().filter(|status| status.is_bad());
    let sentence = cells_sentence(cells);
    writeln!(out, "\n{}", paint.status(worst.unwrap_or(Status::Passed), &sentence))?;
    let Counts { passed, failed, skipped, xfailed, xpassed } = counts;
    writeln!(
        out,
        "results: {passed} passed, {} failed, {skipped} skipped, {xfailed} failed as expected",
        failed + xpassed
    )
}

/// How many cells there are of each kind.
pub fn cells_sentence(cells: &[CellResult]) -> String {
    let of = |outcome| cells.iter().filter(|result| result.verdict.status.outcome() == outcome).count();
    let (passed, failed, skipped) = (of(Outcome::Pass), of(Outcome::Fail), of(Outcome::Skip));
    let flaky = match cells.iter().filter(|result| result.verdict.status == Status::Flaky).count() {
        0 => String::new(),
        count => format!(" ({count} flaky)"),
    };
    format!("{} cells: {passed} passed{flaky}, {failed} failed, {skipped} skipped", cells.len())
}

/// The rows and the columns: architectures in their order, kernels in that of their versions.
pub fn axes(cells: &[CellResult]) -> (Vec<&str>, Vec<&str>) {
    let mut lines: Vec<_> = cells.iter().map(|result| result.line.as_str()).collect();
    lines.sort_by_key(|line| (Version::of(line), *line));
    lines.dedup();
    let mut rows: Vec<&str> = Vec::new();
    for result in cells {
        if !rows.contains(&result.row.as_str()) {
            rows.push(&result.row);
        }
    }
    (rows, lines)
}

/// The cells by architecture and kernel.
pub fn table(out: &mut dyn Write, paint: Paint, cells: &[CellResult]) -> io::Result<()> {
    let (rows, lines) = axes(cells);
    let first = rows.iter().map(|row| row.len()).max().unwrap_or_default();
    let at = |row: &str, line: &str| cells.iter().find(|result| result.row == row && result.line == line);
    let mark_at = |row: &str, line: &str| at(row, line).map(mark).unwrap_or_default();
    let wide =
        |line: &str| rows.iter().map(|row| mark_at(row, line).len()).chain([line.len()]).max().unwrap_or_default();
    let columns: Vec<_> = lines.iter().map(|line| (*line, wide(line))).collect();
    let heads = columns.iter().map(|(line, width)| format!("  {line:>width$}"));
    writeln!(out, "{}", paint.bold(&format!("{:first$}{}", "", heads.collect::<String>())))?;
    for row in rows {
        let last = columns.iter().rposition(|(line, _)| at(row, line).is_some()).map_or(0, |last| last + 1);
        let marks = columns[..last].iter().map(|(line, width)| match at(row, line) {
            Some(result) => format!("  {}", paint.status(result.verdict.status, &format!("{:>width$}", mark(result)))),
            None => format!("  {:width$}", ""),
        });
        writeln!(out, "{row:first$}{}", marks.collect::<String>())?;
    }
    Ok(())
}

/// What stands in a cell: counts, or a word where there are none.
pub fn mark(result: &CellResult) -> String {
    let Counts { passed, failed, skipped, xfailed, xpassed } = result.counts;
    match result.verdict.status.outcome() {
        Outcome::Skip if result.counts.total() == 0 => "skip".into(),
        Outcome::Fail if failed + xpassed == 0 => "FAIL".into(),
        _ => format!("{}/{}/{skipped}", passed + xfailed, failed + xpassed),
    }
}

/// How many CPUs the guests had, and which of them had fewer.
fn cpus(out: &mut dyn Write, cells: &[CellResult]) -> io::Result<()> {
    let mut rows: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for result in cells {
        let rows = rows.entry(result.cpus).or_default();
        if !rows.contains(&result.row.as_str()) {
            rows.push(&result.row);
        }
    }
    let Some((most, _)) = rows.pop_last() else { return Ok(()) };
    let fewer = rows.iter().rev().map(|(count, rows)| format!("; {count} on {}", rows.join(", ")));
    writeln!(out, "\nCPUs of each guest: {most}{}", fewer.collect::<String>())
}

fn failures(out: &mut dyn Write, paint: Paint, matrix: &Matrix) -> io::Result<()> {
    for result in matrix.cells.iter().filter(|result| result.verdict.status.is_bad()) {
        writeln!(out, "\n{}", paint.status(Status::Failed, &format!("{} failed:", result.name())))?;
        told(out, &result.verdict.reasons, result.log.as_deref())?;
        earlier(out, result)?;
        writeln!(out, "  to run it again: {}", matrix.again(result))?;
    }
    Ok(())
}

/// Which cells took more than one boot.
fn flaky(out: &mut dyn Write, cells: &[CellResult]) -> io::Result<()> {
    for result in cells.iter().filter(|result| result.verdict.status == Status::Flaky) {
        writeln!(out, "\n{} is flaky, it passed when booted again:", result.name())?;
        earlier(out, result)?;
    }
    Ok(())
}

fn earlier(out: &mut dyn Write, result: &CellResult) -> io::Result<()> {
    for (number, boot) in result.earlier.iter().enumerate() {
        writeln!(out, "  boot {}:", number + 1)?;
        told(out, &boot.reasons, boot.console.as_deref())?;
    }
    Ok(())
}

fn told(out: &mut dyn Write, reasons: &[String], console: Option<&Path>) -> io::Result<()> {
    reasons.iter().try_for_each(|reason| writeln!(out, "  {}", printable(reason)))?;
    console.map_or(Ok(()), |console| writeln!(out, "  console: {}", console.display()))
}

/// Groups the reasons of all results with this outcome, with where each applied.
fn reasons(out: &mut dyn Write, cells: &[CellResult], title: &str, outcome: Outcome) -> io::Result<()> {
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for result in cells {
        let place = result.name();
        if result.verdict.status.outcome() == outcome && result.counts.total() == 0 {
            for reason in &result.verdict.reasons {
                reasons.entry(reason.clone()).or_default().push(place.clone());
            }
        }
        for (reason, count) in result.reasons(outcome) {
            reasons.entry(reason).or_default().push(format!("{place} ({count})"));
        }
    }
    if !reasons.is_empty() {
        writeln!(out, "\n{title}:")?;
    }
    for (reason, places) in reasons {
        writeln!(out, "  {}\n    {}", printable(&reason), places.join(", "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::cell_result::{Earlier, Took};
    use crate::verdict::Verdict;

    fn result(row: &str, line: &str, verdict: Verdict) -> CellResult {
        CellResult::without_results(row.into(), line.into(), None, if row == "s390x" { 1 } else { 2 }, verdict)
    }

    fn passed(row: &str, line: &str, passed: u64) -> CellResult {
        let counts = Counts { passed, skipped: 1, ..Counts::default() };
        CellResult { counts, ..result(row, line, Verdict::passed()) }
    }

    #[test]
    fn kernels_stand_across_in_order_and_every_skip_has_its_reason() {
        let silent = Earlier { reasons: vec!["silent for 90 s: ended".into()], console: Some("first.log".into()) };
        let flaky = Verdict { status: Status::Flaky, reasons: Vec::new() };
        let cells = [
            passed("x86_64", "6.12", 40),
            result("x86_64", "6.1", Verdict::skipped("not fetched")),
            result("i686 on x86_64", "6.12", Verdict::failed("the kernel panicked: x")),
            result("s390x", "6.1", Verdict::skipped("not fetched")),
            CellResult { earlier: vec![silent], verdict: flaky, ..passed("s390x", "6.12", 1) },
        ];
        let matrix = Matrix {
            cells: cells.into(),
            command: "runner boot".into(),
            names_cell: false,
            names: Vec::new(),
            program: Vec::new(),
            took: Took::default(),
        };
        let mut text = Vec::new();
        print(&mut text, Paint::PLAIN, &matrix).unwrap();
        let text = String::from_utf8(text).unwrap();
        let table = [
            "                 6.1    6.12",
            "x86_64          skip  40/0/1",
            "i686 on x86_64          FAIL",
            "s390x           skip   1/0/1\n",
        ]
        .join("\n");
        assert!(text.contains(&table), "{text}");
        assert!(text.contains("\nCPUs of each guest: 2; 1 on s390x\n"), "{text}");
        assert!(text.contains("  not fetched\n    x86_64 6.1, s390x 6.1\n"), "{text}");
        assert!(text.contains("i686 on x86_64 6.12 failed:\n  the kernel panicked: x\n"), "{text}");
        let again = "  to run it again: runner boot --cell \"i686 on x86_64 6.12\"\n";
        assert!(text.contains(again), "{text}");
        assert!(
            text.contains(
                "s390x 6.12 is flaky, it passed when booted again:\n  boot 1:\n  silent for 90 s: ended\n  \
                 console: first.log\n"
            ),
            "{text}"
        );
        assert!(
            text.contains("5 cells: 2 passed (1 flaky), 1 failed, 2 skipped\nresults: 41 passed, 0 failed, 2 skipped"),
            "{text}"
        );
    }

    fn matrix(cells: Vec<CellResult>) -> Matrix {
        let (names, program) = (Vec::new(), Vec::new());
        Matrix { cells, command: "runner boot".into(), names_cell: false, names, program, took: Took::default() }
    }

    #[test]
    fn a_console_does_not_reach_a_terminal_as_it_is() {
        let earlier = Earlier { reasons: vec!["first\x1b[1A".into()], console: None };
        let ktap = crate::ktap::Document::read("ok 1 a # SKIP none\x1b[3J\nok 2 b # XFAIL known\x07\n");
        let bad = CellResult {
            notes: vec!["a\x1b[2Jnote".into()],
            output: vec!["a\tline\r\x1b[31m".into()],
            earlier: vec![earlier],
            ktap: Some(ktap),
            ..result("x86_64", "6.12", Verdict::failed("the kernel panicked: \x1b[2J\rx"))
        };
        let skipped = result("x86_64", "6.1", Verdict::skipped("not\x1b[2J"));
        let printed = |cells: Vec<CellResult>, paint| {
            let mut text = Vec::new();
            Table::new(&mut text, paint).event(&Event::MatrixEnded(&matrix(cells))).unwrap();
            String::from_utf8(text).unwrap()
        };
        let mut terminal = Paint::PLAIN;
        terminal.redraws = true;
        let text = printed(vec![bad], terminal);
        assert!(!text.contains(['\x1b', '\r', '\x07']), "{text:?}");
        for words in ["# a?[2Jnote", "a\tline??[31m", "panicked: ?[2J?x", "first?[1A", "none?[3J", "known?"] {
            assert!(text.contains(words), "{words} {text}");
        }
        assert!(printed(vec![skipped], Paint::PLAIN).contains("  not?[2J\n"));
        let output = CellResult { output: vec!["a\x1b[31mb".into()], ..result("x86_64", "6.1", Verdict::passed()) };
        assert!(printed(vec![output], Paint::PLAIN).starts_with("a\x1b[31mb\n"), "a pipe gets what there is");
    }
}
