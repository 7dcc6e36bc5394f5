//! The stack canary of code that is compiled with `-fstack-protector`, such as C: a word that each function keeps below
//! its return address and compares before it returns.

use crate::eprintln;
use crate::process::{PANICKED, exit_now};
use rseq_core::arch;

/// Where the ABI has the canary.
#[derive(Clone, Copy)]
pub enum Canary {
    /// In each thread, this many bytes from the thread pointer.
    #[allow(dead_code, reason = "every architecture has one of the two")]
    InThread(isize),
    /// In the variable `__stack_chk_guard`.
    #[allow(dead_code, reason = "every architecture has one of the two")]
    Global,
}

impl Canary {
    /// Gives a thread that does not run yet the canary of this one.
    ///
    /// # Safety
    ///
    /// `thread_pointer` belongs to a filled TLS block of a thread that does not run yet.
    pub unsafe fn copy_to(self, thread_pointer: usize) {
        let Self::InThread(offset) = self else { return };
        // SAFETY: both threads have a control block around their thread pointers, which includes the canary's place.
        // The other thread does not run yet, and this thread's canary does not change.
        unsafe {
            let own = arch::thread_pointer().wrapping_add_signed(offset) as *const usize;
            let theirs = thread_pointer.wrapping_add_signed(offset) as *mut usize;
            theirs.write(own.read());
        }
    }
}

/// Called instead of a return by a function whose canary was overwritten.
#[unsafe(no_mangle)]
extern "C" fn __stack_chk_fail() -> ! {
    eprintln!("rseq-rt: a function has written beyond its stack frame");
    exit_now(PANICKED)
}

/// Position-independent code of i686 calls this one.
#[cfg(target_arch = "x86")]
#[unsafe(no_mangle)]
extern "C" fn __stack_chk_fail_local() -> ! {
    __stack_chk_fail()
}

/// What start-up without origin sets.
#[cfg(not(rseq_rt_origin))]
mod main_thread {
    use super::Canary;
    use crate::backend::CANARY;
    use crate::env::InitialStack;
    use core::sync::atomic::{AtomicUsize, Ordering};
    use linux_raw_sys::auxvec::AT_RANDOM;

    #[unsafe(no_mangle)]
    static __stack_chk_guard: AtomicUsize = AtomicUsize::new(0);

    /// Gives the main thread its canary.
    ///
    /// # Safety
    ///
    /// As [`Canary::copy_to`].
    pub unsafe fn set(initial: &InitialStack, thread_pointer: usize) {
        let canary = choose(initial);
        match CANARY {
            Canary::Global => __stack_chk_guard.store(canary, Ordering::Relaxed),
            // SAFETY: the control block of the main thread has room for it.
            Canary::InThread(offset) => unsafe {
                (thread_pointer.wrapping_add_signed(offset) as *mut usize).write(canary);
            },
        }
    }

    /// Random bytes from the kernel, the first of which is set to 0, so that string functions do not copy the canary.
    fn choose(initial: &InitialStack) -> usize {
        let mut bytes = match initial.auxv(AT_RANDOM as usize) {
            None | Some(0) => initial.address().wrapping_mul(0x9e37_79b1).to_ne_bytes(),
            // SAFETY: the kernel puts 16 random bytes at the address of AT_RANDOM, on the initial stack, which stays
            // mapped.
            Some(random) => unsafe { *(random as *const [u8; size_of::<usize>()]) },
        };
        bytes[0] = 0;
        usize::from_ne_bytes(bytes)
    }
}

#[cfg(not(rseq_rt_origin))]
pub use main_thread::set;
