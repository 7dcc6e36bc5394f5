//! `boot`: cells to binaries, binaries to guests, guests to a matrix and an exit code.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Serialize;

use super::BootArgs;
use crate::build::{Builds, Linking, Programs, Suite, elf, sections};
use crate::guest::cell::{Ran, Setting};
use crate::guest::payload::{Payload, Run};
use crate::guest::{capacity, schedule};
use crate::interrupt::Interrupt;
use crate::kernels::cache;
use crate::kernels::machine::Hardware;
use crate::kernels::select::{self, Cell};
use crate::report::matrix;
use crate::suite::{Entry, Need, SUITE};
use crate::verdict::{Status, Verdict};
use crate::workspace;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const INTERRUPTED: u8 = 130;

/// Why there is no result: an exit code and words.
type Stop = (u8, String);

/// Boots what the options ask for and says how it went.
pub fn run(args: &BootArgs) -> ExitCode {
    match boot(args) {
        Ok(code) => ExitCode::from(code),
        Err((code, message)) => crate::cmd::stop(code, &message),
    }
}

fn usage(message: String) -> Stop {
    (USAGE, message)
}

fn failed(message: impl ToString) -> Stop {
    (FAILED, message.to_string())
}

fn boot(args: &BootArgs) -> Result<u8, Stop> {
    let entries = crate::suite::select(SUITE, &args.names).map_err(usage)?;
    args.kernel_image.as_deref().map_or(Ok(()), readable).map_err(usage)?;
    let (payload, built_for) = payload(args, &entries).map_err(usage)?;
    let root = workspace::root().map_err(failed)?;
    let programs = Suite { root: &root, names: payload.binaries(), linking: Linking::of(args.static_pie) };
    let kvm = entries.iter().any(|entry| entry.needs.contains(&Need::Kvm)) || !args.program.is_empty();
    boot_programs(args, &payload, built_for, kvm, &programs)
}

/// Boots programs from elsewhere, in place of the suite's, and says how it went.
pub fn run_programs(args: &BootArgs, runs: Vec<Run>, programs: &dyn Programs) -> ExitCode {
    match boot_programs(args, &Payload::Suite(runs), None, false, programs) {
        Ok(code) => ExitCode::from(code),
        Err((code, message)) => super::stop(code, &message),
    }
}

fn boot_programs(
    args: &BootArgs,
    payload: &Payload,
    built_for: Option<&'static str>,
    kvm: bool,
    programs: &dyn Programs,
) -> Result<u8, Stop> {
    let cells = cells(args, built_for).map_err(usage)?;
    let root = workspace::root().map_err(failed)?;
    let directory = directory(&root).map_err(failed)?;
    let interrupt = Interrupt::watch().map_err(failed)?;
    let hardware = hardware(args, kvm);
    let cache = cache::directory().map_err(failed)?;
    let setting = Setting {
        cache: &cache,
        directory: &directory,
        hardware: &hardware,
        payload,
        timeout: args.timeout,
        image: args.kernel_image.as_deref(),
        retries: args.retries,
        interrupt: &interrupt,
        programs,
    };
    if args.list {
        return list(&setting, &cells, args.json).map_err(failed);
    }
    if args.check {
        return sections::run(&cells, programs, &interrupt).map_err(failed);
    }
    let ran = run_all(&setting, &cells, args.jobs);
    report(&ran, args.json).map_err(failed)?;
    Ok(exit_code(&ran, &interrupt, payload))
}

/// Whether QEMU could read the file, before anything is built for it.
fn readable(image: &Path) -> Result<(), String> {
    let failed = |error: io::Error| format!("{}: {error}", image.display());
    let is_file = fs::File::open(image).and_then(|file| file.metadata()).map_err(failed)?.is_file();
    is_file.then_some(()).ok_or_else(|| format!("{} is no file", image.display()))
}

/// What guests run, and what a user's program is built for.
fn payload(args: &BootArgs, entries: &[&Entry]) -> Result<(Payload, Option<&'static str>), String> {
    if let Some(name) = &args.as_init {
        let known = SUITE.iter().any(|entry| entry.name == name);
        return known
            .then(|| (Payload::AsInit(name.clone()), None))
            .ok_or_else(|| format!("no test is called '{name}'"));
    }
    let Some((program, arguments)) = args.program.split_first() else { return Ok((Payload::suite(entries), None)) };
    let bytes = fs::read(program).map_err(|error| format!("{program}: {error}"))?;
    let target = elf::target(&bytes).map_err(|why| format!("{program}: {why}"))?;
    Ok((Payload::Program(arguments.to_vec(), bytes), Some(target)))
}

fn cells(args: &BootArgs, built_for: Option<&'static str>) -> Result<Vec<Cell>, String> {
    let mut choice = args.choice.clone();
    let chosen = args.all || !choice.is_empty();
    if !chosen && args.kernel_image.is_none() && built_for.is_none() {
        choice.arch = vec![std::env::consts::ARCH.into()];
        choice.kernel = vec!["newest".into()];
    }
    let mut cells = select::cells(&choice)?;
    if let Some(target) = built_for {
        cells.retain(|cell| cell.target.name == target);
    }
    if args.kernel_image.is_some() {
        let [arch] = choice.arch.as_slice() else { return Err("--kernel-image needs one --arch".into()) };
        cells.retain(|cell| cell.on.machine.name == arch && cell.target == cell.on.machine.targets[0]);
        cells.truncate(1);
    }
    match cells.is_empty() {
        true => Err("no cell of the matrix is like this: --list shows all".into()),
        false => Ok(cells),
    }
}

