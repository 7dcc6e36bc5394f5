//! What rseq(2) returns, row by row, as `kernel/rseq.c` decides it.
//!
//! Each row runs in a separate child, whose inherited registration is released first. What to expect follows from the
//! auxiliary vector and from two probes: whether the kernel touches the area during the call, and whether it knows the
//! flag for time slices.
#![no_std]
#![no_main]

use core::fmt;

use harness::args;
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::registration::{self, Registered};
use harness::sys::memory::Mapping;
use harness::sys::process::{self, Ending};
use harness::sys::time::SECOND;
use harness::taint::has_oopsed;
use harness::{ensure, expected, fail, note, program, require, tests};
use linux_raw_sys::general::SIGSEGV;
use rseq_core::percpu::PossibleCpus;
use rseq_core::sys::{Errno, rseq_raw};
use rseq_core::{KernelRseq, abi, arch};
use rseq_rt::process::ExitCode;

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

/// The arguments of one call, relative to the row's area.
#[derive(Clone, Copy)]
struct Call {
    /// Bytes from the area's start; [`NULL`], [`UNMAPPED`] and [`KERNEL`] are addresses instead.
    at: usize,
    length: u32,
    flags: u32,
    signature: u32,
}

const NULL: usize = usize::MAX;
const UNMAPPED: usize = usize::MAX - 1;
const KERNEL: usize = usize::MAX - 2;
/// An address that no kernel lets a process have.
const KERNEL_ADDRESS: usize = usize::MAX - 4095;

/// What a row expects.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Success,
    Error(Errno),
    Death,
    /// The kernel itself fails, so it is not asked again.
    Oops,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("success"),
            Self::Error(errno) => errno.fmt(f),
            Self::Death => f.write_str("death by SIGSEGV"),
            Self::Oops => f.write_str("an oops of the kernel"),
        }
    }
}

/// What decides between the expectations, found out once.
struct Era {
    kernel: KernelRseq,
    /// Whether registering already writes the area (6.17 and stable kernels after it; before, returning to user space
    /// does).
    writes_at_once: bool,
    /// Whether the kernel oopses when it reads an area that is not mapped: 6.12.95 does on mips64 (malta), in
    /// `rseq_get_rseq_cs_ptr_val`, where KASLR has moved it.
    oopses: bool,
    /// Whether RSEQ_FLAG_SLICE_EXT_DEFAULT_ON is known (7.0).
    slice_flag: bool,
}

/// What a row's thread has done before the call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// It has registered 32 bytes at the area's start.
    Registered,
    /// It has registered them and released them.
    Released,
}

struct Row {
    name: &'static str,
    before: Before,
    call: Call,
    expected: fn(&Era, &Call) -> Expected,
}

const SIG: u32 = arch::SIGNATURE;
const GOOD: Call = Call { at: 0, length: 32, flags: 0, signature: SIG };
const GONE: Call = Call { flags: abi::FLAG_UNREGISTER, ..GOOD };

const fn invalid(_: &Era, _: &Call) -> Expected {
    Expected::Error(Errno::EINVAL)
}

const fn denied(_: &Era, _: &Call) -> Expected {
    Expected::Error(Errno::EPERM)
}

const fn busy(_: &Era, _: &Call) -> Expected {
    Expected::Error(Errno::EBUSY)
}

const fn success(_: &Era, _: &Call) -> Expected {
    Expected::Success
}

const fn fault(_: &Era, _: &Call) -> Expected {
    Expected::Error(Errno::EFAULT)
}

/// A registration that nothing forbids but its length and its address.
fn by_size(era: &Era, call: &Call) -> Expected {
    let aligned = |align: u32| call.at.is_multiple_of(align as usize);
    let accepted = match call.length {
        abi::ORIGINAL_SIZE => aligned(abi::ORIGINAL_ALIGN),
        length if length > abi::ORIGINAL_SIZE => {
            era.kernel.has_feature_size()
                && length >= era.kernel.active_size()
                && aligned(era.kernel.registration_align())
        }
        _ => false,
    };
    if accepted { Expected::Success } else { Expected::Error(Errno::EINVAL) }
}

/// Memory that is not mapped: an error at once, or a signal on the way back to user space.
fn unmapped(era: &Era, _: &Call) -> Expected {
    match era {
        Era { oopses: true, .. } => Expected::Oops,
        Era { writes_at_once: true, .. } => Expected::Error(Errno::EFAULT),
        _ => Expected::Death,
    }
}

