//! What a uprobe does to the section that it is in, and that it does no harm after one.
#![no_std]
#![no_main]

use core::ffi::CStr;

use harness::index::ByCpu;
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::linked;
use harness::options::Options;
use harness::sys::filesystem::Filesystem;
use harness::sys::perf::Counter;
use harness::trial::{self, Section};
use harness::{ensure, expected, fail, load_usage, note, program, registration, require, skip, tests};
use linux_raw_sys::auxvec::AT_EXECFN;
use linux_raw_sys::elf::{Elf_Ehdr, Elf_Phdr, PT_LOAD};
use rseq_core::abi::RseqCs;
use rseq_core::sys::Errno;
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

/// At least as many as this program has sections of functions that it calls.
const MOST: usize = 8;

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let options = Options::read(load_usage!("uprobe_test", "uprobes in sections, and after them"));
    require!(registration::token());
    tests! {
        "without a probe, sections keep every count" => is_exact(&options),
        "probes after sections: they keep every count" => after(&options),
        "probes in sections: they keep every count" => inside(&options),
    }
}

fn is_exact(options: &Options) -> Verdict {
    let trial = trial::run::<ByCpu>(options, &Section::here(true), false)?;
    trial.report("without a probe");
    trial.is_exact()
}

fn after(options: &Options) -> Verdict {
    let probes = Probes::set(&|section| section.start_ip.wrapping_add(section.post_commit_offset))?;
    let trial = trial::run::<ByCpu>(options, &Section::here(true), false)?;
    trial.report("after");
    probes.were_hit()?;
    trial.is_exact()
}

/// The kernel runs the instruction under a probe in a separate page (`kernel/events/uprobes.c`), and looks at the
/// thread on its way back: it finds it outside of the section, and takes the section for left. On powerpc it emulates
/// the instruction, which leaves the section whole, but 6.1 loses the index that it loads.
fn inside(options: &Options) -> Verdict {
    let probes = Probes::set(&|section| section.start_ip)?;
    let trial = trial::run::<ByCpu>(options, &Section::here(true), true)?;
    trial.report("inside");
    probes.were_hit()?;
    if cfg!(target_arch = "powerpc64") && trial.misread > 0 {
        return Err(expected!(
            "the kernel loses what a probed instruction loads: {} sections had no slot",
            trial.misread
        ));
    }
    trial.found_slots()?;
    match trial.lost() {
        0 => trial.is_exact(),
        lost => Err(expected!("{lost} of {} counts are lost: the kernel takes a probed section for left", trial.added)),
    }
}

/// Probes at one instruction of each section of this program, where the kernel can run that one in another place.
struct Probes([Option<Counter>; MOST]);

impl Probes {
    fn set(at: &dyn Fn(&RseqCs) -> u64) -> Result<Self, Unmet> {
        let kind = kind()?;
        let file = rseq_rt::env::auxv(AT_EXECFN as usize).ok_or_else(|| skip!("the kernel names no program"))?;
        // SAFETY: AT_EXECFN is the address of the path that this program was executed by, NUL-terminated, on the
        // initial stack.
        let file = unsafe { CStr::from_ptr(file as *const _) };
        let mut probes = [const { None }; MOST];
        // Without fat LTO there are those of functions that nothing calls too. The kernel takes 0.5 s to remove one.
        let count = linked::descriptors().len();
        ensure!(env!("TEST_BINS_PROFILE") != "suite" || count <= MOST, "{count} sections, more than {MOST}");
        if count > MOST {
            return Err(skip!("only the profile suite leaves out sections of functions that nothing calls"));
        }
        for (probe, section) in probes.iter_mut().zip(linked::descriptors()) {
            let offset = offset(at(section)).ok_or_else(|| fail!("a section is in no segment"))?;
            *probe = match Counter::probe(kind, file, offset) {
                Ok(probe) => Some(probe),
                Err(Errno::ENOTSUPP) => None,
                Err(error) => return Err(skip!("this kernel sets no uprobe in {file:?}: {error}")),
            };
        }
        Ok(Self(probes))
    }

    fn were_hit(&self) -> Verdict {
        let mut hits = 0;
        for probe in self.0.iter().flatten() {
            hits += probe.read().or_fail("the count of a probe")?;
        }
        note!("the probes were hit {hits} times");
        ensure!(hits > 0 || !self.are_all_set(), "no probe was hit");
        if hits == 0 {
            return Err(skip!("this kernel sets no uprobe at an instruction there"));
        }
        Ok(())
    }

    fn are_all_set(&self) -> bool {
        self.0.iter().flatten().count() == linked::descriptors().len()
    }
}

/// The kind of event that a uprobe is.
fn kind() -> Result<u32, Unmet> {
    let refused = |error| skip!("this kernel has no uprobes for perf_event_open: {error}");
    let sysfs = Filesystem::of_type(c"sysfs").map_err(refused)?;
    let file = sysfs.open(c"bus/event_source/devices/uprobe/type", 0).map_err(refused)?;
    let mut text = [0; 16];
    let text = file.read(&mut text).or_fail("reading the kind of uprobes")?;
    let text = core::str::from_utf8(text).unwrap_or("").trim();
    text.parse().map_err(|_| fail!("the kind of uprobes is {text:?}"))
}

/// The byte of the program's file that is mapped at this address.
fn offset(address: u64) -> Option<u64> {
    unsafe extern "C" {
        static __ehdr_start: Elf_Ehdr;
    }
    let header = &raw const __ehdr_start;
    // SAFETY: the linker sets it at the file's header, which the first segment maps, with the program headers.
    let headers = unsafe {
        let (at, count) = ((*header).e_phoff, (*header).e_phnum as usize);
        core::slice::from_raw_parts(header.cast::<u8>().add(at).cast::<Elf_Phdr>(), count)
    };
    let segments = || headers.iter().filter(|header| header.p_type == PT_LOAD);
    let first = segments().find(|segment| segment.p_offset == 0)?;
    let bias = (header as u64).wrapping_sub(first.p_vaddr as u64);
    let address = address.wrapping_sub(bias);
    let segment = segments().find(|s| address.wrapping_sub(s.p_vaddr as u64) < s.p_filesz as u64)?;
    Some(address - segment.p_vaddr as u64 + segment.p_offset as u64)
}
