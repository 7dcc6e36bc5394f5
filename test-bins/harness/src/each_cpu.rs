//! The same check on every CPU.

use crate::ktap::{OrFail, Verdict};
use crate::sys::cpu::{self, Set};

/// Runs `check` on each CPU that this thread may use, until it fails, and then restores the thread's affinity.
pub fn on_each_cpu(check: &mut dyn FnMut(u32) -> Verdict) -> Verdict {
    let allowed = cpu::affinity(0).or_fail("sched_getaffinity")?;
    let mut verdict = Ok(());
    for cpu in allowed.iter() {
        cpu::set_affinity(0, &Set::only(cpu)).or_fail("sched_setaffinity")?;
        verdict = check(cpu);
        if verdict.is_err() {
            break;
        }
    }
    cpu::set_affinity(0, &allowed).or_fail("sched_setaffinity")?;
    verdict
}
