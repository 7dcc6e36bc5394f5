//! The fence by which a thread gains access to the data of another CPU.

use crate::sys::{Fence, MembarrierError, membarrier_rseq, register_membarrier_rseq};
use crate::{ByCpu, Index};

/// Restarts the sections that threads of this process run on `cpu`, and orders memory with them: a section that commits
/// there later has seen all earlier writes of this thread, and this thread sees those of earlier sections.
///
/// # Errors
///
/// [`MembarrierError`]: before Linux 5.10, or where a filter refuses membarrier(2).
pub(super) fn fence(cpu: u32) -> Result<(), MembarrierError> {
    make(Fence::Cpu(cpu))
}

/// The same on every CPU: a section by concurrency ID may run on any.
///
/// # Errors
///
/// As [`fence`].
pub(super) fn fence_all() -> Result<(), MembarrierError> {
    make(Fence::All)
}

/// Restarts the sections that may be on the slot of an index.
///
/// # Errors
///
/// As [`fence`].
pub(super) fn fence_index<K: Index>(index: u32) -> Result<(), MembarrierError> {
    if K::OFFSET == ByCpu::OFFSET { fence(index) } else { fence_all() }
}

fn make(which: Fence) -> Result<(), MembarrierError> {
    match at_last(which) {
        // Once per process; a child of `fork` may have to register again.
        Err(MembarrierError::NotRegistered) => {
            register_membarrier_rseq()?;
            at_last(which)
        }
        made => made,
    }
}

fn at_last(which: Fence) -> Result<(), MembarrierError> {
    loop {
        match membarrier_rseq(which) {
            Err(MembarrierError::TryAgain) => {}
            made => break made,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_registers_when_it_needs_to() {
        for cpu in [0, 1, 0] {
            assert!(matches!(fence(cpu), Ok(()) | Err(MembarrierError::NoCommand | MembarrierError::NoSyscall)));
        }
    }
}
