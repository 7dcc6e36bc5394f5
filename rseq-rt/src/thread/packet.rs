//! The packet that a thread and its handle share, and what both do with it.

use super::data::{Control, ScopeState, ThreadData};
use super::memory::Memory;
use super::name::Name;
use crate::registration::OfThread;
use crate::sys;
use core::cell::Cell;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU32, Ordering};

/// The thread runs, and its handle exists.
const RUNNING: u32 = 0;
/// The handle was dropped: the thread frees its memory itself.
const DETACHED: u32 = 1;
/// The closure has returned: the owner of the handle takes the result and frees the memory.
const FINISHED: u32 = 2;
/// As [`FINISHED`], but the thread has called [`exit`](super::exit), and there is no result.
const EXITED: u32 = 3;

impl Control {
    /// Detaches the thread, and returns whether it is running. If so, it drops its result and frees its memory itself.
    pub(super) fn detach(&self) -> bool {
        self.state.compare_exchange(RUNNING, DETACHED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether the closure has returned, or has called [`exit`](super::exit).
    pub(super) fn is_finished(&self) -> bool {
        matches!(self.state.load(Ordering::Acquire), FINISHED | EXITED)
    }

    /// Whether the closure has returned.
    pub(super) fn has_result(&self) -> bool {
        self.state.load(Ordering::Acquire) == FINISHED
    }
}

#[repr(C)]
pub(super) struct Packet<F, T> {
    control: Control,
    pub(super) function: MaybeUninit<F>,
    pub(super) result: MaybeUninit<T>,
}

impl<F: FnOnce() -> T, T> Packet<F, T> {
    /// Initialises the packet of the thread with this identifier and memory. It is never on the stack, which a large or
    /// highly aligned result would overflow.
    ///
    /// # Safety
    ///
    /// `place` has the layout of this type, and nothing else uses it.
    #[inline]
    pub(super) unsafe fn init(
        place: NonNull<Self>,
        id: usize,
        memory: Memory,
        name: Name,
        scope: Option<&ScopeState>,
        function: F,
    ) {
        let control = Control {
            tid: AtomicU32::new(0),
            state: AtomicU32::new(RUNNING),
            memory,
            data: ThreadData::new(id, memory.guard(), place.cast().as_ptr()),
            name,
            next_kept: ptr::null_mut(),
            scope: scope.map_or(ptr::null(), ptr::from_ref),
            in_scope: Cell::new([ptr::null_mut(); 2]),
            run: Self::run,
            drop_result: Self::drop_result,
        };
        // SAFETY: the caller guarantees memory for a packet that nothing else uses. The result stays uninitialised.
        unsafe {
            (&raw mut (*place.as_ptr()).control).write(control);
            (&raw mut (*place.as_ptr()).function).write(MaybeUninit::new(function));
        }
    }

    /// # Safety
    ///
    /// `control` is the first field of a packet of this type, whose closure has not been called. No other thread uses
    /// the closure or the result during the call.
    unsafe fn run(control: NonNull<Control>) {
        let packet = control.cast::<Self>().as_ptr();
        // SAFETY: the caller guarantees that the packet is of this type, as `Control` is the first field of a `repr(C)`
        // structure, and that only this thread uses the closure and the result. The closure is initialised and is moved
        // out once, because it has not been called before and is called once.
        unsafe {
            let function = (*packet).function.as_ptr().read();
            (*packet).result.as_mut_ptr().write(function());
        }
    }

    /// # Safety
    ///
    /// `control` is the first field of a packet of this type that has a result, which is not used by other threads, nor
    /// after this call.
    unsafe fn drop_result(control: NonNull<Control>) {
        // SAFETY: the caller guarantees that the packet is of this type, and that its result is initialised and is no
        // longer used.
        unsafe { ptr::drop_in_place((*control.cast::<Self>().as_ptr()).result.as_mut_ptr()) };
    }
}

/// Sets up the calling thread, registers it for rseq, and calls its closure.
///
/// # Safety
///
/// The packet is that of the calling thread, which has not called this before, and which calls [`finish`] before it
/// ends.
pub(super) unsafe fn run(control: NonNull<Control>) {
    // SAFETY: `start` initialised the packet. It is mapped until the thread has ended, or until the thread itself
    // unmaps it after `finish`. `finish` releases the registration of `OfThread::enter`. `Control::run` is for this
    // packet's type; its closure has not been called before, and the handle uses the result only after the thread has
    // finished.
    unsafe {
        let shared = control.as_ptr();
        (*shared).memory.watch();
        (*shared).data.registration.set(Some(OfThread::enter()));
        if (*shared).name.is_given() {
            let _ = sys::set_thread_name(&(*shared).name.0);
        }
        ((*shared).run)(control);
    }
}

/// The state of a thread after [`finish`].
pub(super) struct Finished {
    pub(super) memory: Memory,
    /// Whether the thread must free its memory itself.
    pub(super) is_detached: bool,
    /// Whether the rseq area was released, so that the kernel no longer writes to it.
    pub(super) is_released: bool,
}

/// Passes the result of a thread to its handle, and drops its thread-locals. There is a result if `has_returned`.
///
/// # Safety
///
/// The packet is that of the calling thread, which has called [`run`] and has not called this before. If
/// `has_returned`, `run` has returned. Other threads use nothing on this thread's stack afterwards.
pub(super) unsafe fn finish(control: NonNull<Control>, has_returned: bool) -> Finished {
    let shared = control.as_ptr();
    let outcome = if has_returned { FINISHED } else { EXITED };
    // SAFETY: the packet is mapped: its handle or its scope unmaps it only after the thread has ended, and if the
    // handle was dropped, the thread itself does so after this call. In that case the result is used by no other
    // thread, and the packet is removed from the scope's list before `finished` lets the scope end, so that `scope` is
    // valid.
    unsafe {
        let (memory, scope) = ((*shared).memory, (*shared).scope.as_ref());
        let finish = (*shared).state.compare_exchange(RUNNING, outcome, Ordering::AcqRel, Ordering::Acquire);
        let is_detached = finish.is_err();
        if is_detached && has_returned {
            ((*shared).drop_result)(control);
        }
        (*shared).data.locals.destroy();
        let registration = (*shared).data.registration.take();
        if let Some(scope) = scope {
            if is_detached {
                scope.remove(control);
            }
            scope.finished();
        }
        Finished { memory, is_detached, is_released: registration.is_none_or(OfThread::leave) }
    }
}

/// Waits until a thread that has finished is gone, drops its result, and unmaps its memory.
///
/// # Safety
///
/// The thread has left its result to its handle, which has been dropped or forgotten. This is called once.
pub unsafe fn give_back(control: NonNull<Control>) {
    // SAFETY: the packet is mapped until this unmaps it, because only the owner of the handle does so. After the thread
    // is gone, nothing else uses it, and it has a result unless its state is EXITED. Its scope, if there is one, has
    // not ended, because it calls this itself or borrows the handle.
    unsafe {
        let shared = control.as_ptr();
        wait_until_gone(&(*shared).tid);
        leave_scope(control);
        if (*shared).state.load(Ordering::Acquire) != EXITED {
            ((*shared).drop_result)(control);
        }
        (*shared).memory.unmap();
    }
}

/// # Safety
///
/// The packet is mapped, no other thread uses it, and its scope, if it has one, has not ended.
pub(super) unsafe fn leave_scope(control: NonNull<Control>) {
    // SAFETY: the caller guarantees that the packet and its scope can be used. `start` inserted it in the scope's list.
    unsafe {
        if let Some(scope) = (*control.as_ptr()).scope.as_ref() {
            scope.remove(control);
        }
    }
}

/// Waits until the thread whose ID is in `word` has ended.
pub(super) fn wait_until_gone(word: &AtomicU32) {
    loop {
        match word.load(Ordering::Acquire) {
            0 => return,
            // The kernel wakes this futex at the end of the thread, as a shared one.
            tid => sys::futex_wait(word, tid, sys::FutexKey::Shared),
        }
    }
}
