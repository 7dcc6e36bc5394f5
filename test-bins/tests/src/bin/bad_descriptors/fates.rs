//! What to expect of each wrong descriptor after each type of entry, and which function of the kernel says so.

use core::fmt;

use harness::generation::Generation;
use harness::sys::memory::{self, Mapping};
use rseq_core::abi::RseqCs;

/// The address of the kernel in the words of a descriptor, which have 64 bits for 32-bit processes too.
const KERNEL_ADDRESS: u64 = memory::KERNEL_ADDRESS.cast_signed() as u64;

/// The fate of the child.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// SIGSEGV.
    Dies,
    /// It is aborted like from a good descriptor.
    Aborts,
    /// The kernel takes no notice of the section.
    Unnoticed,
    /// The kernel finds the IP outside, and clears the area's word.
    Clears,
    /// The kernel does not look at it: the area's word stays.
    Untouched,
    /// Nothing that could be tested, for this reason.
    Undefined(&'static str),
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dies => "SIGSEGV",
            Self::Aborts => "aborts as if it were good",
            Self::Unnoticed => "no abort",
            Self::Clears => "cleared, as the IP is outside",
            Self::Untouched => "not looked at",
            Self::Undefined(why) => why,
        })
    }
}

/// Which checks the kernel makes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Checks {
    /// All of them, whenever it looks at a descriptor (up to 6.18).
    Always,
    /// Those that security needs (6.19 and later).
    Few,
    /// All of them, and no system call inside (the same kernels, with rseq debugging on).
    All,
}

/// What is wrong.
#[derive(Clone, Copy)]
pub enum Fault {
    /// Nothing: the control.
    None,
    /// The registration has another signature.
    Signature,
    /// A field of the descriptor.
    Field(fn(&mut RseqCs)),
    /// The descriptor's address.
    Address(fn() -> u64),
    /// A system call while the IP is inside.
    SystemCall,
}

pub struct Row {
    pub name: &'static str,
    /// The function that decides, up to 6.18; and since.
    pub source: Source,
    pub fault: Fault,
    /// With [`Checks::Always`], [`Checks::Few`], [`Checks::All`], after an interrupt inside.
    pub fates: [Fate; 3],
    /// The first of them before Linux 6.0, where flags chose the events that restart a section.
    pub before_6_0: Option<Fate>,
    /// The same, where the kernel looks on the way back from a system call outside.
    pub outside: [Fate; 3],
}

