//! One cell of the matrix: one kind of binaries on one kernel.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::faults::{self, Fault};
use super::payload::Payload;
use super::qemu::{self, End, Finished, Limits};
use super::retry;
use crate::build::{Binaries, Programs};
use crate::interrupt::Interrupt;
use crate::kernels::cache::Slot;
use crate::kernels::install;
use crate::kernels::machine::{Files, Hardware};
use crate::kernels::select::Cell;
use crate::ktap::{Counts, Document, Outcome};
use crate::report::text::{cut, printable};
use crate::verdict::{self, Verdict};

/// Seconds to boot in, and those without a word from a kernel that boots, under emulation on a busy machine.
const BOOT: u64 = 90;

/// What all cells share.
pub struct Setting<'a> {
    /// The kernels' cache.
    pub cache: &'a Path,
    /// Where consoles and archives go.
    pub directory: &'a Path,
    /// The guest's CPUs and so on.
    pub hardware: &'a Hardware,
    /// What it runs.
    pub payload: &'a Payload,
    /// Seconds for all of it, instead of what its tests may take.
    pub timeout: Option<u64>,
    /// A kernel to take instead of the table's.
    pub image: Option<&'a Path>,
    /// How often a cell is booted again at most.
    pub retries: u32,
    /// Ctrl-C.
    pub interrupt: &'a Interrupt,
    /// Where its programs come from.
    pub programs: &'a dyn Programs,
}

/// A cell that has run, or why it has not.
#[derive(Debug, Serialize)]
pub struct Ran {
    /// The architecture, and what it ran on.
    pub row: String,
    /// The kernel's first two numbers.
    pub line: String,
    /// The kernel's whole release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The guest's CPUs.
    pub cpus: u32,
    /// What became of it.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The innermost results.
    #[serde(serialize_with = "crate::ktap::json::counts")]
    pub counts: Counts,
    /// Seconds from QEMU's start to the guest's first line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_seconds: Option<f64>,
    /// Seconds in all.
    pub seconds: f64,
    /// Boots before this one that were late.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
    /// The exit code of the program, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// What the guest's `init` had to say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The lines that the program printed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<String>,
    /// The console, where it is worth keeping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<PathBuf>,
    /// All results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ktap: Option<Document>,
}

/// A late boot that was followed by another.
#[derive(Debug, Serialize)]
pub struct Earlier {
    /// All that speaks against it.
    pub reasons: Vec<String>,
    /// Where its console is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console: Option<PathBuf>,
}

impl Ran {
    /// A cell that has no results.
    pub fn without_results(row: String, line: String, release: Option<String>, cpus: u32, verdict: Verdict) -> Self {
        Self {
            row,
            line,
            release,
            cpus,
            verdict,
            counts: Counts::default(),
            boot_seconds: None,
            seconds: 0.0,
            earlier: Vec::new(),
            code: None,
            notes: Vec::new(),
            output: Vec::new(),
            log: None,
            ktap: None,
        }
    }

    /// The reasons of results with this outcome, with how many there were.
    pub fn reasons(&self, outcome: Outcome) -> BTreeMap<String, usize> {
        let mut reasons = BTreeMap::new();
        if let Some(document) = &self.ktap {
            document.for_each(&mut |_, case| {
                if case.outcome == outcome {
                    *reasons.entry(case.reason.clone()).or_default() += 1;
                }
            });
        }
        reasons
    }
}

