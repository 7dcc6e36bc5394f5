//! A cell that is over.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::ktap::{Counts, Document, Outcome};
use crate::suite::SUITE;
use crate::verdict::Verdict;

/// What ran a guest's code, where it was not emulated.
pub const KVM: &str = "KVM";

/// A cell that has run, or why it has not.
#[derive(Debug, Serialize)]
pub struct CellResult {
    /// The architecture, and what it ran on.
    pub row: String,
    /// The kernel's first two numbers.
    pub line: String,
    /// The kernel's whole release: the guest's word where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The packages that the kernel came in, with their versions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// The SHA-256 of the kernel's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_sha256: Option<String>,
    /// What ran its code, where that is not emulation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accel: Option<&'static str>,
    /// The guest's CPUs.
    pub cpus: u32,
    /// What became of it.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The innermost results.
    #[serde(serialize_with = "crate::ktap::json::counts")]
    pub counts: Counts,
    /// Seconds from QEMU's start to the guest's first line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_seconds: Option<f64>,
    /// Seconds in all.
    pub seconds: f64,
    /// Boots before this one that were late.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
    /// The exit code of the program, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// What the guest's `init` had to say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The lines that the program printed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<String>,
    /// The console, where it is worth keeping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<PathBuf>,
    /// All results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ktap: Option<Document>,
}

/// A late boot that was followed by another.
#[derive(Debug, Serialize, Deserialize)]
pub struct Earlier {
    /// All that speaks against it.
    pub reasons: Vec<String>,
    /// Where its console is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<PathBuf>,
}

impl CellResult {
    /// Its name in lists.
    pub fn name(&self) -> String {
        format!("{} {}", self.row, self.line)
    }

    /// The same with a kernel that is not the table's: its line is the beginning of its release.
    pub fn with_release(self, release: Option<String>) -> Self {
        let line = release.as_deref().map(|release| release.splitn(3, '.').take(2).collect::<Vec<_>>().join("."));
        Self { line: line.unwrap_or_else(|| "unknown".into()), release, ..self }
    }

    /// A cell that has no results.
    pub fn without_results(row: String, line: String, release: Option<String>, cpus: u32, verdict: Verdict) -> Self {
        Self {
            row,
            line,
            release,
            packages: Vec::new(),
            kernel_sha256: None,
            accel: None,
            cpus,
            verdict,
            counts: Counts::default(),
            boot_seconds: None,
            seconds: 0.0,
            earlier: Vec::new(),
            code: None,
            notes: Vec::new(),
            output: Vec::new(),
            log: None,
            ktap: None,
        }
    }

    /// The reasons of results with this outcome, with how many there were.
    pub fn reasons(&self, outcome: Outcome) -> BTreeMap<String, usize> {
        let mut reasons = BTreeMap::new();
        if let Some(document) = &self.ktap {
            document.for_each(&mut |_, case| {
                if case.outcome == outcome {
                    *reasons.entry(case.reason.clone()).or_default() += 1;
                }
            });
        }
        reasons
    }
}

/// All cells of a run.
#[derive(Debug)]
pub struct Matrix {
    /// What became of them, in the table's order.
    pub cells: Vec<CellResult>,
    /// The command line of a run like this one, up to the cell.
    pub command: String,
    /// Whether the command names the cell already.
    pub names_cell: bool,
    /// The tests that were asked for, as they were named; all where none is.
    pub names: Vec<String>,
    /// The user's program and its arguments, in place of names.
    pub program: Vec<String>,
    /// What it took.
    pub took: Took,
}

/// What a matrix took.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Took {
    /// Seconds in all.
    pub seconds: f64,
    /// The runs in which they passed: one, and those that were resumed.
    pub runs: u32,
}

impl Matrix {
    /// The command that runs what failed in a cell again; what was asked for where no result of the suite failed.
    pub fn again(&self, result: &CellResult) -> String {
        let cell = if self.names_cell { String::new() } else { format!(" --cell \"{}\"", result.name()) };
        let results = result.ktap.iter().flat_map(|document| &document.results);
        let names = results.filter(|case| case.outcome.is_bad()).filter_map(|case| case.name.split(' ').next());
        let mut names: Vec<_> = names.filter(|name| SUITE.iter().any(|entry| entry.name == *name)).collect();
        names.dedup();
        if names.is_empty() {
            names = self.names.iter().map(String::as_str).collect();
        }
        let names = names.iter().map(|name| format!(" {name}")).collect::<String>();
        let program = if self.program.is_empty() { String::new() } else { format!(" -- {}", self.program.join(" ")) };
        format!("{}{cell}{names}{program}", self.command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_run_again_or_else_what_was_asked_for() {
        let interrupted = Verdict::failed("interrupted");
        let interrupted = CellResult::without_results("s390x".into(), "7.2".into(), None, 1, interrupted);
        let matrix = Matrix {
            cells: Vec::new(),
            command: "runner boot".into(),
            names_cell: false,
            names: vec!["basic_test".into(), "slots".into()],
            program: Vec::new(),
            took: Took::default(),
        };
        assert_eq!(matrix.again(&interrupted), "runner boot --cell \"s390x 7.2\" basic_test slots");
        let results = Document::read("KTAP version 1\n1..2\nok 1 slots_test\nnot ok 2 basic_test --short\n");
        let failed = CellResult { ktap: Some(results), ..interrupted };
        assert_eq!(matrix.again(&failed), "runner boot --cell \"s390x 7.2\" basic_test");
    }
}
