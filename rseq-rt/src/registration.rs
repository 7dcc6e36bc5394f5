//! Registers the area of every thread, and exports the registration to other code. All contact with rseq-core's
//! registration is here.

use crate::before_main::BeforeMain;
use crate::process::{USAGE, exit_now};
use crate::{env, eprintln};
use core::fmt;
use core::sync::atomic::{AtomicIsize, AtomicU32, Ordering};
use linux_raw_sys::auxvec::AT_SECURE;
use rseq_core::{KernelRseq, Mode, OwnArea, RegisterError, Registration, Token};

// The four symbols by which other code finds the registration. They are weak, like rseq-core's references to them:
// link-time optimisation can put both into one unit, where a symbol has one binding.
core::arch::global_asm!(
    ".pushsection .data.__rseq_symbols, \"aw\", %progbits",
    ".balign 8",
    ".weak __rseq_offset, __rseq_size, __rseq_flags, __rseq_core_runtime",
    ".type __rseq_offset, %object",
    ".type __rseq_size, %object",
    ".type __rseq_flags, %object",
    ".type __rseq_core_runtime, %object",
    ".size __rseq_offset, {word}",
    ".size __rseq_size, 4",
    ".size __rseq_flags, 4",
    ".size __rseq_core_runtime, 4",
    "__rseq_offset: .zero 8",
    "__rseq_size: .zero 4",
    "__rseq_flags: .zero 4",
    "__rseq_core_runtime: .zero 4",
    ".popsection",
    word = const size_of::<isize>(),
);

#[allow(non_upper_case_globals, reason = "the names are an interface")]
unsafe extern "C" {
    /// glibc's symbol: the distance in bytes from the thread pointer to the thread's `struct rseq`.
    safe static __rseq_offset: AtomicIsize;
    /// glibc's symbol: the active bytes of the registered area; 0 if there is no registration.
    safe static __rseq_size: AtomicU32;
    /// glibc's symbol: the flags that the registrations were made with.
    safe static __rseq_flags: AtomicU32;
    /// Marks the three symbols above as those of a runtime, not a libc, for rseq-core.
    safe static __rseq_core_runtime: AtomicU32;
}

static STATUS: BeforeMain<Result<Mode, NotRegistered>> = BeforeMain::new();

/// Why threads are not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotRegistered {
    /// `RSEQ_RT=off`: the program registers threads itself, or uses no rseq.
    Off,
    /// The kernel, or a filter, refused.
    Refused(RegisterError),
}

impl fmt::Display for NotRegistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("switched off by RSEQ_RT=off"),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for NotRegistered {}

/// The kernel's rseq features, from the auxiliary vector.
pub fn kernel() -> KernelRseq {
    KernelRseq::read()
}

/// Gives rseq-core the facts that the kernel left on the initial stack.
fn provide_kernel() {
    let [feature_size, align] = [KernelRseq::AT_FEATURE_SIZE, KernelRseq::AT_ALIGN].map(env::auxv);
    // SAFETY: the values come from the vector that the kernel wrote for this process.
    unsafe { KernelRseq::from_auxv(feature_size, align) }.provide();
}

/// How the main thread was registered before `main`. Every later thread is registered in the same way.
///
/// # Errors
///
/// Why it was not registered.
pub fn registration() -> Result<Mode, NotRegistered> {
    STATUS.get().copied().unwrap_or(Err(NotRegistered::Off))
}

/// The proof that this thread is registered, which sections need; `None` if it is not.
#[inline]
pub fn current() -> Option<Token<'static, OwnArea>> {
    OwnArea::current()
}

/// The mode that `RSEQ_RT` selects; `None` is `off`. Ends the program on any other value. A program that runs with more
/// rights than its caller (`AT_SECURE`) ignores the variable.
fn wanted() -> Option<Mode> {
    if env::auxv(AT_SECURE as usize).is_some_and(|secure| secure != 0) {
        return Some(Mode::Extended);
    }
    match env::var_bytes("RSEQ_RT") {
        None | Some(b"" | b"extended") => Some(Mode::Extended),
        Some(b"legacy") => Some(Mode::Legacy),
        Some(b"off") => None,
        Some(value) => {
            let value = core::str::from_utf8(value).unwrap_or(env::NOT_UTF8);
            eprintln!("rseq-rt: RSEQ_RT={value}: expected extended, legacy or off");
            exit_now(USAGE)
        }
    }
}

/// Registers the main thread and fills in the exported symbols.
///
/// # Safety
///
/// The process has one thread, its thread pointer is set, and the status has not been read yet.
pub unsafe fn before_main() {
    provide_kernel();
    __rseq_core_runtime.store(1, Ordering::Relaxed);
    __rseq_offset.store(OwnArea.offset(), Ordering::Relaxed);
    __rseq_flags.store(0, Ordering::Relaxed);
    let status = register_main();
    // SAFETY: the process has one thread, and there is no reference to the status yet, by the caller's contract.
    unsafe { STATUS.set(status) };
}

fn register_main() -> Result<Mode, NotRegistered> {
    let mode = wanted().ok_or(NotRegistered::Off)?;
    // SAFETY: the registration is never released: the main thread's TLS block lasts as long as the process. This is not
    // a child of `vfork` that shares its parent's thread pointer: it has executed this program since. The facts come
    // from the kernel.
    let registration = unsafe { Registration::<OwnArea>::runtime(mode) }.map_err(NotRegistered::Refused)?;
    let len = registration.registered_len().unwrap_or(0);
    __rseq_size.store(kernel().active_size().min(len), Ordering::Relaxed);
    // It lasts as long as the process.
    core::mem::forget(registration);
    Ok(mode)
}

/// A created thread's registration.
pub struct OfThread(Option<Registration<OwnArea>>);

impl OfThread {
    /// Registers this thread like the main thread. After a refusal it stays unregistered, and [`current`] is `None`.
    ///
    /// # Safety
    ///
    /// [`leave`](Self::leave) is called before the thread's TLS block is freed, and the block stays if that returns
    /// false.
    pub unsafe fn enter() -> Self {
        // SAFETY: by the caller's contract the area is released before its memory is freed, or the memory stays. The
        // thread has its own TLS block, and the facts come from the kernel.
        Self(registration().ok().and_then(|mode| unsafe { Registration::<OwnArea>::runtime(mode) }.ok()))
    }

    /// Releases the area. Returns false if the kernel may still write it, because a filter that was installed later
    /// refuses the call. Its memory must then stay until the thread is gone.
    #[must_use]
    pub fn leave(self) -> bool {
        if let Some(registration) = self.0 {
            let _ = registration.release();
        }
        // Whatever the call returned: a kernel that has released the area has written -1 as the CPU.
        current().is_none()
    }
}
