//! Cells that passed in an earlier run, as its JSON tells.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use fs_err as fs;
use serde::Deserialize;

use super::cell_result::{CellResult, Earlier, KVM, Took};
use super::user_files;
use crate::ktap::Document;
use crate::verdict::{Status, Verdict};

/// What of an earlier run stands.
#[derive(Default)]
pub struct Stands {
    /// The cells that passed.
    pub cells: Vec<CellResult>,
    /// What it took.
    pub took: Took,
}

/// A report, as far as it matters here.
#[derive(Deserialize)]
struct Report {
    command: String,
    names: Vec<String>,
    #[serde(flatten)]
    took: Took,
    cells: Vec<Cell>,
}

#[derive(Deserialize)]
struct Cell {
    row: String,
    line: String,
    release: Option<String>,
    #[serde(default)]
    packages: Vec<String>,
    kernel_sha256: Option<String>,
    accel: Option<String>,
    cpus: u32,
    outcome: String,
    boot_seconds: Option<f64>,
    seconds: f64,
    #[serde(default)]
    earlier: Vec<Earlier>,
    #[serde(default)]
    notes: Vec<String>,
    log: Option<PathBuf>,
    ktap: Option<Document>,
}

/// Reads the report of a run of the tests of these names, all where there is none, by `command`.
pub fn read(path: &Path, command: &str, names: &[String]) -> anyhow::Result<Stands> {
    user_files::regular(path)?;
    let text = fs::read_to_string(path)?;
    let report = serde_json::from_str::<Report>(&text);
    let report = report.with_context(|| format!("{} is no report of `boot --json`", path.display()))?;
    let theirs = words(&report.command, &report.names);
    let ours = words(command, names);
    ensure!(theirs == ours, "{} is of `{theirs}`, which boots otherwise than `{ours}`", path.display());
    let cells = report.cells.into_iter().filter_map(Cell::stands).collect();
    Ok(Stands { cells, took: report.took })
}

/// The command with its names.
fn words(command: &str, names: &[String]) -> String {
    [&[command.to_owned()], names].concat().join(" ")
}

impl Cell {
    /// As it ran, if it passed.
    fn stands(self) -> Option<CellResult> {
        let ktap = self.ktap.filter(|_| self.outcome == "pass")?;
        let status = if self.earlier.is_empty() { Status::Passed } else { Status::Flaky };
        let verdict = Verdict { status, reasons: Vec::new() };
        Some(CellResult {
            packages: self.packages,
            kernel_sha256: self.kernel_sha256,
            accel: self.accel.filter(|accel| accel == KVM).map(|_| KVM),
            counts: ktap.counts(),
            boot_seconds: self.boot_seconds,
            seconds: self.seconds,
            earlier: self.earlier,
            notes: self.notes,
            log: self.log,
            ktap: Some(ktap),
            ..CellResult::without_results(self.row, self.line, self.release, self.cpus, verdict)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Event, Reporter};
    use crate::guest::cell_result::Matrix;
    use crate::report::Json;

    fn result(row: &str, verdict: Verdict, earlier: Vec<Earlier>) -> CellResult {
        let text = "KTAP version 1\n1..2\nok 1 a\n  KTAP version 1\n  1..1\n  ok 1 x # SKIP no KVM\nok 2 b # SKIP\n";
        let ktap = Document::read(text);
        let without = CellResult::without_results(row.into(), "6.12".into(), Some("6.12.9".into()), 2, verdict);
        let accel = (row == "a").then_some(KVM);
        CellResult { counts: ktap.counts(), seconds: 3.5, earlier, accel, ktap: Some(ktap), ..without }
    }

    /// The JSON of a run with a cell that passed, one that did at its second boot, one that failed, and one that did
    /// not run.
    fn written(directory: &Path) -> (PathBuf, Vec<CellResult>) {
        let timed_out = Earlier { reasons: vec!["silent".into()], console: None };
        let flaky = Verdict { status: Status::Flaky, reasons: Vec::new() };
        let skipped = CellResult::without_results("d".into(), "6.12".into(), None, 2, Verdict::skipped("interrupted"));
        let cells = vec![
            result("a", Verdict::passed(), Vec::new()),
            result("b", flaky, vec![timed_out]),
            result("c", Verdict::failed("x"), Vec::new()),
            skipped,
        ];
        let matrix = Matrix {
            cells,
            command: "boot".into(),
            names_cell: false,
            names: Vec::new(),
            program: Vec::new(),
            took: Took { seconds: 7.0, runs: 1 },
        };
        let mut text = Vec::new();
        Json(&mut text).event(&Event::MatrixEnded(&matrix)).unwrap();
        let path = directory.join("report.json");
        fs::write(&path, text).unwrap();
        (path, matrix.cells)
    }

    #[test]
    fn what_passed_stands_as_it_was() {
        let directory = crate::scratch::Scratch::new().unwrap();
        let (path, cells) = written(&directory);
        let stands = read(&path, "boot", &[]).unwrap();
        assert_eq!((stands.took.seconds, stands.took.runs), (7.0, 1));
        let same = |old: &CellResult, new: &CellResult| format!("{old:?}") == format!("{new:?}");
        assert!(stands.cells.len() == 2 && cells.iter().zip(&stands.cells).all(|(old, new)| same(old, new)));
    }

    #[test]
    fn a_report_of_another_command_or_of_nothing_is_refused() {
        let directory = crate::scratch::Scratch::new().unwrap();
        let (path, _) = written(&directory);
        let refused = |path: &Path| format!("{:#}", read(path, "boot --cpus 4", &[]).err().unwrap());
        let named = read(&path, "boot", &["basic_test".into()]).err().unwrap();
        assert!(named.to_string().contains("is of `boot`, which boots otherwise than `boot basic_test`"));
        assert!(refused(&path).contains("is of `boot`, which boots otherwise than `boot --cpus 4`"));
        fs::write(&path, "{}").unwrap();
        assert!(refused(&path).contains("is no report of `boot --json`: missing field"), "{}", refused(&path));
        assert!(refused(&path.with_extension("none")).contains("No such file"));
        assert_eq!(refused(Path::new("/dev/zero")), "/dev/zero is no regular file");
    }
}
