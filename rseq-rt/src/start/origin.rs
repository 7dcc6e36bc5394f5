//! Start-up by origin: it reads the auxiliary vector, maps and fills the main thread's TLS block, and sets the thread
//! pointer.

use super::run::run;
use crate::before_main::BeforeMain;
use crate::env::InitialStack;
use crate::process::refuse;
use crate::sys;
use linux_raw_sys::auxvec::{AT_EXECFN, AT_PAGESZ, AT_RANDOM};

/// origin 0.26.2 uses the soft limit of the stack, in bytes, as its size: it panics on `RLIM_INFINITY`, and subtracts
/// any other number from an address. During its start-up, the limit is at most this.
const TAME: u64 = 64 << 20;

/// The limits (soft, hard) to restore.
static UNTAMED: BeforeMain<[u64; 2]> = BeforeMain::new();

/// Starts the program.
///
/// # Safety
///
/// `stack` is the stack pointer with which the kernel started the program.
pub unsafe fn start(stack: *mut usize) -> ! {
    // SAFETY: the stack is as the kernel left it.
    let initial = unsafe { InitialStack::new(stack) };
    // origin uses these without checking them.
    if [AT_RANDOM, AT_EXECFN, AT_PAGESZ].iter().any(|&key| initial.auxv(key as usize).unwrap_or(0) == 0) {
        refuse("rseq-rt: the kernel left out one of AT_RANDOM, AT_EXECFN and AT_PAGESZ\n");
    }
    // SAFETY: this is the only thread.
    unsafe { tame_stack_limit() };
    // SAFETY: the stack is as the kernel left it.
    unsafe { origin::program::start(stack) }
}

/// # Safety
///
/// The process has one thread.
unsafe fn tame_stack_limit() {
    let Ok([soft, hard]) = sys::stack_limit(None) else { return };
    if soft > TAME && sys::stack_limit(Some([TAME, hard])).is_ok() {
        // SAFETY: by the caller's contract there is one thread, and the cell has not been read.
        unsafe { UNTAMED.set([soft, hard]) };
    }
}

/// origin calls this once the thread pointer is set. `argv` is its address on the initial stack, after `argc`.
///
/// # Safety
///
/// Only origin calls it, once.
#[unsafe(no_mangle)]
unsafe fn origin_main(_argc: usize, argv: *mut *mut u8, _envp: *mut *mut u8) -> i32 {
    if let Some(&limits) = UNTAMED.get() {
        // The hard limit has not changed, so the soft one can be restored.
        let _ = sys::stack_limit(Some(limits));
    }
    // SAFETY: the word before argv is argc, the lowest word of the kernel's initial stack.
    unsafe { run(argv.sub(1).cast()) }
}