impl Setting<'_> {
    /// Why the cell cannot run here, if it cannot.
    pub fn lacks(&self, cell: &Cell) -> Option<String> {
        let machine = cell.on.machine;
        if let Some(why) = install::refuses(machine.qemu, install::qemu_major(machine.qemu)) {
            return Some(format!("{why}: cargo run --release -- fetch --arch {}", machine.name));
        }
        if let Some(message) = self.programs.lacks(&cell.target) {
            return Some(message);
        }
        if let Some(reason) = machine.refuses(self.hardware) {
            return Some(reason);
        }
        let here = self.image.is_some() || self.slot(cell).manifest().is_some();
        (!here).then(|| format!("its kernel is not here: {}", cell.on.command()))
    }

    fn slot(&self, cell: &Cell) -> Slot {
        Slot::new(self.cache, cell.on.machine.name, cell.on.line)
    }

    /// A cell that does not run.
    pub fn not_run(&self, cell: &Cell, verdict: Verdict) -> Ran {
        let release = self.slot(cell).manifest().map(|manifest| manifest.release).filter(|_| self.image.is_none());
        let cpus = cell.on.machine.cpus(self.hardware);
        Ran::without_results(cell.row(), cell.on.line.to_owned(), release, cpus, verdict)
    }

    /// Boots the cell's kernel with `binaries`.
    pub fn run(&self, cell: &Cell, binaries: &Binaries) -> Ran {
        match self.boot(cell, binaries) {
            Ok(ran) => ran,
            Err(message) => self.not_run(cell, Verdict::failed(message)),
        }
    }

    fn boot(&self, cell: &Cell, binaries: &Binaries) -> Result<Ran, String> {
        let fault = faults::of(cell).filter(|_| self.image.is_none());
        let payload = fault.map_or_else(|| self.payload.clone(), |fault| fault.plan(self.payload));
        let hotplugs = cell.on.machine.hotplugs(self.hardware);
        let payload = if hotplugs { payload } else { payload.replaced("--hotplug", "--hotplug-hangs") };
        let payload = match self.image {
            Some(_) => payload,
            None => payload.with("readonly_test", &["--expect", cell.on.machine.generation(cell.on.line)]),
        };
        if payload.is_empty() {
            return Ok(self.not_run(cell, Verdict::skipped(fault.map_or("no tests", |fault| fault.why))));
        }
        let once = |payload: &Payload| self.boot_once(cell, binaries, payload, fault);
        retry::until_in_time(self.retries, &payload, self.interrupt, &once)
    }

    fn boot_once(
        &self,
        cell: &Cell,
        binaries: &Binaries,
        payload: &Payload,
        fault: Option<&Fault>,
    ) -> Result<Ran, String> {
        let slot = self.slot(cell);
        let modules = (self.hardware.kvm && self.image.is_none()).then_some((&slot, cell.on.machine.modules));
        let limit = self.timeout.unwrap_or_else(|| BOOT + payload.limit(600));
        // All of them, for tests start others.
        let archive = payload.initramfs(&self.payload.binaries(), binaries, modules, limit)?;
        let (initramfs, log) = self.files(cell);
        fs::write(&initramfs, &archive).map_err(|error| format!("{}: {error}", initramfs.display()))?;
        let kernel = self.kernel(cell, &slot)?;
        let files = Files { kernel: &kernel, initramfs: &initramfs, length: archive.len() };
        let command = cell.on.machine.command(self.hardware, &files);
        let boot = BOOT.max(self.timeout.unwrap_or_default());
        let [total, boot, silent] = [limit, boot, self.silence(payload)].map(Duration::from_secs);
        let limits = Limits { total, boot, silent };
        let finished = qemu::run(command, &log, limits, self.interrupt)?;
        let ran = self.judged(cell, payload, finished, log, fault);
        if !ran.verdict.status.is_bad() {
            let _ = fs::remove_file(initramfs);
        }
        Ok(ran)
    }

    fn kernel(&self, cell: &Cell, slot: &Slot) -> Result<PathBuf, String> {
        if let Some(image) = self.image {
            return Ok(image.to_owned());
        }
        let manifest = slot.manifest().ok_or("its kernel is gone")?;
        let again = |damage: String| format!("{damage}: {} --refresh", cell.on.command());
        slot.verify(&manifest).map_err(again).map(|()| slot.kernel())
    }

    /// A test may be silent for as long as it may run.
    fn silence(&self, payload: &Payload) -> u64 {
        match payload {
            Payload::Suite(runs) => runs.iter().map(|run| run.timeout).max().unwrap_or_default() + 30,
            Payload::AsInit(_) | Payload::Program(..) => self.timeout.unwrap_or(600),
        }
    }

    fn files(&self, cell: &Cell) -> (PathBuf, PathBuf) {
        let file = |ending: &str| self.directory.join(format!("{}.{ending}", cell.slug()));
        (file("cpio"), file("log"))
    }

    fn judged(&self, cell: &Cell, payload: &Payload, finished: Finished, log: PathBuf, fault: Option<&Fault>) -> Ran {
        let Finished { end, mut console, booted, seconds } = finished;
        let (code, notes, output) =
            (console.code, std::mem::take(&mut console.notes), std::mem::take(&mut console.output));
        let last = cut(&printable(&console.last_words()), 160);
        let mut document = console.finish();
        if let Some(fault) = fault {
            fault.expect(self.payload, &mut document);
        }
        let own = code.filter(|_| matches!(self.payload, Payload::AsInit(_)));
        let mut verdict = verdict::guest(&end.ending(own), &document);
        if matches!(end, End::Silent(_) | End::TimedOut(_) | End::Gone(_)) && !last.is_empty() {
            verdict.explain(format!("its console ends with: {last}"));
        }
        if end == End::Done && self.image.is_none() && payload.lacks_second_pass(cell.on.line, &document) {
            verdict.fail("nothing ran again with rseq/debug on, which Linux has since 6.19");
        }
        let (ran, counts) = (self.not_run(cell, verdict), document.counts());
        Ran { counts, boot_seconds: booted, seconds, code, notes, output, log: Some(log), ktap: Some(document), ..ran }
    }
}
