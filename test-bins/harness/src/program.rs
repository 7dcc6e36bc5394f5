//! The frame around a test's `main`: arguments, exit code, and the end of the machine if the test is PID 1.

use core::ffi::CStr;

use linux_raw_sys::auxvec::AT_EXECFN;
use linux_raw_sys::general as raw;
use protocol::mark::OwnEnd;
use rseq_core::sys::Errno;
use rseq_core::{Mode, abi};
use rseq_rt::println;
use rseq_rt::process::ExitCode;

use crate::ktap::Suite;
use crate::reexec;
use crate::sys::{self, process};

/// Runs `body`, with `--legacy` under a registration of 32 bytes. As PID 1, prints the exit code and powers the machine
/// off, because the kernel panics when PID 1 exits.
pub fn run(body: fn() -> u8) -> ExitCode {
    let is_init = is_machine_init();
    end(instead().unwrap_or_else(body), is_init)
}

/// As [`run`] without `--legacy`, for a program that must stay small.
pub fn run_as_is(body: fn() -> u8) -> ExitCode {
    let is_init = is_machine_init();
    end(body(), is_init)
}

/// Whether this is the first process of a machine, and not that of a PID namespace, as in a container, whose exit code
/// is collected. By then the kernel has its own thread as process 2; a new namespace has no such process.
fn is_machine_init() -> bool {
    process::id() == 1 && sys::harmless(sys::Harmless::Kill, [2, 0]) != Err(Errno::ESRCH)
}

fn end(code: u8, is_init: bool) -> ExitCode {
    if is_init {
        println!("{}", OwnEnd(code));
        power_off();
    }
    ExitCode::from(code)
}

/// The exit code if `--legacy` leaves nothing to run.
fn instead() -> Option<u8> {
    if reexec::asked_mode() == Mode::Extended || rseq_rt::registration().is_err() {
        return None;
    }
    if rseq_rt::kernel().registration_len() == abi::ORIGINAL_SIZE {
        return Some(Suite::skip_all(format_args!(
            "every registration has 32 bytes here: --legacy makes no difference"
        )));
    }
    reexec::in_mode(Mode::Legacy).err().map(Suite::cannot_start)
}

/// The path with which this program was started, from the auxiliary vector.
pub fn path() -> Option<&'static str> {
    let address = rseq_rt::env::auxv(AT_EXECFN as usize)?;
    // SAFETY: the kernel puts the address of a NUL-terminated string there, on the initial stack, which stays.
    unsafe { CStr::from_ptr(address as *const core::ffi::c_char) }.to_str().ok()
}

fn power_off() {
    let words = [raw::LINUX_REBOOT_MAGIC1, raw::LINUX_REBOOT_MAGIC2, raw::LINUX_REBOOT_CMD_POWER_OFF, 0];
    // SAFETY: ends the machine, which is what PID 1 is for once the test is over.
    let _ = unsafe { sys::call(raw::__NR_reboot, words.map(|word| word as usize)) };
}
