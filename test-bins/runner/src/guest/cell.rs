//! One cell of the matrix: one kind of binaries on one kernel.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use fs_err as fs;

use super::asked;
use super::cell_result::{CellResult, KVM};
use super::faults::{self, Fault};
use super::payload::Payload;
use super::qemu::{self, End, Finished, Limits};
use super::retry;
use crate::build::{Binaries, Programs};
use crate::events::{Event, Reporters};
use crate::interrupt::Interrupt;
use crate::kernels::cache::{KERNEL, Manifest, Slot};
use crate::kernels::command::Files;
use crate::kernels::hardware::Hardware;
use crate::kernels::install;
use crate::kernels::select::Cell;
use crate::kernels::tree::Image;
use crate::text::{cut, printable};
use crate::verdict::{self, Verdict};

/// Seconds to boot in, and those without a word from a kernel that boots, under emulation on a busy machine.
const BOOT: u64 = 90;

/// What all cells share.
pub struct BootContext<'a> {
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
    pub image: Option<&'a Image>,
    /// How often a cell is booted again at most.
    pub retries: u32,
    /// Ctrl-C.
    pub interrupt: &'a Interrupt,
    /// Where its programs come from.
    pub programs: &'a dyn Programs,
    /// What hears of it.
    pub reporters: &'a Reporters,
}

/// What a cell runs, and the fault of its kernel that it reckons with.
struct Plan {
    payload: Payload,
    fault: Option<&'static Fault>,
}

/// A guest that has ended, and its files.
struct Booted {
    finished: Finished,
    initramfs: PathBuf,
    log: PathBuf,
}

