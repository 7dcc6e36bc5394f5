//! Threads that a seccomp filter keeps from releasing their area or their tid word, each with a filter of its own.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use harness::sys::call;
use harness::sys::process;
use harness::sys::seccomp::{self, Refusal};
use harness::sys::signal;
use harness::sys::time::{self, Deadline, MILLISECOND, SECOND};
use linux_raw_sys::general as raw;
use rseq_core::arch;
use rseq_core::sys::Errno;
use rseq_rt::thread;

use crate::mapped;

/// Threads that each install a filter of their own, so that the release of their area fails with one of these errors.
const REFUSALS: [Errno; 4] = [Errno::EPERM, Errno::EINVAL, Errno::EACCES, Errno::ENOSYS];

/// What a child ends with where seccomp has no filters.
pub const NO_FILTER: u8 = 4;

/// Whether the thread is registered, and its release is refused from now on.
pub fn refuse_release(round: usize) -> bool {
    let refusal = Refusal::Error(REFUSALS[round % REFUSALS.len()]);
    rseq_rt::current().is_some() && seccomp::refuse(raw::__NR_rseq, refusal).is_ok()
}

/// Whether the kernel will clear this thread's tid word at its end, even if the thread asks it not to.
pub fn refuse_set_tid_address() -> bool {
    seccomp::refuse(raw::__NR_set_tid_address, Refusal::Error(Errno::EPERM)).is_ok()
}

/// The kernel writes the area of a thread, and its tid word, until it is gone: unmapped before, it kills where it gets
/// to write, by chance. So the test looks at the memory itself.
pub fn kept_under_a_filter(refuse: fn() -> bool) -> u8 {
    static PAGE: AtomicUsize = AtomicUsize::new(0);
    static TID: AtomicU32 = AtomicU32::new(0);
    static DETACHED: AtomicBool = AtomicBool::new(false);
    let Some(page_size) = rseq_rt::env::auxv(linux_raw_sys::auxvec::AT_PAGESZ as usize) else { return 6 };
    let deadline = Deadline::after(10 * SECOND);
    let thread = thread::spawn(move || {
        // The handle of a thread that has finished unmaps the memory itself.
        while !DETACHED.load(Ordering::Acquire) && !deadline.is_past() {
            time::yield_now();
        }
        let filtered = refuse();
        PAGE.store(arch::own_area().as_ptr() as usize & !(page_size - 1), Ordering::Relaxed);
        TID.store(if filtered { thread::tid() } else { u32::MAX }, Ordering::Release);
    });
    let Ok(thread) = thread else { return 2 };
    thread.detach();
    DETACHED.store(true, Ordering::Release);
    while TID.load(Ordering::Acquire) == 0 && !deadline.is_past() {
        time::yield_now();
    }
    let tid = match TID.load(Ordering::Acquire) {
        u32::MAX => return NO_FILTER,
        tid => tid,
    };
    while signal::send(process::id(), tid, 0) != Err(Errno::ESRCH) {
        if deadline.is_past() {
            return 3;
        }
        time::yield_now();
    }
    // SAFETY: the call reads no memory: it finds out whether the page is mapped.
    let mapped = unsafe { call(raw::__NR_msync, [PAGE.load(Ordering::Relaxed), page_size, raw::MS_ASYNC as usize]) };
    if mapped.is_ok() { 0 } else { 5 }
}

pub fn detached_under_a_filter() -> u8 {
    const ROUNDS: usize = 100;
    static ENDED: AtomicU32 = AtomicU32::new(0);
    static FILTERED: AtomicU32 = AtomicU32::new(0);
    let before = mapped();
    for round in 0..ROUNDS {
        let thread = thread::spawn(move || {
            FILTERED.fetch_add(u32::from(refuse_release(round)), Ordering::Relaxed);
            ENDED.fetch_add(1, Ordering::Release);
        });
        let Ok(thread) = thread else { return 2 };
        thread.detach();
        let deadline = Deadline::after(10 * SECOND);
        while ENDED.load(Ordering::Acquire) <= round as u32 && !deadline.is_past() {
            time::yield_now();
        }
    }
    if FILTERED.load(Ordering::Relaxed) == 0 {
        return NO_FILTER;
    }
    let deadline = Deadline::after(10 * SECOND);
    loop {
        // The last ones take a moment to leave, after which the next thread that starts frees what they have left.
        time::sleep(MILLISECOND);
        let Ok(last) = thread::spawn(|| ()) else { return 3 };
        last.join();
        let (Some(before), Some(after)) = (before, mapped()) else { return 0 };
        if after < before + 4 * thread::DEFAULT_STACK_SIZE {
            return 0;
        }
        if deadline.is_past() {
            return 5;
        }
    }
}

pub fn joined_under_a_filter() -> u8 {
    for round in 0..20 {
        let Ok(thread) = thread::spawn(move || refuse_release(round)) else { return 2 };
        if !thread.join() {
            return NO_FILTER;
        }
    }
    0
}
