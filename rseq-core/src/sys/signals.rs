//! Holding signals back for a few instructions.

use linux_raw_sys::general::{__NR_rt_sigprocmask, SIG_BLOCK, SIG_SETMASK};

/// Bytes of the kernel's signal set: 128 signals on MIPS, 64 elsewhere.
const SET_SIZE: usize =
    if cfg!(any(target_arch = "mips", target_arch = "mips64", target_arch = "mips64r6")) { 16 } else { 8 };

type Set = [u64; SET_SIZE / 8];

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
    let blocked = sigprocmask(SIG_BLOCK, &[u64::MAX; SET_SIZE / 8], Some(&mut old));
    let result = work();
    if blocked {
        sigprocmask(SIG_SETMASK, &old, None);
    }
    result
}
