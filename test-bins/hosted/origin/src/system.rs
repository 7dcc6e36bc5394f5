//! Signals, printing and panics.

use core::ffi::c_int;
use core::fmt::{self, Write};
use linux_raw_sys::general::{__NR_exit_group, __NR_rt_sigprocmask, __NR_setitimer, __NR_write, SIG_BLOCK, SIGALRM};
use origin::signal::{Sigaction, SigactionFlags, Signal, sigaction};
use rseq_core::sys::syscall;

unsafe extern "C" fn on_signal(_: c_int) {}

/// Sends SIGALRM to the process every 50 microseconds.
pub fn interrupt_often() {
    let action =
        Sigaction { sa_handler_kernel: Some(on_signal), sa_flags: SigactionFlags::RESTART, ..Sigaction::default() };
    let often = [0_usize, 50, 0, 50];
    // SAFETY: the handler does nothing, and may run anywhere; the kernel reads one itimerval.
    unsafe {
        let _ = sigaction(Signal::ALARM, Some(action));
        let _ = syscall(__NR_setitimer, [0, &raw const often as usize, 0, 0, 0, 0]);
    }
}

/// Blocks SIGALRM in this thread.
pub fn leave_signals_to_others() {
    let set = 1_u64 << (SIGALRM - 1);
    // SAFETY: the kernel reads 8 bytes of `set`.
    let _ = unsafe { syscall(__NR_rt_sigprocmask, [SIG_BLOCK as usize, &raw const set as usize, 0, 8, 0, 0]) };
}

/// Standard output.
struct Out;

impl Write for Out {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: the kernel reads the text.
        unsafe { syscall(__NR_write, [1, text.as_ptr() as usize, text.len(), 0, 0, 0]) }
            .map_or(Err(fmt::Error), |_| Ok(()))
    }
}

/// Writes to standard output.
pub fn print(text: fmt::Arguments<'_>) {
    let _ = Out.write_fmt(text);
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    print(format_args!("{info}\n"));
    // SAFETY: it ends the process.
    let _ = unsafe { syscall(__NR_exit_group, [101, 0, 0, 0, 0, 0]) };
    loop {
        core::hint::spin_loop();
    }
}
