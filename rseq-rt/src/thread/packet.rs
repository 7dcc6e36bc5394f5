//! What a thread and its handle share, and the thread's life.

use super::data::{self, ThreadData};
use super::memory::Memory;
use super::scope::ScopeState;
use super::{Builder, Name, ThreadId, kept, life};
use crate::registration::OfThread;
use crate::sys;
use core::alloc::Layout;
use core::cell::Cell;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU32, Ordering};
use rseq_core::sys::Errno;

/// The thread runs, and its handle is alive.
const RUNNING: u32 = 0;
/// The handle is gone: the thread gives its memory back itself.
const DETACHED: u32 = 1;
/// The closure has returned: who has the handle takes the result and gives the memory back.
const FINISHED: u32 = 2;
/// As [`FINISHED`], but the closure has not returned, and there is no result.
const EXITED: u32 = 3;

/// The part of a packet that does not depend on the closure.
pub(super) struct Control {
    /// The thread's number; the kernel clears it when the thread is gone, and wakes who waits for that.
    pub(super) tid: AtomicU32,
    state: AtomicU32,
    pub(super) memory: Memory,
    pub(super) data: ThreadData,
    name: Name,
    /// The next one in the list of [`kept`] memory.
    pub(super) next_kept: *mut Control,
    /// The scope that waits for this thread, or null.
    scope: *const ScopeState,
    /// The previous and the next one of the scope's threads.
    pub(super) in_scope: Cell<[*mut Control; 2]>,
    /// Calls the closure and keeps its result.
    run: unsafe fn(NonNull<Control>),
    /// Drops the result.
    drop_result: unsafe fn(NonNull<Control>),
}

#[repr(C)]
struct Packet<F, T> {
    control: Control,
    function: MaybeUninit<F>,
    result: MaybeUninit<T>,
}

impl<F: FnOnce() -> T, T> Packet<F, T> {
    /// # Safety
    ///
    /// `control` begins a packet of this type, whose closure was not called before; nobody else uses closure or result.
    unsafe fn run(control: NonNull<Control>) {
        let packet = control.cast::<Self>().as_ptr();
        // SAFETY: the closure is moved out once; the result's memory is this thread's until it says FINISHED.
        unsafe {
            let function = (*packet).function.as_ptr().read();
            (*packet).result.as_mut_ptr().write(function());
        }
    }

    /// # Safety
    ///
    /// `control` begins a packet of this type that holds a result, which nobody uses afterwards.
    unsafe fn drop_result(control: NonNull<Control>) {
        // SAFETY: the caller owns the result.
        unsafe { ptr::drop_in_place((*control.cast::<Self>().as_ptr()).result.as_mut_ptr()) };
    }
}

/// Starts a thread.
///
/// # Errors
///
/// See [`Builder::spawn`](super::Builder::spawn). The closure is dropped, and the memory given back.
///
/// # Safety
///
/// What closure and result borrow lives until the thread has ended, or until `scope` was told that it finished.
pub unsafe fn spawn<F, T>(builder: Builder, function: F, scope: Option<&ScopeState>) -> Result<JoinHandle<T>, Errno>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    kept::free_gone();
    let id = data::new_id().ok_or(Errno::EAGAIN)?;
    let (memory, parts) = Memory::map(builder.stack_size, Layout::new::<Packet<F, T>>())?;
    let packet = parts.packet.cast::<Packet<F, T>>();
    let control = Control {
        tid: AtomicU32::new(0),
        state: AtomicU32::new(RUNNING),
        memory,
        data: ThreadData::new(id, memory.guard(), packet.cast().as_ptr()),
        name: builder.name,
        next_kept: ptr::null_mut(),
        scope: scope.map_or(ptr::null(), ptr::from_ref),
        in_scope: Cell::new([ptr::null_mut(); 2]),
        run: Packet::<F, T>::run,
        drop_result: Packet::<F, T>::drop_result,
    };
    let function = MaybeUninit::new(function);
    // SAFETY: the packet's memory is fresh and has the packet's layout.
    unsafe { packet.as_ptr().write(Packet { control, function, result: MaybeUninit::uninit() }) };
    if let Some(scope) = scope {
        scope.began();
    }
    let control = packet.cast::<Control>();
    // SAFETY: the packet is in place, and it and the other parts are the new thread's alone.
    match unsafe { life::begin(control, &parts, builder) } {
        Ok(()) => {
            if let Some(scope) = scope {
                // SAFETY: the packet is new. It leaves the list with its handle, or with the scope.
                unsafe { scope.insert(control) };
            }
            Ok(JoinHandle { control, result: result_address(packet), owned: PhantomData })
        }
        Err(errno) => {
            if let Some(scope) = scope {
                scope.finished();
            }
            // SAFETY: no thread began: the packet is ours, and its closure was never called.
            unsafe {
                (*packet.as_ptr()).function.assume_init_drop();
                memory.unmap();
            }
            Err(errno)
        }
    }
}

