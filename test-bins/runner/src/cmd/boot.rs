//! `boot`: cells to binaries, binaries to guests, guests to a matrix and an exit code.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Serialize;

use super::{Accel, BootArgs};
use crate::build::{Builds, Linking, Programs, Suite, elf, sections};
use crate::guest::cell::{Ran, Setting};
use crate::guest::payload::{Payload, Run};
use crate::guest::{capacity, schedule};
use crate::interrupt::Interrupt;
use crate::kernels::accel;
use crate::kernels::cache;
use crate::kernels::machine::Hardware;
use crate::kernels::select::{self, Cell};
use crate::kernels::tree::Image;
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
    let hardware = hardware(args, kvm, &cells).map_err(usage)?;
    let image = image(args, &cells, &directory).map_err(usage)?;
    let cache = cache::directory().map_err(failed)?;
    let setting = Setting {
        cache: &cache,
        directory: &directory,
        hardware: &hardware,
        payload,
        timeout: args.timeout,
        image: image.as_ref(),
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
    if args.kernel_image.is_some() || args.kernel_tree.is_some() {
        let [arch] = choice.arch.as_slice() else {
            return Err("--kernel-image and --kernel-tree need one --arch".into());
        };
        return Ok(vec![select::on_machine(arch, built_for)?]);
    }
    let chosen = args.all || !choice.is_empty();
    if !chosen && built_for.is_none() {
        choice.arch = vec![std::env::consts::ARCH.into()];
        choice.kernel = vec!["newest".into()];
    }
    let mut cells = select::cells(&choice)?;
    let Some(target) = built_for else {
        return if cells.is_empty() {
            Err("no cell of the matrix is like this: --list shows all".into())
        } else {
            Ok(cells)
        };
    };
    let mut others: Vec<_> = cells.iter().map(|cell| cell.target).collect();
    others.dedup();
    cells.retain(|cell| cell.target.name == target);
    match cells.is_empty() {
        true => Err(select::mismatch(target, &choice.chosen(), &others)),
        false => Ok(cells),
    }
}

fn hardware(args: &BootArgs, kvm: bool, cells: &[Cell]) -> Result<Hardware, String> {
    let mut append = args.append.clone();
    if !args.offline.is_empty() {
        let cpus = args.offline.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        append = format!("{append} rseq_offline={cpus}").trim_start().to_owned();
    }
    let accel = args.accel != Accel::Tcg && accelerates(args.accel, cells)?;
    let cores = capacity::cores() as u32;
    Ok(Hardware { cpus: args.cpus, nodes: args.numa, cores, memory: args.memory, accel, kvm, append })
}

/// Whether guests of this machine's kind are to have KVM; says so where they cannot.
fn accelerates(wanted: Accel, cells: &[Cell]) -> Result<bool, String> {
    let Some(cell) = cells.iter().find(|cell| accel::is_of_host(cell.on.machine.debian)) else {
        return match wanted {
            Accel::Kvm => Err("no guest is of this machine's kind: --accel kvm needs one".into()),
            Accel::Auto | Accel::Tcg => Ok(false),
        };
    };
    match (accel::refuses(cell.on.machine.qemu, cell.on.machine.board), wanted) {
        (None, _) => Ok(true),
        (Some(why), Accel::Kvm) => Err(format!("KVM does not work here: {why}")),
        (Some(why), _) => {
            let _ = writeln!(io::stderr(), "KVM does not work here, guests are emulated: {why}");
            Ok(false)
        }
    }
}

/// The kernel in place of the table's, if one is given.
fn image(args: &BootArgs, cells: &[Cell], directory: &Path) -> Result<Option<Image>, String> {
    match (&args.kernel_image, &args.kernel_tree, cells) {
        (Some(image), ..) => Ok(Some(Image::alone(image))),
        (None, Some(tree), [cell, ..]) => {
            let into = directory.with_file_name(format!("tree-{}", cell.on.machine.name));
            Image::of_tree(tree, cell.on.machine, &into).map(Some)
        }
        _ => Ok(None),
    }
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
    let largest = ready.iter().map(|cell| cell.on.machine.memory(setting.hardware)).max().unwrap_or_default();
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
    let Ran { row, line, seconds, cpus, accel, .. } = ran;
    let accel = accel.map(|accel| format!(", {accel}")).unwrap_or_default();
    let numbers = format!("{seconds:.1} s{boot}{again}, CPUs {cpus}{accel}");
    let _ = writeln!(io::stderr(), "[{number}/{of}] {row} {line}: {word} ({numbers})");
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
