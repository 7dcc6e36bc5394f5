//! A line on standard error when a thread has used up its stack, before SIGSEGV ends the process as it would without.
//!
//! A signal handler needs a stack for this that is not used up: each thread has an alternate one (`sigaltstack(2)`).
//! Where the kernel refuses one, the process ends silently.

use crate::io::{STDERR, write_fmt};
use crate::process::{ExitCode, exit_now};
use crate::thread::{self, ThreadData};
use crate::{env, sys};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use linux_raw_sys::auxvec::AT_MINSIGSTKSZ;
use linux_raw_sys::general::{MAP_STACK, SIGSEGV};

/// Bytes of an alternate stack besides the frame that the kernel puts there: enough to format a line without
/// optimization.
const ROOM: usize = 16 << 10;

/// Bytes for the frame where the kernel does not give a number.
const FRAME: usize = 8 << 10;

/// What a shell shows for a process that SIGSEGV has ended.
const ENDED_BY_SIGSEGV: ExitCode = ExitCode(128 + SIGSEGV as u8);

/// Bytes below the main thread's limit that the kernel leaves free (`stack_guard_gap`, 256 pages).
const PAGES_BELOW_MAIN: usize = 256;

static INSTALLED: AtomicBool = AtomicBool::new(false);

/// Bytes of an alternate stack.
pub fn alternate_size() -> usize {
    ROOM + env::auxv(AT_MINSIGSTKSZ as usize).unwrap_or(FRAME)
}

/// Installs the handler for the process, unless SIGSEGV is ignored, and an alternate stack for the main thread.
pub fn watch_main() {
    let len = alternate_size().next_multiple_of(thread::page_size());
    let Ok(stack) = sys::map(len, MAP_STACK) else { return };
    // SAFETY: the mapping is never given back.
    let is_set = unsafe { sys::set_alternate_stack(stack, len) }.is_ok();
    if is_set && sys::set_fault_handler(on_fault).is_ok() {
        INSTALLED.store(true, Ordering::Relaxed);
    } else {
        // SAFETY: the mapping is ours, and no handler of ours is there to use it. No other one is there before `main`.
        unsafe { sys::unmap(stack, len) };
    }
}

/// Gives the calling thread, which is not the main one, its alternate stack.
///
/// # Safety
///
/// The `len` bytes are the thread's alone. They stay until it has ended, or has blocked all signals for good.
pub unsafe fn watch_thread(stack: NonNull<u8>, len: usize) {
    if INSTALLED.load(Ordering::Relaxed) {
        // SAFETY: the caller's promise. Where the kernel refuses, SIGSEGV ends the process without the line.
        let _ = unsafe { sys::set_alternate_stack(stack, len) };
    }
}

/// What the kernel calls, once: it has restored the default action by then (`SA_RESETHAND`). A fault happens again when
/// this returns, and ends the process with all registers as they were.
extern "C" fn on_fault(_signal: i32, info: *const sys::SignalInfo, _context: *mut u8) {
    // SAFETY: the kernel passes the signal's information (`SA_SIGINFO`).
    match unsafe { (*info).fault_address() } {
        Some(address) if is_below_stack(address) => {
            let current = thread::current();
            let (id, name) = (current.tid(), current.name());
            let _ = write_fmt(STDERR, format_args!("rseq-rt: thread {id} ({name}) has overflowed its stack\n"));
        }
        Some(_) => {}
        // Somebody has sent it, or the kernel has no address: it need not happen again by itself. It is blocked until
        // this returns.
        None if sys::signal_self(SIGSEGV).is_ok() => {}
        None => exit_now(ENDED_BY_SIGSEGV),
    }
}

fn is_below_stack(address: usize) -> bool {
    let data = ThreadData::current();
    if !data.is_main() {
        return data.guard().contains(&address);
    }
    let Ok([limit, _]) = sys::stack_limit(None) else { return false };
    let (Some(top), Ok(limit)) = (env::initial_stack(), usize::try_from(limit)) else { return false };
    // An unlimited stack ends at whatever is below it: that place is not known.
    let below = limit.checked_add(PAGES_BELOW_MAIN * thread::page_size());
    let lowest = below.and_then(|below| top.checked_sub(below));
    lowest.is_some_and(|lowest| (lowest..top).contains(&address))
}