/// Address 0: a kernel that does not write it takes it for "no registration".
fn null(era: &Era, _: &Call) -> Expected {
    match era {
        Era { oopses: true, .. } => Expected::Oops,
        Era { writes_at_once: true, .. } => Expected::Error(Errno::EFAULT),
        _ => Expected::Success,
    }
}

fn slice_flag(era: &Era, _: &Call) -> Expected {
    if era.slice_flag { Expected::Success } else { Expected::Error(Errno::EINVAL) }
}

const fn row(name: &'static str, before: Before, call: Call, expected: fn(&Era, &Call) -> Expected) -> Row {
    Row { name, before, call, expected }
}

const fn length(length: u32) -> Call {
    Call { length, ..GOOD }
}

const fn at(at: usize) -> Call {
    Call { at, ..GOOD }
}

const ROWS: [Row; 40] = [
    row("register 32 bytes", Before::Nothing, GOOD, success),
    row("register 0 bytes", Before::Nothing, length(0), by_size),
    row("register 20 bytes", Before::Nothing, length(20), by_size),
    row("register 28 bytes", Before::Nothing, length(28), by_size),
    row("register 31 bytes", Before::Nothing, length(31), by_size),
    row("register 33 bytes", Before::Nothing, length(33), by_size),
    row("register 63 bytes", Before::Nothing, length(63), by_size),
    row("register 64 bytes", Before::Nothing, length(64), by_size),
    row("register 4096 bytes", Before::Nothing, length(4096), by_size),
    row("register at 4 bytes into the area", Before::Nothing, at(4), by_size),
    row("register at 16 bytes into the area", Before::Nothing, at(16), by_size),
    row("register at 32 bytes into the area", Before::Nothing, at(32), by_size),
    row("register 64 bytes, aligned to 32 only", Before::Nothing, Call { length: 64, ..at(32) }, by_size),
    row("register 64 bytes, aligned to 16 only", Before::Nothing, Call { length: 64, ..at(16) }, by_size),
    row("register at a kernel address", Before::Nothing, at(KERNEL), fault),
    row("register unmapped memory", Before::Nothing, at(UNMAPPED), unmapped),
    row("register address 0", Before::Nothing, at(NULL), null),
    row("register with an unknown flag", Before::Nothing, Call { flags: 1 << 7, ..GOOD }, invalid),
    row("register with the highest flag", Before::Nothing, Call { flags: 1 << 31, ..GOOD }, invalid),
    row(
        "register with the time slice flag",
        Before::Nothing,
        Call { flags: abi::FLAG_SLICE_EXT_DEFAULT_ON, ..GOOD },
        slice_flag,
    ),
    row("register with signature 0", Before::Nothing, Call { signature: 0, ..GOOD }, success),
    row("unregister without a registration", Before::Nothing, GONE, invalid),
    row("unregister address 0 without a registration", Before::Nothing, Call { at: NULL, ..GONE }, invalid),
    row("register again", Before::Registered, GOOD, busy),
    row("register again, another address", Before::Registered, at(64), invalid),
    row("register again, a misaligned address", Before::Registered, at(4), invalid),
    row("register again, 64 bytes", Before::Registered, length(64), invalid),
    row("register again, 31 bytes", Before::Registered, length(31), invalid),
    row("register again, another signature", Before::Registered, Call { signature: !SIG, ..GOOD }, denied),
    row(
        "register again, another address and signature",
        Before::Registered,
        Call { signature: !SIG, ..at(64) },
        invalid,
    ),
    row("register again, an unknown flag", Before::Registered, Call { flags: 1 << 7, ..GOOD }, invalid),
    row("unregister", Before::Registered, GONE, success),
    row("unregister, another address", Before::Registered, Call { at: 64, ..GONE }, invalid),
    row("unregister, address 0", Before::Registered, Call { at: NULL, ..GONE }, invalid),
    row("unregister, 64 bytes", Before::Registered, Call { length: 64, ..GONE }, invalid),
    row("unregister, 31 bytes", Before::Registered, Call { length: 31, ..GONE }, invalid),
    row("unregister, another signature", Before::Registered, Call { signature: !SIG, ..GONE }, denied),
    row(
        "unregister with another flag too",
        Before::Registered,
        Call { flags: abi::FLAG_UNREGISTER | 1 << 7, ..GONE },
        invalid,
    ),
    row("unregister twice", Before::Released, GONE, invalid),
    row("register after unregistering", Before::Released, GOOD, success),
];

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
