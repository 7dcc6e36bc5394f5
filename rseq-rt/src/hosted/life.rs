//! How a thread begins and ends where std starts it.

use crate::sys::{self, FutexKey};
use crate::thread::builder::Builder;
use crate::thread::data::{Control, ThreadData};
use crate::thread::memory::Parts;
use crate::thread::packet::{self, Finished, Outcome};
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering;
use rseq_core::sys::Errno;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};

/// What unwinds the stack of a thread that ends without a result.
struct Exited;

struct Sent(NonNull<Control>);

// SAFETY: the packet is the new thread's, which it is sent to.
unsafe impl Send for Sent {}

/// Starts the thread.
///
/// # Errors
///
/// EAGAIN where std starts none, ENOSYS for a process.
///
/// # Safety
///
/// The packet is in place, and no thread uses it.
pub unsafe fn begin(control: NonNull<Control>, _: &Parts, builder: Builder) -> Result<(), Errno> {
    if builder.is_process {
        return Err(Errno::ENOSYS);
    }
    let (sender, receiver) = sync_channel(1);
    let sent = Sent(control);
    // SAFETY: the caller's promise.
    let thread = move || unsafe { run(sent, &sender) };
    let started = std::thread::Builder::new().stack_size(builder.stack_size).spawn(thread);
    started.map_err(|error| error.raw_os_error().map_or(Errno::EAGAIN, Errno))?;
    // From here on the packet says who runs it, or that it has ended.
    let _ = receiver.recv();
    Ok(())
}

/// # Safety
///
/// The packet is in place, and the calling thread's alone.
unsafe fn run(Sent(control): Sent, started: &SyncSender<()>) {
    // SAFETY: the packet lives until the thread says that it is gone, or unmaps it itself.
    unsafe {
        let shared = control.as_ptr();
        (*shared).tid.store(sys::gettid(), Ordering::Release);
        ThreadData::belongs_here(&raw const (*shared).data);
        let _ = started.send(());
        let outcome = match catch_unwind(AssertUnwindSafe(|| packet::run(control))) {
            Ok(()) => Outcome::Returned,
            Err(payload) if payload.is::<Exited>() => Outcome::Exited,
            Err(_) => Outcome::Panicked,
        };
        let finished = finish(control, outcome);
        // What std drops now has data of another kind.
        ThreadData::belongs_here(ptr::null());
        if finished.owns_memory {
            finished.memory.unmap();
        } else {
            let tid = (*shared).tid.as_ptr();
            (*shared).tid.store(0, Ordering::Release);
            sys::futex_wake_all_by(tid, FutexKey::Shared);
        }
    }
}

/// As [`packet::finish`], with destructors that may end the thread, or panic: std ends the process then, too.
///
/// # Safety
///
/// That of [`packet::finish`].
unsafe fn finish(control: NonNull<Control>, mut outcome: Outcome) -> Finished {
    loop {
        // SAFETY: the caller's promise for the first call. The thread calls it again only if a destructor of the
        // earlier call has called `exit`.
        match catch_unwind(AssertUnwindSafe(|| unsafe { packet::finish(control, outcome) })) {
            Ok(finished) => return finished,
            Err(payload) if payload.is::<Exited>() => outcome = Outcome::Exited,
            Err(_) => {
                std::eprintln!("rseq-rt: a destructor has panicked at the end of a thread");
                std::process::abort();
            }
        }
    }
}

/// Ends the calling thread, whose closure has not returned, or whose destructors run.
///
/// # Safety
///
/// See [`exit`](crate::thread::exit).
pub unsafe fn end_without_result() -> ! {
    resume_unwind(Box::new(Exited))
}