impl BootContext<'_> {
    /// Why the cell cannot run here, if it cannot.
    pub fn unavailable_reason(&self, cell: &Cell) -> Option<String> {
        let machine = cell.on.machine;
        if let Some(why) = install::refuses(machine.qemu, install::qemu_major(machine.qemu)) {
            return Some(format!("{why}: cargo run --release -- fetch --arch {}", machine.name));
        }
        if let Some(message) = self.programs.unavailable_reason(&cell.target) {
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
    pub fn not_run(&self, cell: &Cell, verdict: Verdict) -> CellResult {
        let (machine, line) = (cell.on.machine, cell.on.line.to_owned());
        let result = CellResult::without_results(cell.row(), line, None, machine.cpus(self.hardware), verdict);
        let result = CellResult { accel: machine.is_accelerated(self.hardware).then_some(KVM), ..result };
        match (self.image, self.slot(cell).manifest()) {
            (Some(image), _) => result.with_release(image.release.clone()),
            (None, None) => result,
            (None, Some(Manifest { release, packages, mut files, .. })) => {
                CellResult { release: Some(release), packages, kernel_sha256: files.remove(KERNEL), ..result }
            }
        }
    }

    /// Plans what the cell runs, boots its kernel with it, and judges what came of that.
    pub fn run(&self, cell: &Cell, binaries: &Binaries) -> CellResult {
        let plan = self.plan(cell);
        if plan.payload.is_empty() {
            return self.not_run(cell, Verdict::skipped(plan.fault.map_or("no tests", |fault| fault.why)));
        }
        let once = |payload: &Payload| Ok(self.judge(cell, payload, plan.fault, self.boot(cell, payload, binaries)?));
        let result = retry::until_in_time(self.retries, &plan.payload, self.interrupt, &once);
        result.unwrap_or_else(|error| self.not_run(cell, Verdict::failed(format!("{error:#}"))))
    }

    fn plan(&self, cell: &Cell) -> Plan {
        let fault = faults::of(cell).filter(|_| self.image.is_none());
        let payload = fault.map_or_else(|| self.payload.clone(), |fault| fault.plan(self.payload));
        let hotplugs = cell.on.machine.hotplugs(self.hardware);
        let payload = if hotplugs { payload } else { payload.replaced("--hotplug", "--hotplug-hangs") };
        let payload = match self.image {
            Some(_) => payload,
            None => payload.with("readonly_test", &["--expect", cell.on.machine.generation(cell.on.line)]),
        };
        Plan { payload, fault }
    }

    fn boot(&self, cell: &Cell, payload: &Payload, binaries: &Binaries) -> anyhow::Result<Booted> {
        let slot = self.slot(cell);
        let with_modules = self.image.map_or(Some(&slot), |image| image.modules.as_ref());
        let modules = with_modules.filter(|_| self.hardware.kvm).map(|slot| (slot, cell.on.machine.modules));
        let limit = self.timeout.unwrap_or_else(|| BOOT + payload.limit(600));
        // All of them, for tests start others.
        let archive = payload.initramfs(&self.payload.binaries(), binaries, modules, limit)?;
        let (initramfs, log) = self.files(cell);
        fs::write(&initramfs, &archive)?;
        let kernel = self.kernel(cell, &slot)?;
        let files = Files { kernel: &kernel, initramfs: &initramfs, length: archive.len() };
        let command = cell.on.machine.command(self.hardware, &files);
        let boot = BOOT.max(self.timeout.unwrap_or_default());
        let [total, boot, silent] = [limit, boot, self.silence(payload)].map(Duration::from_secs);
        let name = cell.name();
        // What cannot be shown changes nothing for the guest.
        let progress = |elapsed, results| drop(self.reporters.tell(Event::Progress(&name, elapsed, results)));
        let finished = qemu::run(command, &log, Limits { total, boot, silent }, self.interrupt, &progress)?;
        Ok(Booted { finished, initramfs, log })
    }

    fn kernel(&self, cell: &Cell, slot: &Slot) -> anyhow::Result<PathBuf> {
        if let Some(image) = self.image {
            return Ok(image.kernel.clone());
        }
        let manifest = slot.manifest().context("its kernel is gone")?;
        let again = |damage| anyhow!("{damage:#}: {} --refresh", cell.on.command());
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

    fn judge(&self, cell: &Cell, payload: &Payload, fault: Option<&Fault>, booted: Booted) -> CellResult {
        let advice = booted.finished.advice();
        let Booted { finished: Finished { end, mut console, booted, seconds }, initramfs, log } = booted;
        let (code, notes, output) =
            (console.code, std::mem::take(&mut console.notes), std::mem::take(&mut console.output));
        let release = console.release.take();
        let last = cut(&printable(&console.last_words()), 160);
        let mut document = console.finish();
        let line = self.image.is_none().then_some(cell.on.line);
        let differences = asked::differences(payload, line, &document, code);
        if let Some(fault) = fault {
            fault.expect(self.payload, &mut document);
        }
        let own = code.filter(|_| matches!(self.payload, Payload::AsInit(_)));
        let mut verdict = verdict::guest(&end.ending(own), &document);
        if matches!(end, End::Silent(_) | End::TimedOut(_) | End::Gone(_)) && !last.is_empty() {
            verdict.explain(format!("its console ends with: {last}"));
        }
        advice.into_iter().for_each(|advice| verdict.explain(advice));
        if end == End::Done {
            differences.into_iter().for_each(|difference| verdict.fail(difference));
        }
        if !verdict.status.is_bad() {
            let _ = fs::remove_file(initramfs);
        }
        let (mut result, counts) = (self.not_run(cell, verdict), document.counts());
        if self.image.is_some() && release.is_some() {
            result = result.with_release(release);
        } else {
            result.release = release.or(result.release);
        }
        CellResult {
            counts,
            boot_seconds: booted,
            seconds,
            code,
            notes,
            output,
            log: Some(log),
            ktap: Some(document),
            ..result
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::console::Console;
    use super::*;
    use crate::build::check::Counts;
    use crate::kernels::machine::Target;
    use crate::kernels::select;
    use crate::scratch::Scratch;
    use crate::suite::SUITE;

    /// Programs that are never built.
    struct Unbuilt;

    impl Programs for Unbuilt {
        fn unavailable_reason(&self, _: &Target) -> Option<String> {
            None
        }

        fn build(&self, _: &Target) -> anyhow::Result<Binaries> {
            Ok(Binaries::new())
        }

        fn check(&self, _: &Binaries) -> anyhow::Result<Counts> {
            Ok(Counts::default())
        }
    }

    /// The verdict on a guest of x86_64 that was to run these tests and printed this.
    fn judged(tests: &[&str], end: End, printed: &str) -> Verdict {
        let scratch = Scratch::new().unwrap();
        let entries: Vec<_> = SUITE.iter().filter(|entry| tests.contains(&entry.name)).collect();
        let (payload, cell) = (Payload::suite(&entries), select::on_machine("x86_64", None).unwrap());
        let context = BootContext {
            cache: &scratch,
            directory: &scratch,
            hardware: &Hardware::default(),
            payload: &payload,
            timeout: None,
            image: Some(&Image::alone("kernel".as_ref())),
            retries: 0,
            interrupt: &Interrupt::default(),
            programs: &Unbuilt,
            reporters: &Reporters::default(),
        };
        let mut console = Console::default();
        console.feed(printed.as_bytes());
        let finished = Finished { end, console, booted: Some(1.0), seconds: 2.0 };
        let booted = Booted { finished, initramfs: scratch.join("cpio"), log: scratch.join("log") };
        context.judge(&cell, &payload, None, booted).verdict
    }

    #[test]
    fn a_guest_that_is_done_has_the_results_that_it_was_asked_for() {
        let nested = "  KTAP version 1\n  1..1\n  ok 1 a\n";
        let good = format!("KTAP version 1\n1..1\n{nested}ok 1 basic_test --short\n");
        assert_eq!(judged(&["basic_test"], End::Done, &good), Verdict::passed());
        let more = judged(&["basic_test", "step_test"], End::Done, &good);
        assert_eq!(more, Verdict::failed("no result of step_test --short, and of 1 more"));
        let empty = judged(&["basic_test"], End::Done, &good.replace(nested, ""));
        assert_eq!(empty, Verdict::failed("basic_test --short: pass, but it printed no results"));
        let cut_off = judged(&["basic_test", "step_test"], End::TimedOut(Duration::from_secs(9)), &good);
        assert_eq!(cut_off.reasons[0], "not done after 9 s: ended");
        assert_eq!(cut_off.status, verdict::Status::TimedOut, "{cut_off:?}");
    }
}
