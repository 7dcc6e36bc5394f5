//! Signals and their handlers.

use linux_raw_sys::general as raw;
use rseq_core::sys::{Errno, SIGSET_BYTES, SignalAction, SignalSet};

use super::{Harmless, call, harmless};

/// What a signal does.
#[derive(Clone, Copy)]
pub enum Action {
    /// The default.
    Default,
    /// Nothing.
    Ignore,
    /// Calls the function on the interrupted thread's stack.
    Handler(extern "C" fn(i32)),
    /// Calls the function on the alternate stack.
    OnAlternateStack(extern "C" fn(i32)),
    /// Calls the function, which the same signal may interrupt.
    Nested(extern "C" fn(i32)),
    /// Calls the function with the kernel's `siginfo` and `ucontext`, which it may change.
    WithContext(extern "C" fn(i32, *mut u8, *mut u8)),
}

/// Sets what `signal` does in this process.
pub fn set(signal: u32, action: Action) -> Result<(), Errno> {
    let (handler, flags) = match action {
        Action::Default => (0, 0),
        Action::Ignore => (1, 0),
        Action::Handler(function) => (function as usize, raw::SA_RESTART),
        Action::OnAlternateStack(function) => (function as usize, raw::SA_RESTART | raw::SA_ONSTACK),
        Action::Nested(function) => (function as usize, raw::SA_RESTART | raw::SA_NODEFER),
        Action::WithContext(function) => (function as usize, raw::SA_RESTART | raw::SA_SIGINFO),
    };
    let action = SignalAction::new(handler, flags, restorer());
    let args = [signal as usize, &raw const action as usize, 0, SIGSET_BYTES];
    // SAFETY: the kernel reads one sigaction; the handlers are functions of the C ABI that live as long as the program.
    unsafe { call(raw::__NR_rt_sigaction, args) }.map(|_| ())
}

/// Sends `signal` to the thread `tid` of the process `pid`.
pub fn send(pid: u32, tid: u32, signal: u32) -> Result<(), Errno> {
    harmless(Harmless::TgKill, [pid as usize, tid as usize, signal as usize]).map(|_| ())
}

/// Blocks or unblocks `signal` in this thread.
pub fn block(signal: u32, blocked: bool) -> Result<(), Errno> {
    let mut mask = SignalSet::default();
    let (word, bit) = position(signal);
    mask[word] = 1 << bit;
    let how = if blocked { raw::SIG_BLOCK } else { raw::SIG_UNBLOCK };
    change_mask(how, Some(&mask)).map(|_| ())
}

/// Whether `signal` is blocked in this thread, as it is in its handler.
pub fn is_blocked(signal: u32) -> Result<bool, Errno> {
    let (word, bit) = position(signal);
    Ok(change_mask(raw::SIG_BLOCK, None)?[word] >> bit & 1 == 1)
}

/// The word of a mask and the bit in it that stand for `signal`.
fn position(signal: u32) -> (usize, u32) {
    let bit = signal - 1;
    ((bit / usize::BITS) as usize, bit % usize::BITS)
}

/// Changes this thread's signal mask, and returns what it was.
fn change_mask(how: u32, mask: Option<&SignalSet>) -> Result<SignalSet, Errno> {
    let mut before = SignalSet::default();
    let new = mask.map_or(0, |mask| mask.as_ptr() as usize);
    let args = [how as usize, new, before.as_mut_ptr() as usize, SIGSET_BYTES];
    // SAFETY: the kernel reads one signal mask, or none, and writes one.
    unsafe { call(raw::__NR_rt_sigprocmask, args) }?;
    Ok(before)
}

/// Makes `stack` this thread's alternate signal stack.
///
/// # Safety
///
/// The memory must stay mapped until the thread ends or sets another one.
pub unsafe fn set_alternate_stack(start: usize, length: usize) -> Result<(), Errno> {
    let stack = raw::stack_t { ss_sp: start as *mut _, ss_flags: 0, ss_size: length as _ };
    // SAFETY: the kernel reads one stack_t; the caller keeps the memory.
    unsafe { call(raw::__NR_sigaltstack, [&raw const stack as usize, 0]) }.map(|_| ())
}

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".pushsection .text.test_bins_sigreturn,\"ax\",@progbits",
    ".globl __test_bins_sigreturn",
    "__test_bins_sigreturn:",
    "mov eax, {number}",
    "syscall",
    "ud2",
    ".popsection",
    number = const raw::__NR_rt_sigreturn,
);

/// x86-64 is the one architecture on which the kernel provides no return from a handler.
#[cfg(target_arch = "x86_64")]
fn restorer() -> usize {
    unsafe extern "C" {
        fn __test_bins_sigreturn();
    }
    __test_bins_sigreturn as *const () as usize
}

#[cfg(not(target_arch = "x86_64"))]
fn restorer() -> usize {
    0
}
