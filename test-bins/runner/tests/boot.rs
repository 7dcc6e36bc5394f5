//! The cells of the boot matrix as tests, two each: a few quick tests of the suite, and, where `-- --ignored` or
//! `-- --include-ignored` asks for it, the whole suite (`-- --ignored "s390x 7.2"`). A cell whose kernel or QEMU is not
//! here is ignored with the reason, and so is one that ran and could test nothing.

use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use runner::capacity;
use serde_json::Value;

/// What runs in every cell.
const QUICK: &[&str] = &["start_test", "basic_test"];
/// MiB of the largest guest.
const LARGEST: u32 = 1024;

/// Threads of a guest's CPUs.
const THREADS: u32 = 2;

/// A cell and whether it could run.
#[derive(Clone)]
struct Cell {
    name: String,
    unavailable_reason: Option<String>,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let cells = cells();
    arguments.test_threads.get_or_insert_with(|| capacity::jobs(LARGEST, THREADS, cells.len()));
    // The whole suite has the quick tests.
    let quick = cells.iter().filter(|_| !arguments.include_ignored).map(|cell| trial(cell, QUICK));
    let whole = cells.iter().map(|cell| trial(cell, &[]).with_kind("whole suite").with_ignored_flag(true));
    libtest_mimic::run(&arguments, quick.chain(whole).collect()).exit_code()
}

fn trial(cell: &Cell, tests: &'static [&'static str]) -> Trial {
    let booted = cell.clone();
    Trial::ignorable_test(&cell.name, move || booted.boot(tests))
}

fn runner(args: &[&str]) -> Command {
    let mut runner = Command::new(env!("CARGO_BIN_EXE_runner"));
    runner.args(args).stderr(Stdio::inherit());
    runner
}

fn cells() -> Vec<Cell> {
    let output = runner(&["boot", "--all", "--list", "--json"]).output().expect("the runner starts");
    let listed: Value = serde_json::from_slice(&output.stdout).expect("the list is JSON");
    let text = |cell: &Value, field: &str| cell[field].as_str().map(str::to_owned);
    let cell = |cell: &Value| Cell {
        name: format!("{} {}", text(cell, "row").expect("a row"), text(cell, "kernel").expect("a kernel")),
        unavailable_reason: text(cell, "unavailable_reason"),
    };
    listed.as_array().expect("the list is an array").iter().map(cell).collect()
}

impl Cell {
    /// Boots it with these tests; without any, with the whole suite.
    fn boot(&self, tests: &[&str]) -> Result<Completion, Failed> {
        if let Some(reason) = &self.unavailable_reason {
            return Ok(Completion::ignored_with(reason));
        }
        let output = runner(&["boot", "--json", "--retries", "1", "--cell", &self.name]).args(tests).output()?;
        let report: Value = serde_json::from_slice(&output.stdout)?;
        match report["cells"].as_array().map(Vec::as_slice) {
            Some([ran]) => judged(ran),
            other => Err(format!("not one cell was reported, but {other:?}").into()),
        }
    }
}

/// What became of a cell that is in a report.
fn judged(ran: &Value) -> Result<Completion, Failed> {
    for boot in ran["earlier"].as_array().into_iter().flatten() {
        eprintln!("{} {} was booted again: {}", ran["row"], ran["line"], reasons(boot).join("; "));
    }
    let mut reasons = reasons(ran);
    match ran["outcome"].as_str() {
        Some("pass") => Ok(Completion::Completed),
        Some("skip") => Ok(Completion::ignored_with(reasons.join("; "))),
        _ => {
            let log = ran["log"].as_str().map(|log| format!("console: {log}"));
            reasons.extend(log.as_deref());
            Err(reasons.join("\n").into())
        }
    }
}

fn reasons(ran: &Value) -> Vec<&str> {
    ran["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
