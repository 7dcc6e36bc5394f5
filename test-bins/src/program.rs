//! The frame around a test's `main`: arguments in, exit code out, alone on the machine or not.

use core::ffi::CStr;

use linux_raw_sys::auxvec::AT_EXECFN;
use linux_raw_sys::general as raw;
use rseq_rt::process::ExitCode;

use crate::sys::{self, process};

/// Runs `body`. As PID 1, prints its code and powers the machine off, for the kernel panics when PID 1 returns.
pub fn run(body: fn() -> u8) -> ExitCode {
    let code = body();
    if process::id() == 1 {
        crate::note!("exit code {code}");
        power_off();
    }
    ExitCode::from(code)
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
