//! Threads that neither the libc nor a runtime registers: registered here, and released by the destructor of a
//! thread-local.

extern crate std;

use crate::cause::Cause;
use crate::registration::RegisterError;
use crate::{OwnArea, Owner, Registration, sys};
use core::cell::Cell;
use std::thread_local;

thread_local! {
    /// Why this thread is not registered, once that is final. It has no destructor, so it can be read at any time.
    static REFUSED: Cell<Option<Cause>> = const { Cell::new(None) };

    static THIS: ThisThread = const { ThisThread(Cell::new(None)) };
}

/// The registration of the thread, if it was made here.
struct ThisThread(Cell<Option<Registration<OwnArea>>>);

/// Registers this thread, unless it was refused before.
pub(super) fn register(_: Option<Owner>) -> Result<Owner, Cause> {
    match REFUSED.get() {
        Some(cause) => Err(cause),
        // A signal handler that registers too must not find the thread-local half made, nor the thread registered
        // without a thread-local that keeps the registration.
        None => sys::with_signals_blocked(register_blocked),
    }
}

fn register_blocked() -> Result<Owner, Cause> {
    // A signal handler has registered it, before signals were blocked.
    if OwnArea::current().is_some() {
        return Ok(Owner::Own);
    }
    if !pointer::is_of_this_thread() {
        // Not kept: the thread-locals belong to another thread.
        return Err(Cause::SharedThreadPointer);
    }
    let registered = THIS.try_with(ThisThread::register);
    let registered = registered.map_or(Err(Cause::ThreadEnds), |registered| registered.map_err(Cause::of));
    REFUSED.set(registered.err());
    registered.map(|()| Owner::Own)
}

impl ThisThread {
    fn register(&self) -> Result<(), RegisterError> {
        // The thread is not registered, so the registration that is kept has ended: other code released it.
        core::mem::forget(self.0.take());
        // SAFETY: `own_of_std` has the contract of `own`. Released before the memory is freed: the destructor of the
        // thread-local that keeps it does so. If a later filter refuses the release, the libc keeps the thread's memory
        // until the thread has ended, or a detached thread of musl's unmaps it in its last instructions: `rseq-core`'s
        // documentation of the feature `std` covers this case. Not a child of `vfork` or of another clone that shares
        // the thread pointer with a running thread: the libc's record says that the thread pointer is this thread's.
        // The facts come from the kernel.
        let registration = unsafe { Registration::<OwnArea>::own_of_std() }?;
        self.0.set(Some(registration));
        Ok(())
    }
}

impl Drop for ThisThread {
    fn drop(&mut self) {
        if let Some(registration) = self.0.take() {
            // If a filter refuses it, the thread stays registered and its sections continue to work.
            let _ = registration.release();
        }
    }
}

/// Which thread the thread pointer belongs to.
#[cfg(not(rseq_stub))]
mod pointer {
    use crate::sys;
    use core::ffi::c_int;

    unsafe extern "C" {
        safe fn pthread_self() -> usize;
        fn pthread_getcpuclockid(thread: usize, clock: *mut c_int) -> c_int;
    }

    /// Whether the libc's record at the thread pointer holds this thread's number. In a child of `vfork`, and after a
    /// `clone` without `CLONE_SETTLS`, it holds that of another thread.
    pub(super) fn is_of_this_thread() -> bool {
        let mut clock = 0;
        // SAFETY: the thread that the thread pointer belongs to exists: it is this one, or one whose memory this one
        // shares. The function computes a number from the libc's record of that thread, and writes it to `clock`.
        let error = unsafe { pthread_getcpuclockid(pthread_self(), &mut clock) };
        // A thread's clock is its number's complement, shifted by three bits: the kernel's interface.
        error == 0 && sys::thread_id() == Some(!(clock >> 3))
    }
}

/// No thread is registered here.
#[cfg(rseq_stub)]
mod pointer {
    pub(super) fn is_of_this_thread() -> bool {
        true
    }
}
