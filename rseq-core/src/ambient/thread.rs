//! Threads that neither the libc nor a runtime registers: registered here, and released by the destructor of a
//! thread-local.

extern crate std;

use crate::registration::RegisterError;
use crate::status::Cause;
use crate::{OwnArea, Owner, Registration, sys};
use core::cell::Cell;
use std::thread_local;

thread_local! {
    /// Why this thread is not registered, once that is known for good. It has no destructor, so it can be read at any
    /// time.
    static REFUSED: Cell<Option<Cause>> = const { Cell::new(None) };

    static THIS: ThisThread = const { ThisThread(Cell::new(None)) };
}

/// The registration of the thread, if it was made here.
struct ThisThread(Cell<Option<Registration<OwnArea>>>);

/// Registers this thread, unless it was refused before.
pub(super) fn register(_: Option<Owner>) -> Result<Owner, Cause> {
    match REFUSED.get() {
        Some(cause) => Err(cause),
        // A signal handler that comes here too must not find the thread-local half made, nor the thread registered by a
        // registration that no thread-local keeps yet.
        None => sys::with_signals_blocked(register_blocked),
    }
}

fn register_blocked() -> Result<Owner, Cause> {
    // By a signal handler, before signals were blocked.
    if OwnArea::current().is_some() {
        return Ok(Owner::Own);
    }
    if !pointer::is_of_this_thread() {
        // Not kept: the thread-locals are another thread's.
        return Err(Cause::SharedThreadPointer);
    }
    let registered = THIS.try_with(ThisThread::register);
    let registered = registered.map_or(Err(Cause::ThreadEnds), |registered| registered.map_err(Cause::of));
    REFUSED.set(registered.err());
    registered.map(|()| Owner::Own)
}

impl ThisThread {
    fn register(&self) -> Result<(), RegisterError> {
        // The thread is not registered, so what is kept is no registration any more: other code released it.
        core::mem::forget(self.0.take());
        // SAFETY: the destructor of the thread-local that keeps it releases it before the thread's memory goes. If a
        // filter that came since refuses the release, the libc's memory of the thread stays until the thread has ended,
        // or is unmapped by the thread's last instructions (a detached thread of musl's): `rseq-core`'s documentation
        // of the feature `std` has this case. The libc's own record says that the thread pointer is this thread's, so
        // this is no child of `vfork`, nor another clone that shares it with a running thread. The kernel's facts are
        // the kernel's own.
        let registration = unsafe { Registration::<OwnArea>::own_of_std() }?;
        self.0.set(Some(registration));
        Ok(())
    }
}

impl Drop for ThisThread {
    fn drop(&mut self) {
        if let Some(registration) = self.0.take() {
            // If a filter refuses it, the thread stays registered and its sections go on working.
            let _ = registration.release();
        }
    }
}

/// Whose thread pointer this is.
#[cfg(not(rseq_stub))]
mod pointer {
    use crate::sys;
    use core::ffi::c_int;

    unsafe extern "C" {
        safe fn pthread_self() -> usize;
        fn pthread_getcpuclockid(thread: usize, clock: *mut c_int) -> c_int;
    }

    /// Whether the libc keeps this thread's number behind the thread pointer. It keeps that of another thread in a
    /// child of `vfork`, and after a `clone` without `CLONE_SETTLS`.
    pub(super) fn is_of_this_thread() -> bool {
        let mut clock = 0;
        // SAFETY: the thread that the thread pointer belongs to exists: it is this one, or one whose memory this one
        // shares and uses. The function computes a number from the libc's record of it, and writes it to `clock`.
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
