//! What is shown at the end: architectures down, kernels across.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use super::paint::Paint;
use crate::events::{Event, Reporter};
use crate::guest::ran::{Matrix, Ran};
use crate::kernels::version::Version;
use crate::ktap::{Counts, Outcome};
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
}

impl<W: Write + Send> Reporter for Table<W> {
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        let Event::MatrixEnded(matrix) = event else { return Ok(()) };
        if let [only] = &matrix.cells[..] {
            for line in only.notes.iter().map(|note| format!("# {note}")).chain(only.output.iter().cloned()) {
                writeln!(self.out, "{line}")?;
            }
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
    unsteady(out, cells)?;
    failures(out, paint, matrix)?;
    let mut counts = Counts::default();
    cells.iter().for_each(|ran| counts.merge(ran.counts));
    let worst = cells.iter().map(|ran| ran.verdict.status).max().filter(|status| status.is_bad());
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
pub fn cells_sentence(cells: &[Ran]) -> String {
    let of = |outcome| cells.iter().filter(|ran| ran.verdict.status.outcome() == outcome).count();
    let (passed, failed, skipped) = (of(Outcome::Pass), of(Outcome::Fail), of(Outcome::Skip));
    let unsteady = match cells.iter().filter(|ran| ran.verdict.status == Status::Unsteady).count() {
        0 => String::new(),
        count => format!(" ({count} unsteady)"),
    };
    format!("{} cells: {passed} passed{unsteady}, {failed} failed, {skipped} skipped", cells.len())
}

/// The rows and the columns: architectures in their order, kernels in that of their versions.
pub fn axes(cells: &[Ran]) -> (Vec<&str>, Vec<&str>) {
    let mut lines: Vec<_> = cells.iter().map(|ran| ran.line.as_str()).collect();
    lines.sort_by_key(|line| (Version::of(line), *line));
    lines.dedup();
    let mut rows: Vec<&str> = Vec::new();
    for ran in cells {
        if !rows.contains(&ran.row.as_str()) {
            rows.push(&ran.row);
        }
    }
    (rows, lines)
}

/// The cells by architecture and kernel.
pub fn table(out: &mut dyn Write, paint: Paint, cells: &[Ran]) -> io::Result<()> {
    let (rows, lines) = axes(cells);
    let first = rows.iter().map(|row| row.len()).max().unwrap_or_default();
    let at = |row: &str, line: &str| cells.iter().find(|ran| ran.row == row && ran.line == line);
    let mark_at = |row: &str, line: &str| at(row, line).map(mark).unwrap_or_default();
    let wide =
        |line: &str| rows.iter().map(|row| mark_at(row, line).len()).chain([line.len()]).max().unwrap_or_default();
    let columns: Vec<_> = lines.iter().map(|line| (*line, wide(line))).collect();
    let heads = columns.iter().map(|(line, width)| format!("  {line:>width$}"));
    writeln!(out, "{}", paint.bold(&format!("{:first$}{}", "", heads.collect::<String>())))?;
    for row in rows {
        let last = columns.iter().rposition(|(line, _)| at(row, line).is_some()).map_or(0, |last| last + 1);
        let marks = columns[..last].iter().map(|(line, width)| match at(row, line) {
            Some(ran) => format!("  {}", paint.status(ran.verdict.status, &format!("{:>width$}", mark(ran)))),
            None => format!("  {:width$}", ""),
        });
        writeln!(out, "{row:first$}{}", marks.collect::<String>())?;
    }
    Ok(())
}

/// What stands in a cell: counts, or a word where there are none.
pub fn mark(ran: &Ran) -> String {
    let Counts { passed, failed, skipped, xfailed, xpassed } = ran.counts;
    match ran.verdict.status.outcome() {
        Outcome::Skip if ran.counts.total() == 0 => "skip".into(),
        Outcome::Fail if failed + xpassed == 0 => "FAIL".into(),
        _ => format!("{}/{}/{skipped}", passed + xfailed, failed + xpassed),
    }
}

/// How many CPUs the guests had, and which of them had fewer.
fn cpus(out: &mut dyn Write, cells: &[Ran]) -> io::Result<()> {
    let mut rows: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for ran in cells {
        let rows = rows.entry(ran.cpus).or_default();
        if !rows.contains(&ran.row.as_str()) {
            rows.push(&ran.row);
        }
    }
    let Some((most, _)) = rows.pop_last() else { return Ok(()) };
    let fewer = rows.iter().rev().map(|(count, rows)| format!("; {count} on {}", rows.join(", ")));
    writeln!(out, "\nCPUs of each guest: {most}{}", fewer.collect::<String>())
}

fn failures(out: &mut dyn Write, paint: Paint, matrix: &Matrix) -> io::Result<()> {
    for ran in matrix.cells.iter().filter(|ran| ran.verdict.status.is_bad()) {
        writeln!(out, "\n{}", paint.status(Status::Failed, &format!("{} failed:", ran.name())))?;
        told(out, &ran.verdict.reasons, ran.log.as_deref())?;
        earlier(out, ran)?;
        writeln!(out, "  to run it again: {}", matrix.again(ran))?;
    }
    Ok(())
}

/// Which cells took more than one boot.
fn unsteady(out: &mut dyn Write, cells: &[Ran]) -> io::Result<()> {
    for ran in cells.iter().filter(|ran| ran.verdict.status == Status::Unsteady) {
        writeln!(out, "\n{} is unsteady, it passed when booted again:", ran.name())?;
        earlier(out, ran)?;
    }
    Ok(())
}

fn earlier(out: &mut dyn Write, ran: &Ran) -> io::Result<()> {
    for (number, boot) in ran.earlier.iter().enumerate() {
        writeln!(out, "  boot {}:", number + 1)?;
        told(out, &boot.reasons, boot.console.as_deref())?;
    }
    Ok(())
}

fn told(out: &mut dyn Write, reasons: &[String], console: Option<&Path>) -> io::Result<()> {
    reasons.iter().try_for_each(|reason| writeln!(out, "  {reason}"))?;
    console.map_or(Ok(()), |console| writeln!(out, "  console: {}", console.display()))
}

/// Groups the reasons of all results with this outcome, with where each applied.
fn reasons(out: &mut dyn Write, cells: &[Ran], title: &str, outcome: Outcome) -> io::Result<()> {
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ran in cells {
        let place = ran.name();
        if ran.verdict.status.outcome() == outcome && ran.counts.total() == 0 {
            for reason in &ran.verdict.reasons {
                reasons.entry(reason.clone()).or_default().push(place.clone());
            }
        }
        for (reason, count) in ran.reasons(outcome) {
            reasons.entry(reason).or_default().push(format!("{place} ({count})"));
        }
    }
    if !reasons.is_empty() {
        writeln!(out, "\n{title}:")?;
    }
    for (reason, places) in reasons {
        writeln!(out, "  {reason}\n    {}", places.join(", "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::ran::{Earlier, Took};
    use crate::verdict::Verdict;

    fn ran(row: &str, line: &str, verdict: Verdict) -> Ran {
        Ran::without_results(row.into(), line.into(), None, if row == "s390x" { 1 } else { 2 }, verdict)
    }

    fn passed(row: &str, line: &str, passed: u64) -> Ran {
        let counts = Counts { passed, skipped: 1, ..Counts::default() };
        Ran { counts, ..ran(row, line, Verdict::passed()) }
    }

    #[test]
    fn kernels_stand_across_in_order_and_every_skip_has_its_reason() {
        let silent = Earlier { reasons: vec!["silent for 90 s: ended".into()], console: Some("first.log".into()) };
        let unsteady = Verdict { status: Status::Unsteady, reasons: Vec::new() };
        let cells = [
            passed("x86_64", "6.12", 40),
            ran("x86_64", "6.1", Verdict::skipped("not fetched")),
            ran("i686 on x86_64", "6.12", Verdict::failed("the kernel panicked: x")),
            ran("s390x", "6.1", Verdict::skipped("not fetched")),
            Ran { earlier: vec![silent], verdict: unsteady, ..passed("s390x", "6.12", 1) },
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
                "s390x 6.12 is unsteady, it passed when booted again:\n  boot 1:\n  silent for 90 s: ended\n  \
                 console: first.log\n"
            ),
            "{text}"
        );
        assert!(
            text.contains(
                "5 cells: 2 passed (1 unsteady), 1 failed, 2 skipped\nresults: 41 passed, 0 failed, 2 skipped"
            ),
            "{text}"
        );
    }
}
