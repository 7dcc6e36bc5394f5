//! `suites`: other projects' C programs, untouched, on our headers and library.

mod args;
mod compile;
mod guests;
mod kvm;
mod programs;
mod source;

use std::env::consts::ARCH;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::anyhow;
use fs_err as fs;
use protocol::ktap::{Plan, TestLine, VERSION};
use protocol::outcome::Outcome;

use super::library::{self, Flavour};
use crate::exit::{self, FAILED, Stop};
use crate::process::{self, Capture};
use crate::text::printable;
use crate::verdict::{Status, Verdict};
use crate::workspace;
pub use args::SuitesArgs;
use compile::{Compiler, Sources};
use programs::{GIVES_UP, KVM, MODES, Program};

/// Loops of each of param_test's tests.
const LOOPS: u32 = 1000;

/// Builds, runs, and prints KTAP on stdout and a table on stderr.
pub fn suites(args: &SuitesArgs) -> ExitCode {
    if args.guests.is_any() || args.guests.check {
        return guests::run(args);
    }
    exit::code(run_all(args).and_then(|rows| Ok(report(&rows)?)))
}

/// A line of the table: a program's name, and what became of it in each mode.
type Row = (String, Vec<Verdict>);

fn run_all(args: &SuitesArgs) -> Result<Vec<Row>, Stop> {
    let root = workspace::root()?;
    let scratch = workspace::target_dir(&root)?.join("suites");
    let libraries = scratch.join("lib");
    if let Some(programs) = &args.programs {
        library::build(&root, Flavour::Librseq, &libraries)?;
        return given(programs, args, &libraries);
    }
    let wanted = args.wanted().map_err(Stop::Usage)?;
    library::build(&root, Flavour::Kernel, &libraries)?;
    let tree = args.tree(&scratch).map_err(Stop::Usage)?;
    let sources = Sources { root: &root, tree: &tree };
    let compiler = Compiler::native(&libraries);
    let mut rows = Vec::new();
    for program in wanted.into_iter().filter(|program| sources.has(program)) {
        let built = match program.name {
            KVM => kvm::build(&sources, ARCH, &compiler, &scratch),
            _ => compile::build(program, &sources, &compiler, &scratch),
        };
        let outcomes = match built {
            Ok(path) => MODES.iter().map(|mode| judged(program, &path, mode, args, &libraries)).collect(),
            Err(error) => MODES.iter().map(|_| Verdict::failed(format!("{error:#}"))).collect(),
        };
        rows.push(progress(rows.len(), (program.name.to_owned(), outcomes))?);
    }
    if rows.is_empty() {
        return Err(Stop::Usage(anyhow!("{}: none of the programs is in this tree", tree.display())));
    }
    Ok(rows)
}

/// Runs a program with all its arguments in a mode.
fn judged(program: &Program, path: &Path, mode: &(&str, &str), args: &SuitesArgs, libraries: &Path) -> Verdict {
    if !program.with_libc && mode.1 == MODES[0].1 {
        return Verdict::skipped(GIVES_UP);
    }
    for arguments in program.arguments {
        let mut command = Command::new(path);
        command.args(*arguments);
        if program.name.starts_with("param_test") {
            command.args(["-t", "12", "-r", &args.loops.unwrap_or(LOOPS).to_string()]);
        }
        let verdict = outcome(command, mode.1, args.timeout, libraries);
        if verdict.status != Status::Passed {
            let bad = verdict.status.is_bad();
            let reasons = verdict.reasons.iter();
            let named =
                |reason: &String| if bad { format!("{} {reason}", arguments.join(" ")) } else { reason.clone() };
            return Verdict { reasons: reasons.map(named).collect(), ..verdict };
        }
    }
    Verdict::passed()
}

