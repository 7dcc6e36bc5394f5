//! `boot`: chooses cells, builds for them, boots them, judges and reports what came of it.

mod args;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use clap::ValueEnum;
use fs_err as fs;
use serde::Serialize;

use crate::build::{Linking, Programs, Suite, check, elf};
use crate::events::Event;
use crate::exit::{self, FAILED, INTERRUPTED, Stop};
use crate::guest::cell::BootContext;
use crate::guest::cell_result::{CellResult, Matrix, Took};
use crate::guest::payload::{Payload, Program, Run};
use crate::guest::resume::{self, Stands};
use crate::guest::{capacity, pipeline, user_files};
use crate::interrupt::Interrupt;
use crate::kernels::accel::{self, Accel};
use crate::kernels::cache;
use crate::kernels::machine::Hardware;
use crate::kernels::select::{self, Cell};
use crate::kernels::tree::Image;
use crate::report::{matrix_docs, print_json};
use crate::suite::{Entry, Need, SUITE};
use crate::workspace;
pub use args::BootArgs;

/// Boots what the options ask for and says how it went.
pub fn run(args: &BootArgs) -> ExitCode {
    exit::code(boot(args))
}

/// What the options choose: cells, what they run, and whether they want KVM for it.
struct Chosen {
    cells: Vec<Cell>,
    payload: Payload,
    kvm: bool,
}

fn boot(args: &BootArgs) -> Result<u8, Stop> {
    let chosen = choose(args).map_err(Stop::usage)?;
    let root = workspace::root()?;
    let linking = Linking::of(args.static_pie);
    let programs = Suite { root: &root, names: chosen.payload.binaries(), linking };
    boot_programs(args, &chosen, &programs, again(args))
}

/// Boots programs from elsewhere, in place of the suite's, and says how it went; `command` is the command line of a run
/// like this one, up to the cell.
pub fn run_programs(args: &BootArgs, runs: Vec<Run>, kvm: bool, programs: &dyn Programs, command: String) -> ExitCode {
    let chosen = cells(args, None).map(|cells| Chosen { cells, payload: Payload::Suite(runs), kvm });
    exit::code(chosen.map_err(Stop::usage).and_then(|chosen| boot_programs(args, &chosen, programs, command)))
}

