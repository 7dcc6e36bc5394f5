//! The CPUs that this process may use, and threads that stay on one of them.

use anyhow::{Context, Result, anyhow};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The CPUs that the calling thread may use, in ascending order.
///
/// # Errors
///
/// The kernel's.
pub fn allowed() -> Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0)).context("sched_getaffinity")?;
    Ok((0..CpuSet::count()).filter(|&cpu| set.is_set(cpu) == Ok(true)).collect())
}

/// Keeps the calling thread on `cpu`.
///
/// # Errors
///
/// The kernel's, or a CPU number that its set does not hold.
pub fn to(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    let pinned = set.set(cpu).and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
    pinned.with_context(|| format!("cannot pin a thread to CPU {cpu}"))
}

/// Calls `visit` in a thread on each CPU that the calling thread may use, one after the other, and collects what it
/// returns.
///
/// # Errors
///
/// The first one.
pub fn on_each<T: Send>(visit: impl Fn() -> Result<T> + Sync) -> Result<Vec<T>> {
    let visit_on = |cpu| {
        let pinned = || to(cpu).and_then(|()| visit());
        let joined = std::thread::scope(|scope| scope.spawn(pinned).join());
        joined.unwrap_or_else(|_| Err(anyhow!("the thread on CPU {cpu} panicked")))
    };
    allowed()?.into_iter().map(visit_on).collect()
}