fn hardware(args: &BootArgs, kvm: bool) -> Hardware {
    Hardware { cpus: args.cpus, nodes: args.numa, cores: capacity::cores() as u32, kvm, append: args.append.clone() }
}

fn directory(root: &Path) -> Result<PathBuf, String> {
    let directory = workspace::release_dir(root)?.with_file_name("boot").join("consoles");
    fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    Ok(directory)
}

#[derive(Serialize)]
struct Listed {
    row: String,
    kernel: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lacks: Option<String>,
}

fn list(setting: &Setting, cells: &[Cell], json: bool) -> io::Result<u8> {
    let mut out = io::stdout().lock();
    let listed = cells.iter().map(|cell| Listed { row: cell.row(), kernel: cell.on.line, lacks: setting.lacks(cell) });
    let listed: Vec<_> = listed.collect();
    if json {
        serde_json::to_writer_pretty(&mut out, &listed)?;
        writeln!(out)?;
        return Ok(0);
    }
    for Listed { row, kernel, lacks } in listed {
        writeln!(out, "{row:<20} {kernel:<5} {}", lacks.as_deref().unwrap_or("ready"))?;
    }
    Ok(0)
}

/// Sorts out what cannot run, builds for the rest, and boots it.
fn run_all(setting: &Setting, cells: &[Cell], jobs: Option<u32>) -> Vec<Ran> {
    let lacking: Vec<_> = cells.iter().map(|cell| setting.lacks(cell)).collect();
    let ready = cells.iter().zip(&lacking).filter(|(_, lacks)| lacks.is_none()).map(|(cell, _)| cell);
    let ready: Vec<_> = ready.collect();
    let builds = Builds::new(&ready);
    let largest = ready.iter().map(|cell| cell.on.machine.memory).max().unwrap_or_default();
    let threads = ready.iter().map(|cell| cell.on.machine.threads(setting.hardware)).max().unwrap_or_default();
    let jobs = jobs.map_or_else(|| capacity::jobs(largest, threads, ready.len()), |jobs| jobs as usize);
    let done = AtomicUsize::new(0);
    let boot = |cell: &&Cell| match builds.of(cell) {
        _ if setting.interrupt.requested() => setting.not_run(cell, Verdict::skipped("interrupted")),
        Ok(binaries) => setting.run(cell, binaries),
        Err(message) => setting.not_run(cell, Verdict::failed(message)),
    };
    let tell = |_: &&Cell, ran: &Ran| progress(done.fetch_add(1, Ordering::Relaxed) + 1, ready.len(), ran);
    let ran = thread::scope(|scope| {
        scope.spawn(|| builds.run(setting.programs, setting.interrupt));
        schedule::run(&ready, jobs, boot, tell)
    });
    let mut ran = ran.into_iter();
    let not_run = |cell, lacks: &String| setting.not_run(cell, Verdict::skipped(lacks.clone()));
    let each = cells.iter().zip(&lacking);
    each.filter_map(|(cell, lacks)| lacks.as_ref().map_or_else(|| ran.next(), |lacks| Some(not_run(cell, lacks))))
        .collect()
}

fn progress(number: usize, of: usize, ran: &Ran) {
    let word = match ran.verdict.status {
        Status::Failed => "FAILED",
        status => status.word(),
    };
    let boot = ran.boot_seconds.map(|seconds| format!(", boot {seconds:.1} s")).unwrap_or_default();
    let boots = 1 + ran.earlier.len();
    let again = if boots > 1 { format!(", {boots} boots") } else { String::new() };
    let Ran { row, line, seconds, cpus, .. } = ran;
    let _ = writeln!(io::stderr(), "[{number}/{of}] {row} {line}: {word} ({seconds:.1} s{boot}{again}, CPUs {cpus})");
}

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    cells: &'a [Ran],
}

fn report(ran: &[Ran], json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &Report { schema: 1, cells: ran })?;
        return writeln!(out);
    }
    if let [only] = ran {
        for line in only.notes.iter().map(|note| format!("# {note}")).chain(only.output.iter().cloned()) {
            writeln!(out, "{line}")?;
        }
    }
    matrix::print(&mut out, ran)?;
    out.flush()
}

fn exit_code(ran: &[Ran], interrupt: &Interrupt, payload: &Payload) -> u8 {
    match (ran, payload) {
        _ if interrupt.requested() => INTERRUPTED,
        // One program on one kernel: its code is the answer.
        ([Ran { code: Some(code), .. }], Payload::Program(..)) => u8::try_from(*code).unwrap_or(FAILED),
        _ if ran.iter().any(|ran| ran.verdict.status.is_bad()) => FAILED,
        _ => 0,
    }
}
