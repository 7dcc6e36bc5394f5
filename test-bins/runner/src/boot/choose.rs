//! From options to cells, what they run, and on which hardware and kernel.

use std::path::Path;

use anyhow::{Context, bail, ensure};

use super::args::BootArgs;
use crate::build::elf;
use crate::guest::payload::{Payload, Program, Run};
use crate::guest::{capacity, user_files};
use crate::kernels::accel::{self, Accel};
use crate::kernels::hardware::Hardware;
use crate::kernels::select::{self, Cell};
use crate::kernels::tree::Image;
use crate::suite::{Entry, Need, SUITE};

/// What the options choose.
pub struct Chosen {
    /// Where it runs.
    pub cells: Vec<Cell>,
    /// What the cells run.
    pub payload: Payload,
    /// Whether they want KVM for it.
    kvm: bool,
}

impl Chosen {
    /// Tests of the suite, or the user's program.
    pub fn new(args: &BootArgs) -> anyhow::Result<Self> {
        let entries = crate::suite::select(SUITE, &args.names)?;
        args.kernel_image.as_deref().map_or(Ok(()), readable)?;
        let (payload, built_for) = payload(args, &entries)?;
        let kvm = entries.iter().any(|entry| entry.needs.contains(&Need::Kvm)) || !args.program.is_empty();
        Ok(Self { cells: cells(args, built_for)?, payload, kvm })
    }

    /// Programs from elsewhere.
    pub fn of_runs(args: &BootArgs, runs: Vec<Run>, kvm: bool) -> anyhow::Result<Self> {
        Ok(Self { cells: cells(args, None)?, payload: Payload::Suite(runs), kvm })
    }

    /// What each guest is started with.
    pub fn hardware(&self, args: &BootArgs) -> anyhow::Result<Hardware> {
        let mut append = args.append.clone();
        if !args.offline.is_empty() {
            let cpus = args.offline.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
            append = format!("{append} rseq_offline={cpus}").trim_start().to_owned();
        }
        let accel = args.accel != Accel::Tcg && accelerates(args.accel, &self.cells)?;
        let (cores, together) = (capacity::cores() as u32, self.cells.len() > 1 && args.jobs != Some(1));
        let (cpus, nodes, memory, kvm) = (args.cpus, args.numa, args.memory, self.kvm);
        Ok(Hardware { cpus, nodes, cores, together, memory, accel, kvm, append })
    }

    /// The kernel in place of the table's, if one is given.
    pub fn image(&self, args: &BootArgs, directory: &Path) -> anyhow::Result<Option<Image>> {
        match (&args.kernel_image, &args.kernel_tree, self.cells.as_slice()) {
            (Some(image), ..) => Ok(Some(Image::alone(image))),
            (None, Some(tree), [cell, ..]) => {
                let into = directory.join(format!("tree-{}", cell.on.machine.name));
                Image::of_tree(tree, cell.on.machine, &into).map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// Whether QEMU could read the file, before anything is built for it.
fn readable(image: &Path) -> anyhow::Result<()> {
    let metadata = std::fs::metadata(image).with_context(|| image.display().to_string())?;
    // To open a pipe would be to wait for its writer.
    ensure!(metadata.is_file(), "{} is no file: name a kernel, such as arch/x86/boot/bzImage", image.display());
    std::fs::File::open(image).map(drop).with_context(|| image.display().to_string())
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
            note!("KVM does not work here, guests are emulated: {why}");
            Ok(false)
        }
    }
}