fn result_address<F, T>(packet: NonNull<Packet<F, T>>) -> NonNull<T> {
    // SAFETY: only an address within the packet is computed, which is not null.
    unsafe { NonNull::new_unchecked(&raw mut (*packet.as_ptr()).result).cast() }
}

/// What a thread begins with, on its own stack, and the closure.
///
/// # Safety
///
/// The packet is that of the calling thread, which has not called this before. [`finish`] comes before its end.
pub(super) unsafe fn run(control: NonNull<Control>) {
    // SAFETY: the packet outlives the thread unless the thread itself unmaps it, after `finish`, which releases the
    // registration; spawn filled it in.
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

/// What a thread leaves behind.
pub(super) struct Finished {
    pub(super) memory: Memory,
    /// The memory is the thread's to give back.
    pub(super) is_detached: bool,
    /// The kernel does not write the thread's area any more.
    pub(super) is_released: bool,
}

/// Hands the result of a thread over, and drops its thread-locals. There is no result unless `has_returned`.
///
/// # Safety
///
/// The packet is the calling thread's, and nothing on its stack is used afterwards.
pub(super) unsafe fn finish(control: NonNull<Control>, has_returned: bool) -> Finished {
    let shared = control.as_ptr();
    let outcome = if has_returned { FINISHED } else { EXITED };
    // SAFETY: the handle, or the scope, leaves the packet alone until the thread is gone, unless the handle was given
    // up; then the packet is the thread's alone, which takes it out of the scope's list before the scope can end.
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

/// Gives the memory of a thread back that has finished, and its result.
///
/// # Safety
///
/// The handle was given up, or forgotten: nobody else does this.
pub unsafe fn give_back(control: NonNull<Control>) {
    // SAFETY: the packet lives until it is unmapped here; once the thread is gone, it is the caller's alone.
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
/// The packet is the caller's alone, and its scope, if it has one, has not ended.
unsafe fn leave_scope(control: NonNull<Control>) {
    // SAFETY: the caller's promise; a packet with a scope is in the scope's list.
    unsafe {
        if let Some(scope) = (*control.as_ptr()).scope.as_ref() {
            scope.remove(control);
        }
    }
}

fn wait_until_gone(word: &AtomicU32) {
    loop {
        match word.load(Ordering::Acquire) {
            0 => return,
            // The kernel wakes this word itself, with a shared key.
            tid => sys::futex_wait(word, tid, sys::FutexKey::Shared),
        }
    }
}

/// A thread that can be joined. Dropping the handle detaches the thread.
pub struct JoinHandle<T> {
    control: NonNull<Control>,
    result: NonNull<T>,
    owned: PhantomData<T>,
}

// SAFETY: the handle gives its holder the thread's result, which is Send; the shared words are atomic.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: a shared handle only reads atomic words.
unsafe impl<T: Send> Sync for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    fn control(&self) -> &Control {
        // SAFETY: the packet lives until the handle gives it up, in `join` or `drop`.
        unsafe { self.control.as_ref() }
    }

    /// Waits until the thread is gone, and returns its result. The thread has released its rseq area by then.
    ///
    /// # Panics
    ///
    /// If the thread has no result, having called [`exit`](super::exit).
    pub fn join(self) -> T {
        match self.try_join() {
            Some(result) => result,
            None => panic!("the thread has no result: it called thread::exit"),
        }
    }

    /// As [`join`](Self::join); `None` if the thread has called [`exit`](super::exit).
    pub fn try_join(self) -> Option<T> {
        wait_until_gone(&self.control().tid);
        // SAFETY: the thread wrote its result, unless it says otherwise, and has ended; nobody else reads it, or knows
        // the memory.
        let result = unsafe {
            let has_result = self.control().state.load(Ordering::Acquire) == FINISHED;
            let result = has_result.then(|| self.result.read());
            leave_scope(self.control);
            self.control().memory.unmap();
            result
        };
        core::mem::forget(self);
        result
    }

    /// The number that the runtime gave the thread.
    pub fn id(&self) -> ThreadId {
        ThreadId(self.control().data.id())
    }

    /// Lets the thread run on by itself. It drops its own result and gives its memory back.
    pub fn detach(self) {
        drop(self);
    }

    /// Whether the closure has returned, or has called [`exit`](super::exit).
    pub fn is_finished(&self) -> bool {
        matches!(self.control().state.load(Ordering::Acquire), FINISHED | EXITED)
    }

    /// The thread's number; `None` once it is gone.
    pub fn tid(&self) -> Option<u32> {
        match self.control().tid.load(Ordering::Acquire) {
            0 => None,
            tid => Some(tid),
        }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let running =
            self.control().state.compare_exchange(RUNNING, DETACHED, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if !running {
            // SAFETY: the thread left its result to this handle, which is gone with this.
            unsafe { give_back(self.control) };
        }
    }
}
