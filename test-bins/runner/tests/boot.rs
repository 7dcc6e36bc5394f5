//! The cells of the boot matrix as tests: one runs, the rest are listed as ignored, with what each one lacks.
//!
//! The newest kernel of this machine's architecture runs a few quick tests if its kernel and QEMU are here. `-- --ignored`
//! runs the whole suite in all cells that can run, a name (`-- "s390x 7.2"`) in those whose names contain it.

use std::process::{Command, ExitCode};

use serde_json::Value;

/// What runs in the one cell that always runs.
const QUICK: [&str; 4] = ["start_test", "basic_test", "syscall_errors_test", "unregistered_test"];

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
    let all = words.iter().any(|word| word.ends_with("ignored"));
    let names: Vec<_> = words.iter().filter(|word| !word.starts_with("--")).collect();
    let default = default(&cells).map(Cell::name);
    let wanted = |cell: &Cell| match names.is_empty() {
        true => all || default == Some(cell.name()),
        false => names.iter().any(|name| cell.name().contains(*name)),
    };
    let quick = !all && names.is_empty();
    println!("\nrunning {} tests", cells.len());
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    for cell in &cells {
        let count = match (&cell.lacks, wanted(cell)) {
            (Some(lacks), _) => ignore(cell, lacks, &mut ignored),
            (None, false) => ignore(cell, "only with --ignored, or by name", &mut ignored),
            (None, true) if boots(cell, quick) => &mut passed,
            (None, true) => &mut failed,
        };
        *count += 1;
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; 0 filtered out\n"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn ignore<'c>(cell: &Cell, reason: &str, ignored: &'c mut u32) -> &'c mut u32 {
    println!("test {} ... ignored, {reason}", cell.name());
    ignored
}

/// The newest kernel of this machine's architecture that is here.
fn default(cells: &[Cell]) -> Option<&Cell> {
    cells.iter().rfind(|cell| cell.row == std::env::consts::ARCH && cell.lacks.is_none())
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

fn boots(cell: &Cell, quick: bool) -> bool {
    let mut runner = runner();
    runner.args(["boot", "--arch", &cell.row, "--kernel", &cell.kernel]);
    let output = runner.args(QUICK.iter().filter(|_| quick)).output();
    let output = output.expect("the runner starts");
    let good = output.status.success();
    println!("test {} ... {}", cell.name(), if good { "ok" } else { "FAILED" });
    if !good {
        print!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    }
    good
}