/// The programs of a folder, in both modes.
fn given(folder: &Path, args: &SuitesArgs, libraries: &Path) -> Result<Vec<Row>, Stop> {
    let entries = fs::read_dir(folder).map_err(Stop::usage)?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths.retain(|path| is_program(path));
    if paths.is_empty() {
        return Err(Stop::Usage(anyhow!("{}: no programs", folder.display())));
    }
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let programs: Vec<(&PathBuf, String)> = paths.iter().map(|path| (path, name(path))).collect();
    args.check_names(&programs.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>()).map_err(Stop::Usage)?;
    let mut rows = Vec::new();
    for (path, name) in programs.into_iter().filter(|(_, name)| args.names.is_empty() || args.is_named(name)) {
        let outcomes = MODES.iter().map(|mode| outcome(Command::new(path), mode.1, args.timeout, libraries)).collect();
        rows.push(progress(rows.len(), (name, outcomes))?);
    }
    Ok(rows)
}

/// Whether it is a file that may be run, and no library.
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let may_run = fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    may_run && !path.to_string_lossy().contains(".so")
}

/// Runs a program: exit code 0 is a pass, 4 a skip. Its last output is in `output` and `errors` beside the libraries.
fn outcome(mut command: Command, tunable: &str, timeout: u64, libraries: &Path) -> Verdict {
    command.env("GLIBC_TUNABLES", tunable).env("LD_LIBRARY_PATH", libraries);
    let limit = Duration::from_secs(timeout);
    let mut printed = Capture::until(|elapsed| elapsed >= limit);
    let finished = match process::follow(command, &mut printed) {
        Ok(finished) => finished,
        Err(error) => return Verdict::failed(error.to_string()),
    };
    for (name, bytes) in [("../output", &printed.out), ("../errors", &printed.err)] {
        if let Err(error) = fs::write(libraries.join(name), bytes) {
            return Verdict::failed(error.to_string());
        }
    }
    let text = String::from_utf8_lossy(&printed.out);
    let last = printable(text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default());
    match (finished.stopped, finished.status.code()) {
        (Some(()), _) => Verdict { status: Status::TimedOut, reasons: vec![format!("timed out after {timeout} s")] },
        (None, Some(0)) => Verdict::passed(),
        (None, Some(4)) => Verdict::skipped(last),
        _ => Verdict::failed(format!("{}: {last}", finished.status)),
    }
}

/// Prints a program's results.
fn progress(rows: usize, row: Row) -> io::Result<Row> {
    let mut out = io::stdout().lock();
    if rows == 0 {
        writeln!(out, "{VERSION}")?;
    }
    for (index, (verdict, (mode, _))) in row.1.iter().zip(MODES).enumerate() {
        let number = (rows * MODES.len() + index + 1) as u64;
        let reasons = verdict.reasons.join("; ");
        let (outcome, reason) = match verdict.status {
            Status::Skipped => (Outcome::Skip, reasons.as_str()),
            status if status.is_bad() => {
                writeln!(out, "# {reasons}")?;
                (Outcome::Fail, "")
            }
            _ => (Outcome::Pass, ""),
        };
        let name = format!("{}: {mode}", row.0);
        writeln!(out, "{}", TestLine { number, name, outcome, directive: None, reason })?;
    }
    Ok(row)
}

/// Prints the plan and the table; returns the exit code.
fn report(rows: &[Row]) -> io::Result<u8> {
    writeln!(io::stdout(), "{}", Plan((rows.len() * MODES.len()) as u64))?;
    note!("{:36} {:16} {:16}", "", MODES[0].0, MODES[1].0);
    let word = |verdict: &Verdict| match verdict.status {
        Status::Skipped => "skip",
        status if status.is_bad() => "FAIL",
        _ => "pass",
    };
    for (name, outcomes) in rows {
        note!("{name:36} {:16} {:16}", word(&outcomes[0]), word(&outcomes[1]));
    }
    let failed = rows.iter().any(|(_, outcomes)| outcomes.iter().any(|verdict| verdict.status.is_bad()));
    Ok(if failed { FAILED } else { 0 })
}
