//! `boot`: chooses cells, builds for them, boots them, judges and reports what came of it.

mod args;
mod check;
mod choose;
mod consoles;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;

use crate::build::{Linking, Programs, Suite};
use crate::events::Event;
use crate::exit::{self, FAILED, Stop, UNTESTED};
use crate::guest::cell::BootContext;
use crate::guest::cell_result::{CellResult, Matrix, Took};
use crate::guest::payload::{Payload, Run};
use crate::guest::pipeline;
use crate::guest::resume::{self, Stands};
use crate::interrupt::Interrupt;
use crate::kernels::cache;
use crate::kernels::select::Cell;
use crate::report::{matrix_docs, print_json};
use crate::scratch::Scratch;
use crate::verdict::Status;
use crate::workspace;
pub use args::BootArgs;
use choose::Chosen;
use consoles::Consoles;

/// Boots what the options ask for and says how it went.
pub fn run(args: &BootArgs) -> ExitCode {
    exit::code(boot(args))
}

fn boot(args: &BootArgs) -> Result<u8, Stop> {
    let chosen = Chosen::new(args).map_err(Stop::usage)?;
    let root = workspace::root()?;
    let linking = Linking::of(args.static_pie);
    let programs = Suite { root: &root, names: chosen.payload.binaries(), linking };
    boot_programs(args, &chosen, &programs, args.again())
}

/// Boots programs from elsewhere, in place of the suite's, and says how it went; `command` is the command line of a run
/// like this one, up to the cell.
pub fn run_programs(args: &BootArgs, runs: Vec<Run>, kvm: bool, programs: &dyn Programs, command: String) -> ExitCode {
    let chosen = Chosen::of_runs(args, runs, kvm).map_err(Stop::usage);
    exit::code(chosen.and_then(|chosen| boot_programs(args, &chosen, programs, command)))
}

/// Builds, boots, judges and reports.
fn boot_programs(args: &BootArgs, chosen: &Chosen, programs: &dyn Programs, command: String) -> Result<u8, Stop> {
    let root = workspace::root()?;
    // What boots none leaves nothing, and needs no place to.
    let (scratch, consoles);
    let directory: &Path = if args.list || args.check {
        scratch = Scratch::new()?;
        &scratch
    } else {
        consoles = Consoles::take(&workspace::target_dir(&root)?.join("boot/consoles"))?;
        consoles.path()
    };
    let stands = args.resume.as_deref().map(|path| resume::read(path, &command, &args.names)).transpose();
    let stands = stands.map_err(Stop::usage)?;
    let hardware = chosen.hardware(args).map_err(Stop::usage)?;
    let image = chosen.image(args, directory).map_err(Stop::usage)?;
    let context = BootContext {
        cache: &cache::directory()?,
        directory,
        hardware: &hardware,
        payload: &chosen.payload,
        timeout: args.timeout,
        image: image.as_ref(),
        retries: args.retries,
        interrupt: &Interrupt::watch().context("cannot watch for Ctrl-C")?,
        programs,
        reporters: &args.report.boots(args.resume.as_deref()).map_err(Stop::usage)?,
    };
    if args.list {
        return Ok(list(&context, &chosen.cells, args.report.json)?);
    }
    if args.check {
        return Ok(check::run(&chosen.cells, programs, context.interrupt)?);
    }
    let start = Instant::now();
    let (cells, before) = boot_rest(&context, chosen, args.jobs, stands.unwrap_or_default());
    let took = Took { seconds: before.seconds + start.elapsed().as_secs_f64(), runs: before.runs + 1 };
    let (names_cell, program) = (args.kernel_image.is_some() || args.kernel_tree.is_some(), args.program.clone());
    let matrix = Matrix { cells, command, names_cell, names: args.names.clone(), program, took };
    context.reporters.tell(Event::MatrixEnded(&matrix))?;
    if args.docs && !context.interrupt.requested() {
        let path = matrix_docs::write(&root, &matrix)?;
        note!("documentation: {}", path.display());
    }
    Ok(exit_code(&matrix.cells, context.interrupt, &chosen.payload))
}

