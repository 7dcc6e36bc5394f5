//! The packet that a thread and its handle share, and what both do with it.

use super::builder::Builder;
use super::data::{Control, ScopeState, ThreadData};
use super::kept;
use super::memory::Memory;
use crate::registration::OfThread;
use crate::sys;
use core::cell::Cell;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU32, Ordering};

/// The thread runs, and its handle exists.
const RUNNING: u32 = 0;
/// The handle was dropped: the thread drops its result itself, and frees its memory, unless it is a child process.
const DETACHED: u32 = 1;
/// The closure has returned: the owner of the handle takes the result and frees the memory.
const FINISHED: u32 = 2;
/// As [`FINISHED`], but the thread has called [`exit`](super::exit), and there is no result.
const EXITED: u32 = 3;
/// As [`EXITED`], but the closure has panicked, and its panic has been caught.
const PANICKED: u32 = 4;

/// How a closure has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It has returned, and has left its result.
    Returned,
    /// It has called [`exit`](super::exit).
    Exited,
    /// It has panicked, where panics unwind.
    Panicked,
}

impl Control {
    /// Detaches the thread, and returns whether its closure has not ended. If so, it drops its result itself.
    pub(super) fn detach(&self) -> bool {
        self.state.compare_exchange(RUNNING, DETACHED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether the closure has ended, or the child process that ran it.
    pub(super) fn is_finished(&self) -> bool {
        self.is_gone() || matches!(self.state.load(Ordering::Acquire), FINISHED | EXITED | PANICKED)
    }

    /// Whether the thread has ended.
    pub(super) fn is_gone(&self) -> bool {
        self.tid.load(Ordering::Acquire) == 0
    }

    /// Whether the closure has returned.
    pub(super) fn has_result(&self) -> bool {
        self.state.load(Ordering::Acquire) == FINISHED
    }

    /// Why a thread that has ended has no result.
    pub(super) fn lost(&self) -> &'static str {
        match self.state.load(Ordering::Acquire) {
            EXITED => "it called thread::exit",
            PANICKED => "the thread has panicked",
            _ => "the child process has ended before its closure returned",
        }
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
        options: &Builder,
        scope: Option<&ScopeState>,
        function: F,
    ) {
        let control = Control {
            tid: AtomicU32::new(0),
            state: AtomicU32::new(RUNNING),
            memory,
            data: ThreadData::new(id, memory.guard(), place.cast().as_ptr()),
            name: options.name,
            is_process: options.is_process,
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
    pub(super) owns_memory: bool,
    /// Whether the rseq area was released, so that the kernel no longer writes to it.
    pub(super) is_released: bool,
}

/// Passes the result of a thread to its handle, and drops its thread-locals.
///
/// # Safety
///
/// The packet is that of the calling thread, which has called [`run`]. If the outcome is `Returned`, `run` has
/// returned. The thread has not called this before, unless a destructor of the earlier call has called
/// [`exit`](super::exit): then the earlier call does not continue, and the outcome is `Exited`. Other threads use
/// nothing on this thread's stack afterwards.
pub(super) unsafe fn finish(control: NonNull<Control>, outcome: Outcome) -> Finished {
    let shared = control.as_ptr();
    let state = match outcome {
        Outcome::Returned => FINISHED,
        Outcome::Exited => EXITED,
        Outcome::Panicked => PANICKED,
    };
    // SAFETY: the packet is mapped: its handle, its scope or `kept` unmaps it only after the thread has ended, and a
    // detached thread does so itself after this call. In that case the result, which exists if `run` has returned, is
    // used by no other thread, and is dropped once: an earlier call that did so is not repeated with `Returned`. The
    // packet is removed from the scope's list before `finished` lets the scope end, so that `scope` is valid; both
    // happen once, because no destructor runs after them.
    unsafe {
        let (memory, scope) = ((*shared).memory, (*shared).scope.as_ref());
        let finish = (*shared).state.compare_exchange(RUNNING, state, Ordering::AcqRel, Ordering::Acquire);
        // Another state is that of the earlier call, which has left the memory to the handle.
        let is_detached = finish == Err(DETACHED);
        if is_detached && outcome == Outcome::Returned {
            ((*shared).drop_result)(control);
        }
        (*shared).data.locals.destroy();
        let registration = (*shared).data.registration.take();
        // Read before the scope may end. The owner of the handle frees the memory of a child process, which may be
        // killed before it could do so.
        let owns_memory = is_detached && !(*shared).is_process;
        if let Some(scope) = scope {
            if is_detached {
                if outcome == Outcome::Panicked {
                    scope.panicked();
                }
                scope.remove(control);
            }
            scope.finished();
        }
        Finished { memory, owns_memory, is_released: registration.is_none_or(OfThread::leave) }
    }
}

/// Gives up a thread: drops its result if it has one, and frees its memory once it has ended. It waits for nothing.
///
/// # Safety
///
/// The thread's handle has been dropped or forgotten, and [`Control::detach`] was called for it, or the closure has
/// ended. This is called once. Its scope, if there is one, has not ended.
pub unsafe fn give_back(control: NonNull<Control>) {
    // SAFETY: the packet is mapped, because only the owner of the handle frees it. Its closure has ended, except in a
    // child process that was detached, which has no scope and leaves the memory to its owner. So the thread uses the
    // result no longer, or drops it itself, and does not use the list of its scope, which has not ended. The memory is
    // kept until it has ended.
    unsafe {
        let shared = control.as_ptr();
        leave_scope(control);
        match (*shared).state.load(Ordering::Acquire) {
            FINISHED => ((*shared).drop_result)(control),
            PANICKED => {
                if let Some(scope) = (*shared).scope.as_ref() {
                    scope.panicked();
                }
            }
            _ => {}
        }
        if (*shared).is_gone() {
            (*shared).memory.unmap();
        } else {
            kept::keep(control);
        }
    }
}

/// # Safety
///
/// The packet is mapped and in the list of its scope, if it has one, which has not ended.
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
