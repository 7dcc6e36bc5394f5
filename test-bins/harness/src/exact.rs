//! Counts that must add up, and the one kernel where they may not.

use rseq_core::{OwnArea, Token};

use crate::ktap::{OrFail, Unmet, Verdict};
use crate::kvm::trial::{self, Limits, Outcome, Source};
use crate::sys::cpu::{self, Set};
use crate::sys::process;

/// Migrations after which a late kernel must have been late once, after a plain system call.
const MIGRATIONS: u32 = 20_000;
/// A late kernel loses at most one count in this many; a section that does not work loses more.
const ONE_IN: u64 = 100;

/// The verdict on `found` where `added` should be.
///
/// Missing counts are an expected failure if they are few and this kernel is now seen to leave an old `cpu_id` after a
/// system call: until its next entry into the kernel, a thread then works on the slot of another CPU, at the same time
/// as a thread there.
///
/// # Errors
///
/// The failure, expected or not.
pub fn exact(added: u64, found: u64) -> Verdict {
    if added == found {
        return Ok(());
    }
    let lost = added.checked_sub(found).is_some_and(|lost| lost <= added / ONE_IN);
    if lost && is_late().unwrap_or(false) {
        return Err(crate::expected!("{added} added but {found} found: this kernel is late with cpu_id"));
    }
    Err(crate::fail!("{added} added but {found} found"))
}

/// Only powerpc checks for work before it has finished returning to user space, and takes one more interrupt after
/// that, which moves the thread (`syscall_exit_prepare`, since 7.2). cpu_id is then late, whatever the call was.
fn is_late() -> Result<bool, Unmet> {
    if !cfg!(target_arch = "powerpc64") {
        return Ok(false);
    }
    let cpus = cpu::affinity(0).or_fail("sched_getaffinity")?;
    Ok(cpus.count() > 1 && after_system_calls(crate::registration::token()?, &cpus)?.late > 0)
}

/// Makes the plainest of system calls in a thread that is moved over `cpus`, until cpu_id is late once.
///
/// # Errors
///
/// The kernel's, if it refuses a move.
pub fn after_system_calls(token: Token<'_, OwnArea>, cpus: &Set) -> Result<Outcome, Unmet> {
    let mut call = || {
        process::id();
        Ok(())
    };
    trial::run(&mut call, token, Source::Registered, cpus, Limits { migrations: MIGRATIONS, mismatches: 1 })
}
