//! Signals: blocking them for a few instructions, and handlers in children of this process.

use super::{Errno, IS_MIPS};
use linux_raw_sys::general::{__NR_rt_sigaction, __NR_rt_sigprocmask, SIG_BLOCK, SIG_SETMASK};

/// Bytes of the kernel's signal set: 128 signals on MIPS, 64 elsewhere.
pub const SIGSET_BYTES: usize = if IS_MIPS { 16 } else { 8 };

/// The kernel's signal set: signal `n` is bit `n - 1`, from the lowest bit of the first word on. Words, as in a
/// `struct sigaction` it is aligned like one.
pub type SignalSet = [usize; SIGSET_BYTES / size_of::<usize>()];

/// Every signal.
const ALL: SignalSet = [usize::MAX; SIGSET_BYTES / size_of::<usize>()];

/// Whether the mask was changed.
fn sigprocmask(how: u32, set: &SignalSet, old: Option<&mut SignalSet>) -> bool {
    let old = old.map_or(0, |old| old as *mut SignalSet as usize);
    let args = [how as usize, set as *const SignalSet as usize, old, SIGSET_BYTES, 0, 0];
    // SAFETY: the kernel reads `SIGSET_BYTES` bytes of `set`, and writes as many to `old` unless that is 0. Both come
    // from references to arrays of that size.
    unsafe { super::syscall(__NR_rt_sigprocmask, args) }.is_ok()
}

/// Runs `work` with every signal blocked that can be, or with none, where a filter refuses the call.
pub(crate) fn with_signals_blocked<T>(work: impl FnOnce() -> T) -> T {
    let mut old = SignalSet::default();
    let blocked = sigprocmask(SIG_BLOCK, &ALL, Some(&mut old));
    let result = work();
    if blocked {
        sigprocmask(SIG_SETMASK, &old, None);
    }
    result
}

/// The kernel's `struct sigaction`, which linux-raw-sys has in the generic order on MIPS too.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SignalAction {
    #[cfg(any(target_arch = "mips", target_arch = "mips64", target_arch = "mips64r6"))]
    flags: u32,
    handler: usize,
    #[cfg(not(any(target_arch = "mips", target_arch = "mips64", target_arch = "mips64r6")))]
    flags: usize,
    #[cfg(not(any(
        target_arch = "riscv64",
        target_arch = "riscv32",
        target_arch = "loongarch64",
        target_arch = "mips",
        target_arch = "mips64",
        target_arch = "mips64r6"
    )))]
    restorer: usize,
    mask: SignalSet,
}

impl SignalAction {
    /// The handler is a function's address, `SIG_DFL` (0) or `SIG_IGN` (1); the mask is empty. x86-64 alone takes no
    /// handler without a restorer, the address of code that calls `rt_sigreturn(2)`; other architectures do without.
    pub fn new(handler: usize, flags: u32, restorer: usize) -> Self {
        #[cfg(target_arch = "x86_64")]
        let flags = flags | linux_raw_sys::general::SA_RESTORER;
        let _ = restorer;
        Self {
            handler,
            flags: flags as _,
            #[cfg(not(any(
                target_arch = "riscv64",
                target_arch = "riscv32",
                target_arch = "loongarch64",
                target_arch = "mips",
                target_arch = "mips64",
                target_arch = "mips64r6"
            )))]
            restorer,
            mask: SignalSet::default(),
        }
    }

    /// The handler that it was made with, or that the kernel wrote.
    pub const fn handler(&self) -> usize {
        self.handler
    }
}

/// Makes `handler`, which ends the process, what the process does on `signal`.
pub(crate) fn end_with(signal: u32, handler: extern "C" fn(i32) -> !) -> Result<(), Errno> {
    let handler = handler as *const () as usize;
    let action = SignalAction::new(handler, 0, handler);
    let args = [signal as usize, &raw const action as usize, 0, SIGSET_BYTES, 0, 0];
    // SAFETY: the kernel reads one sigaction. The handler is a function of the C ABI, which does not return, so that
    // the restorer is never used.
    unsafe { super::syscall(__NR_rt_sigaction, args) }.map(|_| ())
}

/// Blocks every signal but `signal`; whether that was possible.
pub(crate) fn unblock_only(signal: u32) -> bool {
    let mut set = ALL;
    let bit = signal.wrapping_sub(1);
    let Some(bits) = set.get_mut((bit / usize::BITS) as usize) else { return false };
    *bits &= !(1 << (bit % usize::BITS));
    sigprocmask(SIG_SETMASK, &set, None)
}
