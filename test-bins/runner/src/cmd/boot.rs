//! `boot`: chooses cells, builds for them, boots them, judges and reports what came of it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail, ensure};
use fs_err as fs;
use serde::Serialize;

use super::{BootArgs, FAILED, INTERRUPTED, Stop};
use crate::build::{Linking, Programs, Suite, elf, sections};
use crate::events::Event;
use crate::guest::cell::Setting;
use crate::guest::payload::{Payload, Run};
use crate::guest::ran::{Matrix, Ran};
use crate::guest::{capacity, pipeline};
use crate::interrupt::Interrupt;
use crate::kernels::cache;
use crate::kernels::machine::Hardware;
use crate::kernels::select::{self, Cell};
use crate::report::print_json;
use crate::suite::{Entry, Need, SUITE};
use crate::workspace;

/// The command line that boots programs from elsewhere, up to the cell.
const SUITES: &str = "cargo run --release -- suites --kernel-source";

/// Boots what the options ask for and says how it went.
pub fn run(args: &BootArgs) -> ExitCode {
    super::exit(boot(args))
}

/// What the options choose: cells, what they run, and whether they want KVM for it.
struct Chosen {
    cells: Vec<Cell>,
    payload: Payload,
    kvm: bool,
}

fn boot(args: &BootArgs) -> Result<u8, Stop> {
    let chosen = choose(args).map_err(Stop::usage)?;
    let root = workspace::root().map_err(Stop::failed)?;
    let linking = Linking::of(args.static_pie);
    let programs = Suite { root: &root, names: chosen.payload.binaries(), linking };
    boot_programs(args, &chosen, &programs, again(args))
}

/// Boots programs from elsewhere, in place of the suite's, and says how it went.
pub fn run_programs(args: &BootArgs, runs: Vec<Run>, programs: &dyn Programs) -> ExitCode {
    let chosen = cells(args, None).map(|cells| Chosen { cells, payload: Payload::Suite(runs), kvm: false });
    super::exit(chosen.map_err(Stop::usage).and_then(|chosen| boot_programs(args, &chosen, programs, SUITES.into())))
}

/// Builds, boots, judges and reports.
fn boot_programs(args: &BootArgs, chosen: &Chosen, programs: &dyn Programs, command: String) -> Result<u8, Stop> {
    let root = workspace::root().map_err(Stop::failed)?;
    let setting = Setting {
        cache: &cache::directory().map_err(Stop::failed)?,
        directory: &directory(&root).map_err(Stop::failed)?,
        hardware: &hardware(args, chosen.kvm),
        payload: &chosen.payload,
        timeout: args.timeout,
        image: args.kernel_image.as_deref(),
        retries: args.retries,
        interrupt: &Interrupt::watch().map_err(Stop::failed)?,
        programs,
        reporters: &args.report.boots().map_err(Stop::usage)?,
    };
    if args.list {
        return Ok(list(&setting, &chosen.cells, args.report.json)?);
    }
    if args.check {
        return Ok(sections::run(&chosen.cells, programs, setting.interrupt)?);
    }
    let cells = pipeline::run(&setting, &chosen.cells, args.jobs);
    let (names_cell, program) = (args.kernel_image.is_some(), args.program.clone());
    let matrix = Matrix { cells, command, names_cell, program };
    setting.reporters.tell(Event::MatrixEnded(&matrix))?;
    Ok(exit_code(&matrix.cells, setting.interrupt, &chosen.payload))
}

/// The command line of a boot like this one, up to the cell and the names of tests.
fn again(args: &BootArgs) -> String {
    let mut words = vec!["cargo run --release -- boot".to_owned()];
    if let Some(image) = &args.kernel_image {
        words.push(format!("--arch {} --kernel-image {}", args.choice.arch.join(" "), image.display()));
    }
    let default = BootArgs::default();
    words.extend((args.cpus != default.cpus).then(|| format!("--cpus {}", args.cpus)));
    words.extend((args.numa != default.numa).then(|| format!("--numa {}", args.numa)));
    words.extend((!args.append.is_empty()).then(|| format!("--append '{}'", args.append)));
    words.extend(args.static_pie.then(|| "--static-pie".into()));
    words.extend(args.as_init.as_ref().map(|name| format!("--as-init {name}")));
    words.join(" ")
}

fn choose(args: &BootArgs) -> anyhow::Result<Chosen> {
    let entries = crate::suite::select(SUITE, &args.names)?;
    args.kernel_image.as_deref().map_or(Ok(()), readable)?;
    let (payload, built_for) = payload(args, &entries)?;
    let kvm = entries.iter().any(|entry| entry.needs.contains(&Need::Kvm)) || !args.program.is_empty();
    Ok(Chosen { cells: cells(args, built_for)?, payload, kvm })
}

/// Whether QEMU could read the file, before anything is built for it.
fn readable(image: &Path) -> anyhow::Result<()> {
    let file = std::fs::File::open(image).with_context(|| image.display().to_string())?;
    ensure!(file.metadata()?.is_file(), "{} is no file: name a kernel, such as arch/x86/boot/bzImage", image.display());
    Ok(())
}

/// What guests run, and what a user's program is built for.
fn payload(args: &BootArgs, entries: &[&Entry]) -> anyhow::Result<(Payload, Option<&'static str>)> {
    if let Some(name) = &args.as_init {
        crate::suite::exactly(SUITE, name)?;
        return Ok((Payload::AsInit(name.clone()), None));
    }
    let Some((program, arguments)) = args.program.split_first() else { return Ok((Payload::suite(entries), None)) };
    let bytes = fs::read(program)?;
    let target = elf::target(&bytes).map_err(|why| anyhow!("{program}: {why}"))?;
    Ok((Payload::Program(arguments.to_vec(), bytes), Some(target)))
}

fn cells(args: &BootArgs, built_for: Option<&'static str>) -> anyhow::Result<Vec<Cell>> {
    let mut choice = args.choice.clone();
    let chosen = args.all || !choice.is_empty();
    if !chosen && args.kernel_image.is_none() && built_for.is_none() {
        choice.arch = vec![std::env::consts::ARCH.into()];
        choice.kernel = vec!["newest".into()];
    }
    let mut cells = select::cells(&choice).map_err(anyhow::Error::msg)?;
    if let Some(target) = built_for {
        cells.retain(|cell| cell.target.name == target);
    }
    if args.kernel_image.is_some() {
        let [arch] = choice.arch.as_slice() else { bail!("--kernel-image needs one --arch") };
        cells.retain(|cell| cell.on.machine.name == arch && cell.target == cell.on.machine.targets[0]);
        cells.truncate(1);
    }
    ensure!(!cells.is_empty(), "no cell matches these options: `boot --all --list` shows all cells");
    Ok(cells)
}

fn hardware(args: &BootArgs, kvm: bool) -> Hardware {
    Hardware { cpus: args.cpus, nodes: args.numa, cores: capacity::cores() as u32, kvm, append: args.append.clone() }
}

fn directory(root: &Path) -> anyhow::Result<PathBuf> {
    let release = workspace::release_dir(root).map_err(anyhow::Error::msg)?;
    let directory = release.with_file_name("boot").join("consoles");
    fs::create_dir_all(&directory)?;
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
        print_json(&mut out, &listed)?;
        return Ok(0);
    }
    for Listed { row, kernel, lacks } in listed {
        writeln!(out, "{row:<20} {kernel:<5} {}", lacks.as_deref().unwrap_or("ready"))?;
    }
    Ok(0)
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
