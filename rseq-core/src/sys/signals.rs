//! Signals: holding them back for a few instructions, and handlers for children of this process.

use super::Errno;
use linux_raw_sys::general::{__NR_rt_sigaction, __NR_rt_sigprocmask, SIG_BLOCK, SIG_SETMASK};

/// Bytes of the kernel's signal set: 128 signals on MIPS, 64 elsewhere.
const SET_SIZE: usize =
    if cfg!(any(target_arch = "mips", target_arch = "mips64", target_arch = "mips64r6")) { 16 } else { 8 };

/// x86-64 takes no handler without a way back; this one is never used.
#[cfg(target_arch = "x86_64")]
const FLAGS: u32 = linux_raw_sys::general::SA_RESTORER;
#[cfg(not(target_arch = "x86_64"))]
const FLAGS: u32 = 0;

/// In words, as the kernel has it: in a `struct sigaction` it is aligned like one.
type Set = [usize; SET_SIZE / size_of::<usize>()];

/// Whether the mask was changed.
fn sigprocmask(how: u32, set: &Set, old: Option<&mut Set>) -> bool {
    let old = old.map_or(0, |old| old as *mut Set as usize);
    let args = [how as usize, set as *const Set as usize, old, SET_SIZE, 0, 0];
    // SAFETY: reads SET_SIZE bytes of `set` and writes as many to `old`, both references of that size.
    unsafe { super::syscall(__NR_rt_sigprocmask, args) }.is_ok()
}

/// Runs `work` with every signal blocked that can be; with none, where a filter takes the call away.
pub(crate) fn with_signals_blocked<T>(work: impl FnOnce() -> T) -> T {
    let mut old = Set::default();
    let blocked = sigprocmask(SIG_BLOCK, &[usize::MAX; SET_SIZE / size_of::<usize>()], Some(&mut old));
    let result = work();
    if blocked {
        sigprocmask(SIG_SETMASK, &old, None);
    }
    result
}

/// The kernel's `struct sigaction`.
#[cfg(not(any(target_arch = "mips", target_arch = "mips64", target_arch = "mips64r6")))]
#[repr(C)]
struct Action {
    handler: usize,
    flags: usize,
    #[cfg(not(any(target_arch = "riscv64", target_arch = "riscv32", target_arch = "loongarch64")))]
    restorer: usize,
    mask: Set,
}

#[cfg(any(target_arch = "mips", target_arch = "mips64", target_arch = "mips64r6"))]
#[repr(C)]
struct Action {
    flags: u32,
    handler: usize,
    mask: Set,
}

/// Makes `handler`, which ends the process, what the process does on `signal`.
pub(crate) fn end_with(signal: u32, handler: extern "C" fn(i32) -> !) -> Result<(), Errno> {
    let handler = handler as *const () as usize;
    let action = Action {
        handler,
        flags: FLAGS as _,
        #[cfg(not(any(
            target_arch = "riscv64",
            target_arch = "riscv32",
            target_arch = "loongarch64",
            target_arch = "mips",
            target_arch = "mips64",
            target_arch = "mips64r6"
        )))]
        restorer: handler,
        mask: Set::default(),
    };
    let args = [signal as usize, &raw const action as usize, 0, SET_SIZE, 0, 0];
    // SAFETY: the kernel reads one sigaction. The handler is a function of the C ABI, which does not return, and so
    // does not use the restorer.
    unsafe { super::syscall(__NR_rt_sigaction, args) }.map(|_| ())
}

/// Blocks every signal but `signal`; whether that was possible.
pub(crate) fn unblock_only(signal: u32) -> bool {
    let mut set = [usize::MAX; SET_SIZE / size_of::<usize>()];
    let bit = signal.wrapping_sub(1);
    let Some(bits) = set.get_mut((bit / usize::BITS) as usize) else { return false };
    *bits &= !(1 << (bit % usize::BITS));
    sigprocmask(SIG_SETMASK, &set, None)
}
