//! The stack canary of functions in C.

use core::sync::atomic::{AtomicUsize, Ordering};

use harness::ktap::{OrFail, Verdict};
use harness::{ensure, skip};
use rseq_core::arch;
use rseq_rt::thread;

/// Bytes from the thread pointer to the canary, where it is in each thread.
const OFFSET: Option<isize> = if cfg!(any(target_arch = "x86_64", target_arch = "s390x")) {
    Some(0x28)
} else if cfg!(target_arch = "x86") {
    Some(0x14)
} else if cfg!(target_arch = "powerpc64") {
    Some(-0x7010)
} else {
    None
};

/// A created thread has the canary of the main thread.
pub fn canaries() -> Verdict {
    let offset = OFFSET.ok_or_else(|| skip!("all threads have the canary in one variable"))?;
    let canary = move || {
        // SAFETY: the word is the canary of the calling thread, which does not change.
        unsafe { (arch::thread_pointer().wrapping_add_signed(offset) as *const usize).read() }
    };
    let main = canary();
    let found = AtomicUsize::new(0);
    let spawned = thread::scope(|scope| {
        let found = &found;
        scope.spawn(move || found.store(canary(), Ordering::Relaxed)).map(drop)
    });
    spawned.or_fail("spawn")?;
    let found = found.load(Ordering::Relaxed);
    ensure!(main != 0 && main == found, "main has the canary {main:#x}, a thread {found:#x}");
    Ok(())
}
