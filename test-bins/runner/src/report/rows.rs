//! The table at the end: one row a binary.

use std::time::Duration;

use crate::ktap::Counts;
use crate::native::{Size, Tested};
use crate::suite::Kind;
use crate::text::cut;
use crate::verdict::Status;

/// Columns for the name; the whole row then has 78.
const NAME: usize = 27;

/// One binary, all of its runs together.
#[derive(Debug, Clone)]
pub struct Row {
    /// The binary.
    pub name: String,
    /// How large it is, where it could be read.
    pub size: Option<Size>,
    /// All runs together.
    pub elapsed: Duration,
    /// All results together.
    pub counts: Counts,
    /// The worst of its runs.
    pub status: Status,
}

/// One row for each binary, in the order of their first runs.
pub fn rows(tested: &[Tested], size: impl Fn(&str) -> Option<Size>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for run in tested {
        let name = run.planned.entry.name;
        let position = rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            rows.push(empty(name, size(name), run.verdict.status));
            rows.len() - 1
        });
        add(&mut rows[position], run);
    }
    rows
}

fn empty(name: &str, size: Option<Size>, status: Status) -> Row {
    Row { name: name.into(), size, elapsed: Duration::ZERO, counts: Counts::default(), status }
}

/// A run that failed without a failed result, such as a hang, counts as one failure.
fn add(row: &mut Row, run: &Tested) {
    let mut counts = run.document.as_ref().map(|document| document.counts()).unwrap_or_default();
    if run.verdict.status.is_bad() && counts.failed + counts.xpassed == 0 {
        counts.failed = 1;
    }
    if counts.total() == 0 && run.planned.entry.kind == Kind::Test {
        counts.add(run.verdict.status.outcome());
    }
    row.counts.merge(counts);
    row.elapsed += run.elapsed;
    row.status = row.status.max(run.verdict.status);
}

/// The table, 78 columns wide at most.
pub fn format(rows: &[Row]) -> Vec<String> {
    let header = line("binary", "bytes", "seconds", ["passed", "failed", "skipped", "xfail"]);
    let mut lines = vec![header];
    lines.extend(rows.iter().map(row_line));
    lines.push(total(rows));
    lines
}

fn row_line(row: &Row) -> String {
    let size = match row.size {
        Some(Size { bytes, stripped: true }) => bytes.to_string(),
        Some(Size { bytes, stripped: false }) => format!("{bytes}*"),
        None => "-".into(),
    };
    line(&row.name, &size, &seconds(row.elapsed), numbers(row.counts))
}

fn total(rows: &[Row]) -> String {
    let mut counts = Counts::default();
    rows.iter().for_each(|row| counts.merge(row.counts));
    let elapsed = rows.iter().map(|row| row.elapsed).sum();
    let size: u64 = rows.iter().filter_map(|row| row.size).map(|size| size.bytes).sum();
    line("total", &size.to_string(), &seconds(elapsed), numbers(counts))
}

fn seconds(elapsed: Duration) -> String {
    format!("{:.2}", elapsed.as_secs_f64())
}

/// Failed includes unexpectedly passed: both are bad.
fn numbers(counts: Counts) -> [String; 4] {
    let failed = counts.failed + counts.xpassed;
    [counts.passed, failed, counts.skipped, counts.xfailed].map(|count| count.to_string())
}

fn line(name: &str, size: &str, seconds: &str, counts: [impl AsRef<str>; 4]) -> String {
    let [passed, failed, skipped, xfail] = counts.each_ref().map(AsRef::as_ref);
    let name = cut(name, NAME);
    format!("{name:<NAME$} {size:>9} {seconds:>8} {passed:>7} {failed:>7} {skipped:>7} {xfail:>6}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_fits_and_columns_meet() {
        let counts = Counts { passed: 100_000, failed: 1, skipped: 99, xfailed: 3, xpassed: 1 };
        let size = Some(Size { bytes: 1_234_567, stripped: false });
        let row =
            Row { name: "n".repeat(50), size, elapsed: Duration::from_secs(3600), counts, status: Status::Failed };
        let lines = format(&[row.clone(), Row { size: None, name: "short".into(), ..row }]);
        assert!(lines.iter().all(|line| line.chars().count() == 77), "{lines:#?}");
        assert!(lines[1].contains("1234567*") && lines[3].starts_with("total"));
    }
}
