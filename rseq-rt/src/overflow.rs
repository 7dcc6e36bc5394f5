//! A line on standard error when a thread has used up its stack, before SIGSEGV ends the process as it would anyway.
//!
//! The handler runs on the [alternate stack](crate::alternate_stack) of the thread. If the kernel refuses that, the
//! process ends without the line.

use crate::io::{STDERR, write_fmt};
use crate::process::{ExitCode, exit_now};
use crate::thread::{self, ThreadData};
use crate::{alternate_stack, env, page, sys};
use linux_raw_sys::general::SIGSEGV;

/// The exit code that a shell shows for a process ended by SIGSEGV.
const ENDED_BY_SIGSEGV: ExitCode = ExitCode(128 + SIGSEGV as u8);

/// Bytes below the main thread's limit that the kernel leaves free (`stack_guard_gap`, 256 pages).
const PAGES_BELOW_MAIN: usize = 256;

/// Installs the handler for the process, with an alternate stack for the main thread, unless SIGSEGV is ignored.
pub fn watch_main() {
    alternate_stack::install(on_fault);
}

/// The handler, which the kernel calls once: it has restored the default action before (`SA_RESETHAND`). After the
/// return a fault happens again, and ends the process with all registers unchanged.
extern "C" fn on_fault(_signal: i32, info: *const sys::SignalInfo, _context: *mut u8) {
    // SAFETY: the kernel passes a pointer to the signal's information (`SA_SIGINFO`).
    let info = unsafe { &*info };
    match info.fault_address() {
        Some(address) if is_below_stack(address, info.is_unmapped()) => {
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

/// Whether the fault is that of a stack that is used up. Other faults on the main thread's stack, as of code that is
/// run there, are at addresses that are mapped.
fn is_below_stack(address: usize, is_unmapped: bool) -> bool {
    let data = ThreadData::current();
    if !data.is_main() {
        return data.guard().contains(&address);
    }
    if !is_unmapped {
        return false;
    }
    let Ok([limit, _]) = sys::stack_limit(None) else { return false };
    let (Some(top), Ok(limit)) = (env::initial_stack(), usize::try_from(limit)) else { return false };
    // An unlimited stack ends at whatever is mapped below it, which is not known.
    let below = limit.checked_add(PAGES_BELOW_MAIN * page::size());
    let lowest = below.and_then(|below| top.checked_sub(below));
    lowest.is_some_and(|lowest| (lowest..top).contains(&address))
}
