//! What rseq(2) returns, row by row, as `kernel/rseq.c` decides it.
//!
//! Each row runs in a separate child, whose inherited registration is released first. What to expect follows from the
//! auxiliary vector and from two probes: whether the kernel touches the area during the call, and whether it knows the
//! flag for time slices.
#![no_std]
#![no_main]

mod calls;

use harness::args;
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::registration::{self, Registered};
use harness::sys::filesystem::Filesystem;
use harness::sys::memory::{KERNEL_ADDRESS, Mapping};
use harness::sys::process::{self, Ending};
use harness::sys::time::SECOND;
use harness::{ensure, expected, fail, note, program, require, tests};
use linux_raw_sys::general::{O_RDONLY, SIGSEGV};
use rseq_core::abi;
use rseq_core::percpu::PossibleCpus;
use rseq_core::sys::{Errno, rseq_raw};
use rseq_rt::process::ExitCode;

use calls::{Before, Call, Era, Expected, GONE, GOOD, KERNEL, NULL, ROWS, Row, UNMAPPED};

rseq_rt::entry!(main);

const USAGE: &str = "syscall_errors_test: what rseq(2) returns, row by row\n\
usage: syscall_errors_test [--short]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

/// The exit code of a child whose preparations failed.
const UNPREPARED: u8 = 255;
const PAGE: usize = 64 << 10;

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    args::only_short(USAGE);
    require!(registration::token());
    let era = require!(Era::probe());
    era.report();
    tests! {
        suite * ROWS.len() as u32 => ROWS.iter().for_each(|row| suite.test(row.name, &mut || row.check(&era))),
        "a registration fills the area" => fills_the_area(),
        "an unregistration takes the IDs back" => takes_ids_back(&era),
    }
}

impl Era {
    fn probe() -> Result<Self, Unmet> {
        let had_oopsed = has_oopsed();
        let dies =
            |at: usize| in_child(Before::Nothing, &Call { at, ..GOOD }).map(|how| how == Ending::Killed(SIGSEGV));
        let killed = dies(UNMAPPED)?;
        Ok(Self {
            kernel: rseq_rt::kernel(),
            writes_at_once: !killed,
            // A kernel that had oopsed before is known by address 0, which kills on no kernel that works.
            oopses: killed && has_oopsed() && (!had_oopsed || dies(NULL)?),
            is_compat: cfg!(target_pointer_width = "32")
                && process::kernel_name().is_some_and(|name| ["x86_64", "aarch64"].contains(&name.machine())),
            slice_flag: rseq_rt::kernel().active_size() > abi::ORIGINAL_SIZE,
        })
    }

    fn report(&self) {
        let (size, align) = (self.kernel.active_size(), self.kernel.registration_align());
        note!("feature size {size}, alignment {align}");
        note!("writes the area during the call: {}", self.writes_at_once);
        if self.oopses {
            note!("oopses when the area is not mapped");
        }
        note!("knows the time slice flag: {}", self.slice_flag);
    }
}

/// `TAINT_DIE` of `/proc/sys/kernel/tainted` (Documentation/admin-guide/tainted-kernels.rst).
const DIED: u64 = 1 << 7;

/// Whether this kernel has oopsed since it booted; `false` if that cannot be known.
fn has_oopsed() -> bool {
    let mut text = [0; 24];
    let proc = Filesystem::of_type(c"proc").and_then(|proc| proc.open(c"sys/kernel/tainted", O_RDONLY));
    let read = proc.and_then(|file| file.read(&mut text).map(<[u8]>::len)).unwrap_or(0);
    let digits = core::str::from_utf8(&text[..read]).unwrap_or_default();
    digits.trim_ascii().parse::<u64>().is_ok_and(|flags| flags & DIED != 0)
}

impl Row {
    fn check(&self, era: &Era) -> Verdict {
        let expected = (self.expected)(era, &self.call);
        if expected == Expected::Oops {
            return Err(expected!("{expected}, which is not tried again"));
        }
        let ending = in_child(self.before, &self.call)?;
        let found = match ending {
            Ending::Exited(0) => Expected::Success,
            Ending::Exited(UNPREPARED) => return Err(fail!("the child could not prepare the call")),
            Ending::Exited(errno) => Expected::Error(Errno(errno.into())),
            Ending::Killed(SIGSEGV) => Expected::Death,
            other => return Err(fail!("{other}, expected {expected}")),
        };
        ensure!(found == expected, "{found}, expected {expected}");
        Ok(())
    }
}

