//! The table at the end: one row a binary.

use std::time::Duration;

use crate::ktap::Counts;
use crate::native::{Row, Size};
use crate::text::cut;

/// Columns for the name; the whole row then has 78.
const NAME: usize = 27;

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
    use crate::verdict::Status;

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
