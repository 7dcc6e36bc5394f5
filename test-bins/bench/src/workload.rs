//! What a contender runs.

use std::hint::black_box;

use anyhow::{Result, bail, ensure};
use rseq_core::Status;

/// The state that the threads of a contender share.
pub trait Workload: Sync {
    /// Runs so many operations in one of the threads.
    ///
    /// # Errors
    ///
    /// What went wrong; the measurement ends.
    fn run(&self, operations: u64) -> Result<()>;

    /// Looks at the state after so many operations of all threads.
    ///
    /// # Errors
    ///
    /// What was lost.
    fn check(&self, done: u64) -> Result<()>;
}

/// A workload, or why it cannot run on this machine.
pub type Made = Result<Box<dyn Workload>>;

struct Functions<S, R, C> {
    state: S,
    run: R,
    check: C,
}

impl<S, R, C> Workload for Functions<S, R, C>
where
    S: Sync,
    R: Fn(&S, u64) -> Result<()> + Sync,
    C: Fn(&S, u64) -> Result<()> + Sync,
{
    fn run(&self, operations: u64) -> Result<()> {
        (self.run)(&self.state, operations)
    }

    fn check(&self, done: u64) -> Result<()> {
        (self.check)(&self.state, done)
    }
}

/// A workload over `state`: `run` does so many operations in one thread, `check` looks for what was lost after so many
/// operations of all threads.
///
/// # Errors
///
/// None; the type is what [`Contender::make`](crate::Contender::make) returns.
pub fn workload<S, R, C>(state: S, run: R, check: C) -> Made
where
    S: Sync + 'static,
    R: Fn(&S, u64) -> Result<()> + Sync + 'static,
    C: Fn(&S, u64) -> Result<()> + Sync + 'static,
{
    Ok(Box::new(Functions { state, run, check }))
}

/// Whether types that find the registration themselves work by sections in this thread, rather than by their fallback.
///
/// # Errors
///
/// Why not.
pub fn by_sections() -> Result<()> {
    match rseq_core::status() {
        Status::On(_) => Ok(()),
        Status::Off(cause) => Err(cause.into()),
        other => bail!("{other:?}"),
    }
}

/// Keeps the compiler from moving or merging memory accesses across this point; no instruction of its own.
#[inline(always)]
pub fn barrier() {
    black_box(());
}

/// Does `operation` so many times, each time anew.
///
/// # Errors
///
/// None; the type is what the functions of a [`workload`] return.
#[inline(always)]
pub fn repeat<T>(operations: u64, mut operation: impl FnMut() -> T) -> Result<()> {
    for _ in 0..operations {
        operation();
        barrier();
    }
    Ok(())
}

/// Does `operation` so many times, each time anew, until one fails.
///
/// # Errors
///
/// That of the operation.
#[inline(always)]
pub fn try_repeat(operations: u64, mut operation: impl FnMut() -> Result<()>) -> Result<()> {
    for _ in 0..operations {
        operation()?;
        barrier();
    }
    Ok(())
}

/// Whether all operations have been counted.
///
/// # Errors
///
/// Both numbers, if they differ.
pub fn expect(counted: u64, done: u64) -> Result<()> {
    ensure!(counted == done, "counted {counted} operations of {done}");
    Ok(())
}

/// Whether the items that are left have all numbers below `total`, each once.
///
/// # Errors
///
/// How many are left.
pub fn complete(left: impl IntoIterator<Item = usize>, total: usize) -> Result<()> {
    let mut numbers: Vec<_> = left.into_iter().collect();
    numbers.sort_unstable();
    let is_complete = numbers.iter().copied().eq(0..total);
    ensure!(is_complete, "{} items of {total} are left, or some are there twice", numbers.len());
    Ok(())
}