/// Makes the call in a child; its exit code is the error number, which fits a byte on every architecture.
fn in_child(before: Before, call: &Call) -> Result<Ending, Unmet> {
    let inherited = Registered::by_runtime()?;
    let memory = Mapping::private(2 * PAGE).or_fail("memory for an area")?;
    process::in_child(10 * SECOND, &mut || {
        // SAFETY: this child runs the lines below and exits; no section is among them.
        let released = unsafe { inherited.release() };
        if released.is_err() || !prepare(before, memory.address()) {
            return UNPREPARED;
        }
        code(make(call, memory.address()))
    })
    .or_fail("fork")
}

fn prepare(before: Before, area: usize) -> bool {
    let registered = before == Before::Nothing || make(&GOOD, area).is_ok();
    registered && (before != Before::Released || make(&GONE, area).is_ok())
}

fn make(call: &Call, area: usize) -> Result<(), Errno> {
    let address = match call.at {
        NULL => 0,
        UNMAPPED => unmapped_address(),
        KERNEL => KERNEL_ADDRESS,
        offset => area + offset,
    };
    // SAFETY: the area's pages outlive this child's registration; other addresses are no memory of this program.
    unsafe { rseq_raw(address, call.length, call.flags, call.signature) }
}

/// Pages that were there and are gone: nothing maps anything between this and the call.
fn unmapped_address() -> usize {
    Mapping::private(PAGE).map_or(KERNEL_ADDRESS, |mapping| mapping.address())
}

fn code(result: Result<(), Errno>) -> u8 {
    match result {
        Ok(()) => 0,
        Err(errno) => u8::try_from(errno.0).unwrap_or(UNPREPARED - 1),
    }
}

fn area_in_child(check: &mut dyn FnMut(*mut abi::Rseq) -> bool) -> Verdict {
    let inherited = Registered::by_runtime()?;
    let memory = Mapping::private(PAGE).or_fail("memory for an area")?;
    let ending = process::in_child(10 * SECOND, &mut || {
        // SAFETY: this child runs the lines below and exits; no section is among them.
        let prepared = unsafe { inherited.release() }.is_ok() && make(&GOOD, memory.address()).is_ok();
        if !prepared {
            return UNPREPARED;
        }
        u8::from(!check(memory.address() as *mut abi::Rseq))
    })
    .or_fail("fork")?;
    ensure!(ending == Ending::Exited(0), "the child: {ending}");
    Ok(())
}

fn fills_the_area() -> Verdict {
    area_in_child(&mut |area| {
        // SAFETY: the registered area; volatile, for the kernel writes it.
        let (start, cpu) =
            unsafe { ((&raw const (*area).cpu_id_start).read_volatile(), (&raw const (*area).cpu_id).read_volatile()) };
        let slots = PossibleCpus::read().map_or(0, |possible| possible.slots_by_cpu() as u32);
        start < slots && cpu < slots
    })
}

fn takes_ids_back(era: &Era) -> Verdict {
    let has_mm_cid = era.kernel.active_size() >= 28;
    area_in_child(&mut |area| {
        let released = make(&GONE, area as usize).is_ok();
        // SAFETY: still mapped; volatile, for the kernel wrote it.
        let (start, cpu, mm_cid) = unsafe {
            (
                (&raw const (*area).cpu_id_start).read_volatile(),
                (&raw const (*area).cpu_id).read_volatile(),
                (&raw const (*area).mm_cid).read_volatile(),
            )
        };
        // Linux 6.19 alone leaves -1 in cpu_id_start.
        let start_is_free = start == 0 || start == abi::CPU_ID_UNINITIALIZED;
        released && start_is_free && cpu == abi::CPU_ID_UNINITIALIZED && (!has_mm_cid || mm_cid == 0)
    })
}