/// When the kernel looks at the descriptor, and the function that says so (`include/linux/rseq.h`, `rseq_entry.h`).
pub enum Look {
    /// After each switch to another thread, whatever the entry: `rseq_preempt` up to 6.18, then
    /// `rseq_sched_switch_event` where `rseq_update_usr` has no CONFIG_GENERIC_IRQ_ENTRY.
    Switched,
    /// After interrupts from user mode alone, for registrations of either length: `rseq_update_usr` with `user_irq`
    /// unset.
    Interrupted,
    /// After each system call: `rseq_debug_syscall_return`.
    Called,
    /// See [`Undefined`].
    Unknown(&'static str),
}

impl Look {
    /// That of system calls.
    pub fn of(checks: Checks, generation: Generation) -> Self {
        match (checks, generation) {
            (Checks::Always, _) | (Checks::Few, Generation::Legacy) => Self::Switched,
            (Checks::Few, Generation::Optimised | Generation::V2) => Self::Interrupted,
            (Checks::Few, Generation::Debugged) => Self::Unknown("rseq debugging cannot be switched off"),
            (Checks::All, _) if CHECKED_CALL == Dies => Self::Called,
            (Checks::All, _) => Self::Unknown(UNKNOWN_ENTRY),
        }
    }
}

/// A function of `kernel/rseq.c` (6.1.192, 6.12.117), and of `include/linux/rseq_entry.h` (7.2).
type Source = [&'static str; 2];

/// Reads what the area points to, even if the thread is not inside the section.
const FETCH: Source = ["rseq_get_rseq_cs", "rseq_update_user_cs, rseq_debug_update_user_cs"];
/// Looks at flags with the IP inside only.
const FLAGS: Source = ["rseq_need_restart", "rseq_debug_update_user_cs"];
/// Compares the IP.
pub const INSIDE: Source = ["in_rseq_cs", "rseq_update_user_cs"];
/// Looks at system calls, with CONFIG_DEBUG_RSEQ or rseq debugging.
const CALL: Source = ["rseq_syscall", "rseq_debug_syscall_return"];

const fn row(name: &'static str, source: Source, fault: Fault, fates: [Fate; 3]) -> Row {
    Row { name, source, fault, fates, before_6_0: None, outside: [Clears; 3] }
}

/// A row of a flag that does not keep signals from restarting a section before Linux 6.0.
const fn flag(row: Row) -> Row {
    Row { before_6_0: Some(Aborts), ..row }
}

/// A row of what is found wrong outside too, with these fates there.
const fn seen(outside: [Fate; 3], row: Row) -> Row {
    Row { outside, ..row }
}

use Fate::{Aborts, Clears, Dies, Undefined, Unnoticed};

/// A system call inside: checked where the architecture has had the generic entry code since 6.19.
const CHECKED_CALL: Fate = if cfg!(any(
    target_arch = "x86_64",
    target_arch = "x86",
    target_arch = "riscv64",
    target_arch = "s390x",
    target_arch = "loongarch64"
)) {
    Dies
} else {
    Undefined(UNKNOWN_ENTRY)
};

const UNKNOWN_ENTRY: &str = "whether system calls are checked depends on the kernel's entry code";

/// The IP decides first since 6.19 (`rseq_update_user_cs`, `rseq_debug_update_user_cs`), last before
/// (`rseq_get_rseq_cs`).
const EARLY: [Fate; 3] = [Dies, Clears, Clears];

/// Written from the sources of 6.19 and 7.2 before any of them was tried; the first column was compared with 6.1 and
/// 6.12.
pub const ROWS: [Row; 15] = [
    row("a good descriptor", INSIDE, Fault::None, [Aborts; 3]),
    seen(EARLY, row("another signature", FETCH, Fault::Signature, [Dies; 3])),
    seen(EARLY, row("abort_ip inside the section", FETCH, Fault::Field(|cs| cs.abort_ip = cs.start_ip + 4), [Dies; 3])),
    seen(EARLY, row("abort_ip 0", FETCH, Fault::Field(|cs| cs.abort_ip = 0), [Dies; 3])),
    seen(EARLY, row("abort_ip in the kernel", FETCH, Fault::Field(|cs| cs.abort_ip = KERNEL_ADDRESS), [Dies; 3])),
    seen(
        [Dies, Clears, Dies],
        row("start_ip in the kernel", FETCH, Fault::Field(|cs| cs.start_ip = KERNEL_ADDRESS), [Dies, Unnoticed, Dies]),
    ),
    seen(
        [Dies, Undefined(BEHIND), Undefined(BEHIND)],
        row(
            "an end in the kernel",
            FETCH,
            Fault::Field(|cs| cs.post_commit_offset = KERNEL_ADDRESS - cs.start_ip),
            [Dies, Undefined("unchecked, everything after the start is inside, and an abort may come anywhere"), Dies],
        ),
    ),
    row("an empty section", INSIDE, Fault::Field(|cs| cs.post_commit_offset = 0), [Unnoticed; 3]),
    seen(EARLY, row("version 1", FETCH, Fault::Field(|cs| cs.version = 1), [Dies, Aborts, Dies])),
    flag(row("flag NO_RESTART_ON_PREEMPT", FLAGS, Fault::Field(|cs| cs.flags = 1 << 0), [Dies, Aborts, Dies])),
    row("flag NO_RESTART_ON_SIGNAL", FLAGS, Fault::Field(|cs| cs.flags = 1 << 1), [Dies, Aborts, Dies]),
    flag(row("flag NO_RESTART_ON_MIGRATE", FLAGS, Fault::Field(|cs| cs.flags = 1 << 2), [Dies, Aborts, Dies])),
    flag(row("an unknown flag", FLAGS, Fault::Field(|cs| cs.flags = 1 << 31), [Dies, Aborts, Dies])),
    seen([Dies; 3], row("an unmapped descriptor", FETCH, Fault::Address(unmapped), [Dies; 3])),
    row("a system call inside", CALL, Fault::SystemCall, [Unnoticed, Unnoticed, CHECKED_CALL]),
];

const BEHIND: &str = "whether the call is inside then depends on where the linker put it";

/// Pages that were there and are gone.
fn unmapped() -> u64 {
    Mapping::private(64 << 10).map_or(KERNEL_ADDRESS, |mapping| mapping.address() as u64)
}
