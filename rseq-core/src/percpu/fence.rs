//! The fence by which a thread gets at the data of another CPU.

use crate::sys::{Fence, MembarrierError, membarrier_rseq, register_membarrier_rseq};

/// Restarts the sections that threads of this process are in on `cpu`, and orders memory with them: a section that
/// commits there afterwards has seen all that this thread wrote before, and this thread sees what those before wrote.
///
/// # Errors
///
/// [`MembarrierError`]: before Linux 5.10, or where a filter refuses membarrier(2).
pub(super) fn fence(cpu: u32) -> Result<(), MembarrierError> {
    let made = loop {
        match membarrier_rseq(Fence::Cpu(cpu)) {
            Err(MembarrierError::TryAgain) => {}
            made => break made,
        }
    };
    match made {
        // Once a process; a child of `fork` may have to do it again.
        Err(MembarrierError::NotRegistered) => {
            register_membarrier_rseq()?;
            membarrier_rseq(Fence::Cpu(cpu))
        }
        made => made,
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