/// Builds, boots, judges and reports.
fn boot_programs(args: &BootArgs, chosen: &Chosen, programs: &dyn Programs, command: String) -> Result<u8, Stop> {
    let root = workspace::root()?;
    let directory = directory(&root)?;
    let hardware = hardware(args, chosen.kvm, &chosen.cells).map_err(Stop::usage)?;
    let image = image(args, &chosen.cells, &directory).map_err(Stop::usage)?;
    let context = BootContext {
        cache: &cache::directory()?,
        directory: &directory,
        hardware: &hardware,
        payload: &chosen.payload,
        timeout: args.timeout,
        image: image.as_ref(),
        retries: args.retries,
        interrupt: &Interrupt::watch().context("cannot watch for Ctrl-C")?,
        programs,
        reporters: &args.report.boots().map_err(Stop::usage)?,
    };
    if args.list {
        return Ok(list(&context, &chosen.cells, args.report.json)?);
    }
    if args.check {
        return Ok(check::run(&chosen.cells, programs, context.interrupt)?);
    }
    let stands = args.resume.as_deref().map(|path| resume::read(path, &command, &args.names)).transpose();
    let stands = stands.map_err(Stop::usage)?;
    let start = Instant::now();
    let (cells, before) = boot_rest(&context, chosen, args.jobs, stands.unwrap_or_default());
    let took = Took { seconds: before.seconds + start.elapsed().as_secs_f64(), runs: before.runs + 1 };
    let (names_cell, program) = (args.kernel_image.is_some() || args.kernel_tree.is_some(), args.program.clone());
    let matrix = Matrix { cells, command, names_cell, names: args.names.clone(), program, took };
    context.reporters.tell(Event::MatrixEnded(&matrix))?;
    if args.docs && !context.interrupt.requested() {
        let path = matrix_docs::write(&root, &matrix)?;
        let _ = writeln!(io::stderr(), "documentation: {}", path.display());
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

/// The command line of a boot like this one, up to the cell and the names of tests.
fn again(args: &BootArgs) -> String {
    let mut words = vec!["cargo run --release -- boot".to_owned()];
    if let Some(image) = &args.kernel_image {
        words.push(format!("--arch {} --kernel-image {}", args.choice.arch.join(" "), image.display()));
    }
    if let Some(tree) = &args.kernel_tree {
        words.push(format!("--arch {} --kernel-tree {}", args.choice.arch.join(" "), tree.display()));
    }
    let default = BootArgs::default();
    words.extend((args.cpus != default.cpus).then(|| format!("--cpus {}", args.cpus)));
    let offline = args.offline.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    words.extend((!offline.is_empty()).then(|| format!("--offline {offline}")));
    words.extend(args.memory.map(|mebibytes| format!("--memory {mebibytes}")));
    let accel = args.accel.to_possible_value().filter(|_| args.accel != default.accel);
    words.extend(accel.map(|accel| format!("--accel {}", accel.get_name())));
    words.extend((args.numa != default.numa).then(|| format!("--numa {}", args.numa)));
    words.extend(args.timeout.map(|seconds| format!("--timeout {seconds}")));
    words.extend((!args.append.is_empty()).then(|| format!("--append '{}'", args.append)));
    words.extend(args.static_pie.then(|| "--static-pie".into()));
    words.extend(args.as_init.as_ref().map(|name| format!("--as-init {name}")));
    words.extend(args.files.as_ref().map(|directory| format!("--files {}", directory.display())));
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
    let Some((path, arguments)) = args.program.split_first() else { return Ok((Payload::suite(entries), None)) };
    let bytes = user_files::read(Path::new(path))?;
    let target = elf::target(&bytes).with_context(|| path.clone())?;
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let program = Program { name, bytes, arguments: arguments.to_vec(), files: args.files.clone() };
    Ok((Payload::Program(program), Some(target)))
}

fn cells(args: &BootArgs, built_for: Option<&'static str>) -> anyhow::Result<Vec<Cell>> {
    let mut choice = args.choice.clone();
    if args.kernel_image.is_some() || args.kernel_tree.is_some() {
        let [arch] = choice.arch.as_slice() else {
            bail!("--kernel-image and --kernel-tree need one --arch");
        };
        return Ok(vec![select::on_machine(arch, built_for)?]);
    }
    let chosen = args.all || !choice.is_empty();
    if !chosen && built_for.is_none() {
        choice.arch = vec![std::env::consts::ARCH.into()];
        choice.kernel = vec!["newest".into()];
    }
    let mut cells = select::cells(&choice)?;
    ensure!(!cells.is_empty(), select::none_of(&choice));
    if let Some(target) = built_for {
        let mut others: Vec<_> = cells.iter().map(|cell| cell.target).collect();
        others.dedup();
        cells.retain(|cell| cell.target.name == target);
        ensure!(!cells.is_empty(), select::mismatch(target, &choice.chosen(), &others));
    }
    Ok(cells)
}

fn hardware(args: &BootArgs, kvm: bool, cells: &[Cell]) -> anyhow::Result<Hardware> {
    let mut append = args.append.clone();
    if !args.offline.is_empty() {
        let cpus = args.offline.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        append = format!("{append} rseq_offline={cpus}").trim_start().to_owned();
    }
    let accel = args.accel != Accel::Tcg && accelerates(args.accel, cells)?;
    let (cores, together) = (capacity::cores() as u32, cells.len() > 1 && args.jobs != Some(1));
    Ok(Hardware { cpus: args.cpus, nodes: args.numa, cores, together, memory: args.memory, accel, kvm, append })
}

/// Whether guests of this machine's kind are to have KVM; says so where they cannot.
fn accelerates(wanted: Accel, cells: &[Cell]) -> anyhow::Result<bool> {
    let Some(cell) = cells.iter().find(|cell| accel::is_of_host(cell.on.machine.debian)) else {
        return match wanted {
            Accel::Kvm => bail!("no guest is of this machine's kind: --accel kvm needs one"),
            Accel::Auto | Accel::Tcg => Ok(false),
        };
    };
    match (accel::refuses(cell.on.machine.qemu, cell.on.machine.board), wanted) {
        (None, _) => Ok(true),
        (Some(why), Accel::Kvm) => bail!("KVM does not work here: {why}"),
        (Some(why), _) => {
            let _ = writeln!(io::stderr(), "KVM does not work here, guests are emulated: {why}");
            Ok(false)
        }
    }
}

/// The kernel in place of the table's, if one is given.
fn image(args: &BootArgs, cells: &[Cell], directory: &Path) -> anyhow::Result<Option<Image>> {
    match (&args.kernel_image, &args.kernel_tree, cells) {
        (Some(image), ..) => Ok(Some(Image::alone(image))),
        (None, Some(tree), [cell, ..]) => {
            let into = directory.with_file_name(format!("tree-{}", cell.on.machine.name));
            Image::of_tree(tree, cell.on.machine, &into).map(Some)
        }
        _ => Ok(None),
    }
}

fn directory(root: &Path) -> anyhow::Result<PathBuf> {
    let directory = workspace::target_dir(root)?.join("boot/consoles");
    fs::create_dir_all(&directory)?;
    Ok(directory)
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
    match (results, payload) {
        _ if interrupt.requested() => INTERRUPTED,
        // One program on one kernel: its code is the answer.
        ([CellResult { code: Some(code), .. }], Payload::Program(..)) => u8::try_from(*code).unwrap_or(FAILED),
        _ if results.iter().any(|result| result.verdict.status.is_bad()) => FAILED,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_run_again_is_run_in_the_same_way() {
        let args = BootArgs {
            cpus: 3,
            offline: vec![1, 2],
            memory: Some(512),
            accel: Accel::Auto,
            numa: 2,
            timeout: Some(9),
            append: "quiet".into(),
            static_pie: true,
            files: Some("out".into()),
            ..BootArgs::default()
        };
        let expected = "cargo run --release -- boot --cpus 3 --offline 1,2 --memory 512 --accel auto --numa 2 \
                        --timeout 9 --append 'quiet' --static-pie --files out";
        assert_eq!(again(&args), expected);
        assert_eq!(again(&BootArgs::default()), "cargo run --release -- boot");
    }
}
