//! A line on standard error when a thread has used up its stack, before SIGSEGV ends the process as it would anyway.
//!
//! The signal handler needs a stack that is not used up: each thread has an alternate one (`sigaltstack(2)`). If the
//! kernel refuses it, the process ends without the line.

use crate::io::{STDERR, write_fmt};
use crate::process::{ExitCode, exit_now};
use crate::thread::{self, ThreadData};
use crate::{env, page, sys};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use linux_raw_sys::auxvec::AT_MINSIGSTKSZ;
use linux_raw_sys::general::{MAP_STACK, SIGSEGV};

/// Bytes of an alternate stack in addition to the frame that the kernel puts there: enough to format a line without
/// optimization.
const ROOM: usize = 16 << 10;

/// Bytes for the frame if the kernel does not provide the size.
const FRAME: usize = 8 << 10;

/// The exit code that a shell shows for a process ended by SIGSEGV.
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
    let len = alternate_size().next_multiple_of(page::size());
    let Ok(stack) = sys::map(len, MAP_STACK) else { return };
    // SAFETY: the mapping is this program's, used for nothing else, and never unmapped.
    let is_set = unsafe { sys::set_alternate_stack(stack, len) }.is_ok();
    if is_set && sys::set_fault_handler(on_fault).is_ok() {
        INSTALLED.store(true, Ordering::Relaxed);
    } else {
        // SAFETY: the mapping was made above. The handler was not installed, so none uses it: before `main` there are
        // no others.
        unsafe { sys::unmap(stack, len) };
    }
}

/// Gives the calling thread, which is not the main one, its alternate stack.
///
/// # Safety
///
/// The `len` bytes are for this thread only. They stay until it has ended, or has blocked all signals for good.
pub unsafe fn watch_thread(stack: NonNull<u8>, len: usize) {
    if INSTALLED.load(Ordering::Relaxed) {
        // SAFETY: the caller's contract. If the kernel refuses it, SIGSEGV ends the process without the line.
        let _ = unsafe { sys::set_alternate_stack(stack, len) };
    }
}

/// The handler, which the kernel calls once: it has restored the default action before (`SA_RESETHAND`). After the
/// return a fault happens again, and ends the process with all registers unchanged.
extern "C" fn on_fault(_signal: i32, info: *const sys::SignalInfo, _context: *mut u8) {
    // SAFETY: the kernel passes a pointer to the signal's information (`SA_SIGINFO`).
    match unsafe { (*info).fault_address() } {
        Some(address) if is_below_stack(address) => {
            let current = thread::current();
            let (id, name) = (current.tid(), current.name());
            let _ = write_fmt(STDERR, format_args!("rseq-rt: thread {id} ({name}) has overflowed its stack\n"));
        }
        Some(_) => {}
        // A process has sent it, or the kernel has no address: it may not happen again by itself. The signal is blocked
        // until the return.
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
    // An unlimited stack ends at whatever is mapped below it, which is not known.
    let below = limit.checked_add(PAGES_BELOW_MAIN * page::size());
    let lowest = below.and_then(|below| top.checked_sub(below));
    lowest.is_some_and(|lowest| (lowest..top).contains(&address))
}
