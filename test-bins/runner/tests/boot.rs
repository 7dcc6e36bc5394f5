//! The cells of the boot matrix as tests: those whose kernel and QEMU are here run, the rest are listed as ignored, with what
//! each one lacks.
//!
//! A few quick tests run in each cell; `-- --ignored` runs the whole suite, a name (`-- "s390x 7.2"`) the whole suite in those
//! cells whose names contain it.

use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;

/// What runs in every cell.
const QUICK: [&str; 2] = ["start_test", "basic_test"];

/// A cell and whether it could run.
struct Cell {
    row: String,
    kernel: String,
    lacks: Option<String>,
}

impl Cell {
    fn name(&self) -> String {
        format!("{} {}", self.row, self.kernel)
    }
}

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let cells = cells();
    if words.iter().any(|word| word == "--list") {
        cells.iter().for_each(|cell| println!("{}: test", cell.name()));
        return ExitCode::SUCCESS;
    }
    let whole = words.iter().any(|word| word.ends_with("ignored"));
    let names: Vec<_> = words.iter().filter(|word| !word.starts_with("--")).collect();
    let wanted = |cell: &&Cell| names.is_empty() || names.iter().any(|name| cell.name().contains(*name));
    println!("\nrunning {} tests", cells.len());
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    for cell in &cells {
        let why = cell.lacks.as_deref().or((!wanted(&cell)).then_some("another name"));
        if let Some(why) = why {
            println!("test {} ... ignored, {why}", cell.name());
            ignored += 1;
        }
    }
    let ready: Vec<_> = cells.iter().filter(|cell| cell.lacks.is_none()).filter(wanted).collect();
    for good in boot(&ready, !whole && names.is_empty()) {
        *if good { &mut passed } else { &mut failed } += 1;
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; 0 filtered out\n"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn runner() -> Command {
    Command::new(env!("CARGO_BIN_EXE_runner"))
}

fn cells() -> Vec<Cell> {
    let output = runner().args(["boot", "--all", "--list", "--json"]).output().expect("the runner starts");
    let listed: Value = serde_json::from_slice(&output.stdout).expect("the list is JSON");
    let text = |cell: &Value, field: &str| cell[field].as_str().map(str::to_owned);
    let cell = |cell: &Value| Cell {
        row: text(cell, "row").expect("a cell has a row"),
        kernel: text(cell, "kernel").expect("a cell has a kernel"),
        lacks: text(cell, "lacks"),
    };
    listed.as_array().expect("the list is an array").iter().map(cell).collect()
}

/// Boots the cells, side by side as the runner does it, and tells which passed.
fn boot(cells: &[&Cell], quick: bool) -> Vec<bool> {
    if cells.is_empty() {
        return Vec::new();
    }
    let mut runner = runner();
    runner.args(["boot", "--json"]).args(cells.iter().flat_map(|cell| ["--cell".to_owned(), cell.name()]));
    // Its progress and its complaints are seen as they come.
    let output = runner.args(QUICK.iter().filter(|_| quick)).stderr(Stdio::inherit()).output();
    let report: Value = serde_json::from_slice(&output.expect("the runner starts").stdout).expect("the report is JSON");
    let ran = report["cells"].as_array().expect("the report lists cells");
    assert_eq!(ran.len(), cells.len(), "one report a cell");
    ran.iter().map(told).collect()
}

/// Prints a cell's result, and what speaks against a bad one.
fn told(ran: &Value) -> bool {
    let outcome = ran["outcome"].as_str().unwrap_or_default();
    let good = matches!(outcome, "pass" | "skip");
    let word = if good { "ok" } else { "FAILED" };
    println!("test {} {} ... {word}", ran["row"].as_str().unwrap_or("?"), ran["line"].as_str().unwrap_or("?"));
    for reason in ran["reasons"].as_array().into_iter().flatten().filter(|_| !good || outcome == "skip") {
        println!("  {}", reason.as_str().unwrap_or("?"));
    }
    if let Some(log) = ran["log"].as_str().filter(|_| !good) {
        println!("  console: {log}");
    }
    good
}
