//! Signals: the kernel's set and action, blocking, and for child processes handlers and a timer.

use super::{Errno, IS_MIPS};
use linux_raw_sys::general::{
    __NR_rt_sigaction, __NR_rt_sigprocmask, __NR_setitimer, ITIMER_REAL, SIG_BLOCK, SIG_SETMASK,
};

/// Bytes of the kernel's signal set: 128 signals on MIPS, 64 elsewhere.
pub const SIGSET_BYTES: usize = if IS_MIPS { 16 } else { 8 };

/// The kernel's signal set: signal `n` is bit `n - 1`, from the lowest bit of the first word on. Words, as in a
/// `struct sigaction` it is aligned like one.
pub type SignalSet = [usize; SIGSET_BYTES / size_of::<usize>()];

/// Every signal.
const ALL: SignalSet = [usize::MAX; SIGSET_BYTES / size_of::<usize>()];

/// Calls `rt_sigprocmask(2)`, and returns whether it succeeded.
fn sigprocmask(how: u32, set: &SignalSet, old: Option<&mut SignalSet>) -> bool {
    let old = old.map_or(0, |old| old as *mut SignalSet as usize);
    let args = [how as usize, set as *const SignalSet as usize, old, SIGSET_BYTES, 0, 0];
    // SAFETY: the kernel reads `SIGSET_BYTES` bytes of `set`, and writes as many to `old` unless that is 0. Both
    // addresses come from references to arrays of that size, and `old`'s is exclusive.
    unsafe { super::syscall(__NR_rt_sigprocmask, args) }.is_ok()
}

/// The signals that were blocked before this thread blocked all; dropping it blocks no others, after a panic too.
struct Before(SignalSet);

impl Drop for Before {
    #[inline]
    fn drop(&mut self) {
        sigprocmask(SIG_SETMASK, &self.0, None);
    }
}

/// Runs `work` with all signals blocked that can be blocked. If a seccomp filter refuses the call, none is.
pub(crate) fn with_signals_blocked<T>(work: impl FnOnce() -> T) -> T {
    let mut old = SignalSet::default();
    let _before = sigprocmask(SIG_BLOCK, &ALL, Some(&mut old)).then_some(old).map(Before);
    work()
}

/// The signals that this thread blocks.
#[cfg(all(test, not(miri), not(rseq_stub)))]
pub(crate) fn blocked_signals() -> SignalSet {
    let mut set = SignalSet::default();
    assert!(sigprocmask(SIG_BLOCK, &SignalSet::default(), Some(&mut set)));
    set
}

/// Whether `struct sigaction` has the field `sa_restorer`.
const HAS_RESTORER: bool =
    !(IS_MIPS || cfg!(any(target_arch = "riscv64", target_arch = "riscv32", target_arch = "loongarch64")));

/// The kernel's `struct sigaction`. On MIPS, `sa_flags` comes first; linux-raw-sys has it second there too.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SignalAction {
    #[cfg(any(target_arch = "mips", target_arch = "mips64", target_arch = "mips64r6"))]
    flags: u32,
    handler: usize,
    #[cfg(not(any(target_arch = "mips", target_arch = "mips64", target_arch = "mips64r6")))]
    flags: usize,
    restorer: [usize; HAS_RESTORER as usize],
    mask: SignalSet,
}

impl SignalAction {
    /// An action with an empty mask. `handler` is the address of a function, `SIG_DFL` (0) or `SIG_IGN` (1).
    ///
    /// `restorer` is the address of code that calls `rt_sigreturn(2)`. Only x86-64 requires it for a handler; other
    /// architectures ignore it.
    pub fn new(handler: usize, flags: u32, restorer: usize) -> Self {
        #[cfg(target_arch = "x86_64")]
        let flags = flags | linux_raw_sys::general::SA_RESTORER;
        let restorer = [restorer; HAS_RESTORER as usize];
        Self { handler, flags: flags as _, restorer, mask: SignalSet::default() }
    }

    /// The handler that was passed to [`new`](Self::new), or that the kernel wrote.
    pub const fn handler(&self) -> usize {
        self.handler
    }
}

/// Sets the handler of `signal` to a function that ends the process.
pub(crate) fn end_with(signal: u32, handler: extern "C" fn(i32) -> !) -> Result<(), Errno> {
    let handler = handler as *const () as usize;
    let action = SignalAction::new(handler, 0, handler);
    let args = [signal as usize, &raw const action as usize, 0, SIGSET_BYTES, 0, 0];
    // SAFETY: the kernel reads one `struct sigaction` at the address of `action`, and writes none, as the third
    // argument is 0. The handler is a C function that does not return, so the restorer is never used.
    unsafe { super::syscall(__NR_rt_sigaction, args) }.map(|_| ())
}

/// Blocks all signals except `signal`, and returns whether that succeeded.
pub(crate) fn unblock_only(signal: u32) -> bool {
    let mut set = ALL;
    let bit = signal.wrapping_sub(1);
    let Some(bits) = set.get_mut((bit / usize::BITS) as usize) else { return false };
    *bits &= !(1 << (bit % usize::BITS));
    sigprocmask(SIG_SETMASK, &set, None)
}

/// Sends SIGALRM to the process after `microseconds`, and again each time as many have passed.
pub(crate) fn alarm_after(microseconds: usize) -> Result<(), Errno> {
    // Two timevals of two longs each: interval, value.
    let (seconds, rest) = (microseconds / 1_000_000, microseconds % 1_000_000);
    let timer = [seconds, rest, seconds, rest];
    // SAFETY: the kernel reads one itimerval, and is given nowhere to write.
    unsafe { super::syscall(__NR_setitimer, [ITIMER_REAL as usize, &raw const timer as usize, 0, 0, 0, 0]) }.map(|_| ())
}
