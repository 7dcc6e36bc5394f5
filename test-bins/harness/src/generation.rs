//! How this kernel treats a registration, found by experiment: legacy, optimised, or V2.
//!
//! A child overwrites its `cpu_id_start` and sleeps. Legacy registrations get it back after every context switch;
//! optimised ones only when an ID changes. V2 kernels treat the two lengths differently (Linux 7.1, and 7.0 stable).

use linux_raw_sys::general::SIGSEGV;
use rseq_core::sys::{Errno, rseq_raw};
use rseq_core::{abi, arch};

use crate::debug::Debugging;
use crate::ktap::{OrFail, Unmet};
use crate::registration::Registered;
use crate::sys::cpu::{self, Set};
use crate::sys::memory::Mapping;
use crate::sys::process::{self, Ending};
use crate::sys::time::{SECOND, sleep_away};

/// What happens to an overwritten `cpu_id_start`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rewrite {
    /// The next context switch restores it.
    Always,
    /// It stays until an ID changes.
    OnChange,
    /// The kernel killed the child: it validates even this registration (rseq debugging is on).
    Fatal,
}

/// How a kernel treats its registrations.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// Every registration is updated at every context switch (up to 6.18, and where V2 is not available).
    Legacy,
    /// Every registration is updated on change (6.19 and early 7.0).
    Optimised,
    /// Long registrations are V2, 32-byte ones are legacy.
    V2,
    /// rseq debugging hides the difference.
    Debugged,
}

impl Generation {
    /// The generation of the running kernel.
    pub fn probe() -> Result<Self, Unmet> {
        // Sleeping may not make the kernel check, so its switch is read first.
        if Debugging::open().and_then(|switch| switch.is_on()) == Ok(true) {
            return Ok(Self::Debugged);
        }
        let kernel = rseq_rt::kernel();
        let short = rewrite(abi::ORIGINAL_SIZE)?;
        let long = match kernel.registration_len() {
            abi::ORIGINAL_SIZE => short,
            length => rewrite(length)?,
        };
        Ok(match (short, long) {
            (Rewrite::Fatal, _) | (_, Rewrite::Fatal) => Self::Debugged,
            (Rewrite::Always, Rewrite::OnChange) => Self::V2,
            (Rewrite::OnChange, _) => Self::Optimised,
            (Rewrite::Always, Rewrite::Always) => Self::Legacy,
        })
    }

    /// The generation with this name; a kernel cannot be [`Generation::Debugged`].
    pub fn called(name: &str) -> Option<Self> {
        [Self::Legacy, Self::Optimised, Self::V2].into_iter().find(|generation| generation.name() == name)
    }

    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Optimised => "optimised",
            Self::V2 => "v2",
            Self::Debugged => "unknown (rseq debugging is on)",
        }
    }
}

/// What this kernel does with a registration of `length` bytes. One case of an update on change is enough: a
/// concurrency ID that changes at the same time also restores the field, or is fatal.
pub fn rewrite(length: u32) -> Result<Rewrite, Unmet> {
    let mut found = rewrite_once(length)?;
    for _ in 0..4 {
        if found != Rewrite::OnChange {
            found = rewrite_once(length)?;
        }
    }
    Ok(found)
}

fn rewrite_once(length: u32) -> Result<Rewrite, Unmet> {
    const RESTORED: u8 = 0;
    const KEPT: u8 = 1;
    match in_registered_child(length, 10 * SECOND, &mut |area| {
        // A move would change an ID, which is more than a context switch.
        let pinned = rseq_core::sys::getcpu().and_then(|here| cpu::set_affinity(0, &Set::only(here.cpu)));
        if pinned.is_err() {
            return UNREGISTERED;
        }
        let field = area.cast::<u32>();
        // SAFETY: the first word of the child's registered area, which the kernel and this thread write.
        let wrong = unsafe { field.read_volatile() } ^ 1 << 20;
        // SAFETY: as above.
        if !unsafe { overwrite(field, wrong) } {
            return UNREGISTERED;
        }
        sleep_away();
        // SAFETY: as above.
        if unsafe { field.read_volatile() } == wrong { KEPT } else { RESTORED }
    })? {
        Ending::Exited(RESTORED) => Ok(Rewrite::Always),
        Ending::Exited(KEPT) => Ok(Rewrite::OnChange),
        Ending::Killed(SIGSEGV) => Ok(Rewrite::Fatal),
        other => Err(crate::fail!("probing a registration of {length} bytes: {other}")),
    }
}

/// Writes a field of the kernel's until it holds the value, and returns whether it does: a switch to another thread may
/// restore it at once.
///
/// # Safety
///
/// The field is a word of the registered area of the calling thread.
pub unsafe fn overwrite(field: *mut u32, value: u32) -> bool {
    (0..100).any(|_| {
        // SAFETY: the caller guarantees a word, which the kernel and this thread write; volatile, as the kernel does.
        unsafe {
            field.write_volatile(value);
            field.read_volatile() == value
        }
    })
}

/// What distinguishes kernels like 6.19 independently of when IDs are written: unregistering leaves -1 in
/// `cpu_id_start`. Older kernels leave 0 (`rseq_reset_rseq_cpu_node_id`), and so do those that always update legacy
/// registrations (`rseq_reset_ids` of 7.1).
pub fn unregistering_leaves_no_cpu() -> Result<bool, Unmet> {
    const ZERO: u8 = 0;
    const NO_CPU: u8 = 1;
    match in_registered_child(abi::ORIGINAL_SIZE, 10 * SECOND, &mut |area| {
        // SAFETY: the child's area, which no section uses.
        let released = unsafe { rseq_raw(area as usize, abi::ORIGINAL_SIZE, abi::FLAG_UNREGISTER, arch::SIGNATURE) };
        // SAFETY: the first word of the child's mapping.
        match (released, unsafe { area.cast::<u32>().read_volatile() }) {
            (Ok(()), 0) => ZERO,
            (Ok(()), abi::CPU_ID_UNINITIALIZED) => NO_CPU,
            _ => UNREGISTERED,
        }
    })? {
        Ending::Exited(ZERO) => Ok(false),
        Ending::Exited(NO_CPU) => Ok(true),
        other => Err(crate::fail!("probing what unregistering leaves: {other}")),
    }
}

/// The exit code of [`in_registered_child`]'s child when it could not register.
pub const UNREGISTERED: u8 = 254;

/// Runs `body` in a child whose only registration is `length` bytes at the address that `body` gets.
pub fn in_registered_child(
    length: u32,
    nanoseconds: u64,
    body: &mut dyn FnMut(*mut abi::Rseq) -> u8,
) -> Result<Ending, Unmet> {
    let inherited = Registered::by_runtime().ok();
    let memory = Mapping::private(64 << 10).or_fail("memory for an area")?;
    process::in_child(nanoseconds, &mut || {
        // SAFETY: the child runs `body` and exits; no section of the runtime's area is in it.
        let released = inherited.is_none_or(|registered| unsafe { registered.release() }.is_ok());
        if !released || register(memory.address(), length).is_err() {
            return UNREGISTERED;
        }
        body(memory.address() as *mut abi::Rseq)
    })
    .or_fail("fork")
}

fn register(address: usize, length: u32) -> Result<(), Errno> {
    // SAFETY: the mapping is longer than any registration and lives until the child has ended.
    unsafe { rseq_raw(address, length, 0, arch::SIGNATURE) }
}