/// Boots the cells that do not stand already; all of them in their order, and what the earlier run took.
fn boot_rest(context: &BootContext, chosen: &Chosen, jobs: Option<u32>, mut stands: Stands) -> (Vec<CellResult>, Took) {
    stands.cells.retain(|result| chosen.cells.iter().any(|cell| cell.name() == result.name()));
    let left = chosen.cells.iter().filter(|cell| stands.cells.iter().all(|result| result.name() != cell.name()));
    let left: Vec<Cell> = left.cloned().collect();
    let mut results = pipeline::run(context, &left, jobs);
    results.append(&mut stands.cells);
    let place = |result: &CellResult| chosen.cells.iter().position(|cell| cell.name() == result.name());
    results.sort_by_key(place);
    (results, stands.took)
}

#[derive(Serialize)]
struct Listed {
    row: String,
    kernel: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unavailable_reason: Option<String>,
}

fn list(context: &BootContext, cells: &[Cell], json: bool) -> io::Result<u8> {
    let mut out = io::stdout().lock();
    let listed = |cell: &Cell| {
        let unavailable_reason = context.unavailable_reason(cell);
        Listed { row: cell.row(), kernel: cell.on.line, unavailable_reason }
    };
    let listed: Vec<_> = cells.iter().map(listed).collect();
    if json {
        print_json(&mut out, &listed)?;
        return Ok(0);
    }
    for Listed { row, kernel, unavailable_reason } in listed {
        writeln!(out, "{row:<20} {kernel:<5} {}", unavailable_reason.as_deref().unwrap_or("ready"))?;
    }
    Ok(0)
}

fn exit_code(results: &[CellResult], interrupt: &Interrupt, payload: &Payload) -> u8 {
    let code = exit::of_run(results.iter().any(|result| result.verdict.status.is_bad()), interrupt);
    let is_skipped = |result: &CellResult| result.verdict.status == Status::Skipped;
    match (payload, results) {
        _ if interrupt.requested() => code,
        (Payload::Program(_), results) if results.iter().all(is_skipped) => UNTESTED,
        // One program on one kernel: its code is the answer, but 0 is none for a guest that failed.
        (Payload::Program(_), [CellResult { code: Some(own), .. }]) if *own != 0 => {
            u8::try_from(*own).unwrap_or(FAILED)
        }
        _ => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::payload::Program;
    use crate::verdict::Verdict;

    #[test]
    fn a_programs_code_is_the_answer_unless_its_guest_failed() {
        let program = Payload::Program(Program::default());
        let result = |code, verdict| {
            let result = CellResult::without_results("x86_64".into(), "7.3".into(), None, 2, verdict);
            CellResult { code, ..result }
        };
        let passed = || result(Some(0), Verdict::passed());
        let skipped = || result(None, Verdict::skipped("its kernel is not here"));
        let failed = |code| result(code, Verdict::failed("left processes behind"));
        let code = |results: &[CellResult]| exit_code(results, &Interrupt::default(), &program);
        assert_eq!(code(&[passed()]), 0);
        assert_eq!([3, 124, 139].map(|own| code(&[failed(Some(own))])), [3, 124, 139]);
        assert_eq!([Some(0), None, Some(256), Some(-1)].map(|own| code(&[failed(own)])), [FAILED; 4]);
        assert_eq!(code(&[skipped()]), UNTESTED);
        assert_eq!(code(&[skipped(), skipped()]), UNTESTED);
        assert_eq!(code(&[skipped(), passed()]), 0);
        assert_eq!(code(&[skipped(), failed(Some(3))]), FAILED);
        let suite = |results: &[CellResult]| exit_code(results, &Interrupt::default(), &Payload::Suite(Vec::new()));
        assert_eq!((suite(&[skipped()]), suite(&[failed(Some(3))])), (0, FAILED));
    }
}
