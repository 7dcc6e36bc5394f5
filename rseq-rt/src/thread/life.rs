//! Starting a thread by `clone(2)` on its own stack, and ending it.

use super::builder::Builder;
use super::data::{Control, ThreadData};
use super::kept;
use super::memory::Parts;
use super::packet::{self, Outcome};
use crate::backend::{CloneArgs, TLS, clone};
use crate::{sys, tls};
use core::ptr::NonNull;
use linux_raw_sys::general as nr;
use rseq_core::sys::Errno;

const FLAGS: u32 = nr::CLONE_VM
    | nr::CLONE_FS
    | nr::CLONE_FILES
    | nr::CLONE_SIGHAND
    | nr::CLONE_SYSVSEM
    | nr::CLONE_SETTLS
    | nr::CLONE_PARENT_SETTID
    | nr::CLONE_CHILD_CLEARTID;

/// Starts the thread.
///
/// # Errors
///
/// Those of `clone(2)`. No thread was started.
///
/// # Safety
///
/// The packet is initialised, `parts` are those of its mapping, and no thread uses them.
pub unsafe fn begin(control: NonNull<Control>, parts: &Parts, builder: Builder) -> Result<(), Errno> {
    // SAFETY: the caller guarantees an initialised packet that no thread uses. The stack pointer is aligned, with room
    // for a word. The runtime placed the TLS block, and the data is in the packet, which is mapped while the thread
    // runs.
    let tid = unsafe {
        parts.stack.write(control.as_ptr() as usize);
        ThreadData::belongs_to(&raw const (*control.as_ptr()).data, parts.thread_pointer);
        (*control.as_ptr()).tid.as_ptr() as usize
    };
    let args = CloneArgs {
        flags: (FLAGS | if builder.is_process { nr::SIGCHLD } else { nr::CLONE_THREAD }) as usize,
        stack: parts.stack as usize,
        parent_tid: tid,
        child_tid: tid,
        tls: parts.thread_pointer,
    };
    // SAFETY: the stack, the TLS block and the tid word are in the mapping of the new thread, which only it uses, and
    // which is not unmapped before it has ended.
    match unsafe { clone(&args) } {
        error @ -4095..=-1 => Err(Errno(-error as i32)),
        _ => Ok(()),
    }
}

/// The first Rust code of a thread.
///
/// # Safety
///
/// Only the trampoline of `__rseq_rt_clone` calls this, with the packet of the new thread.
#[unsafe(no_mangle)]
unsafe extern "C" fn __rseq_rt_thread(control: NonNull<Control>) -> ! {
    tls::check_thread_pointer(TLS);
    // SAFETY: `__rseq_rt_clone` passes the packet of this thread, and calls this once. `end` calls `finish` after
    // `run`, and does not return.
    unsafe {
        packet::run(control);
        end(control, Outcome::Returned)
    }
}

/// Ends the calling thread, whose closure has not returned, or whose destructors run.
///
/// # Safety
///
/// See [`exit`](super::exit).
pub unsafe fn end_without_result() -> ! {
    let data = ThreadData::current();
    if data.is_main() {
        data.locals.destroy();
        sys::exit_thread();
    }
    // SAFETY: the packet is not null in a thread other than the main one, and is this thread's, whose first code called
    // `run`. `finish` was called before only if one of the destructors that it runs has called this. The caller
    // guarantees that nothing on this stack is used afterwards.
    unsafe { end(NonNull::new_unchecked(data.control.cast_mut()), Outcome::Exited) }
}

/// The last Rust code of a thread.
///
/// # Safety
///
/// That of [`packet::finish`].
unsafe fn end(control: NonNull<Control>, outcome: Outcome) -> ! {
    // SAFETY: the caller guarantees what `finish` requires.
    let finished = unsafe { packet::finish(control, outcome) };
    if finished.owns_memory && finished.is_released && sys::forget_child_tid().is_ok() {
        // SAFETY: this is the thread's own memory. Its handle was dropped, so that no other thread uses it, and the
        // kernel will not clear the tid word or write the rseq area.
        unsafe { finished.memory.unmap_and_exit() }
    }
    if finished.owns_memory {
        // SAFETY: the handle was dropped, so that only this thread uses the packet, and it does not do so after this
        // call. The kernel clears `tid` when the thread has ended.
        unsafe { kept::keep(control) };
    }
    sys::exit_thread()
}
