//! Starting a thread, and the handle that joins it.

use super::builder::Builder;
use super::data::{Control, ScopeState, ThreadData};
use super::id::{ThreadId, new_id};
use super::memory::Memory;
use super::packet::{Packet, give_back, leave_scope, wait_until_gone};
use super::{kept, life};
use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;
use rseq_core::sys::Errno;

/// Starts a thread with [`DEFAULT_STACK_SIZE`](super::DEFAULT_STACK_SIZE) bytes of stack.
///
/// # Errors
///
/// EAGAIN if a limit on threads is reached, ENOMEM without memory for the stack. The closure is dropped.
pub fn spawn<F, T>(function: F) -> Result<JoinHandle<T>, Errno>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Builder::new().spawn(function)
}

impl Builder {
    /// Starts a thread.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`]; EINVAL if the stack size is below [`MIN_STACK_SIZE`](super::MIN_STACK_SIZE), or if the
    /// alignment of the closure or the result is larger than a page; ENOMEM if the stack is too large.
    pub fn spawn<F, T>(self, function: F) -> Result<JoinHandle<T>, Errno>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: the closure and its result are `'static`, so that what they borrow outlives the thread.
        unsafe { start(self, function, None) }
    }
}

/// Starts a thread.
///
/// # Errors
///
/// Those of [`Builder::spawn`]. The closure is dropped, and the memory is unmapped.
///
/// # Safety
///
/// What the closure and its result borrow outlives the thread, or the call of `finished` on `scope`.
pub(super) unsafe fn start<F, T>(
    builder: Builder,
    function: F,
    scope: Option<&ScopeState>,
) -> Result<JoinHandle<T>, Errno>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    kept::free_gone();
    let id = new_id().ok_or(Errno::EAGAIN)?;
    let (memory, parts) = Memory::map(builder.stack_size, Layout::new::<Packet<F, T>>())?;
    let packet = parts.packet.cast::<Packet<F, T>>();
    // SAFETY: `map` returned memory for this layout, which was mapped just now, so that nothing else uses it.
    unsafe { Packet::init(packet, id, memory, &builder, scope, function) };
    if let Some(scope) = scope {
        scope.began();
    }
    let control = packet.cast::<Control>();
    // SAFETY: the packet was initialised above. It and the other parts are from one `map`, and only the new thread uses
    // them.
    match unsafe { life::begin(control, &parts, builder) } {
        Ok(()) => {
            if let Some(scope) = scope {
                // SAFETY: the packet is new, and so is in no list. `leave_scope` or `finish` removes it from the list
                // before its memory is unmapped.
                unsafe { scope.insert(control) };
            }
            let (result, is_process) = (result_address(packet), builder.is_process);
            Ok(JoinHandle { control, result, is_process, owned: PhantomData })
        }
        Err(errno) => {
            if let Some(scope) = scope {
                scope.finished();
            }
            // SAFETY: no thread was started, so that nothing else uses the packet, and its closure is still
            // initialised. The memory came from `map`, and is not used after this block.
            unsafe {
                (*packet.as_ptr()).function.assume_init_drop();
                memory.unmap();
            }
            Err(errno)
        }
    }
}

fn result_address<F, T>(packet: NonNull<Packet<F, T>>) -> NonNull<T> {
    // SAFETY: `&raw mut` only computes the address of a field of a mapped packet, which is not null.
    unsafe { NonNull::new_unchecked(&raw mut (*packet.as_ptr()).result).cast() }
}

/// A thread that can be joined. Dropping the handle detaches the thread, and waits for nothing.
pub struct JoinHandle<T> {
    control: NonNull<Control>,
    result: NonNull<T>,
    /// The packet's: a thread that was detached may unmap it at once.
    is_process: bool,
    owned: PhantomData<T>,
}

// SAFETY: the owner of a handle takes the thread's result, which is `Send`, after the thread has ended. Everything else
// that a handle and the thread both use is atomic, or constant after `start`.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: methods that take a shared reference only read atomics and constants of the packet.
unsafe impl<T: Send> Sync for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    fn control(&self) -> &Control {
        // SAFETY: the packet is initialised, and is mapped until `try_join` or `drop` consumes the handle. Its fields
        // that are used through the reference are atomic, or constant after `start`.
        unsafe { self.control.as_ref() }
    }

    /// Waits until the thread is gone, and returns its result. The thread has released its rseq area by then.
    ///
    /// # Panics
    ///
    /// If the thread has no result: see [`try_join`](Self::try_join). If it joins itself, which would never end.
    pub fn join(self) -> T {
        match self.result() {
            Ok(result) => result,
            Err(cause) => panic!("the thread has no result: {cause}"),
        }
    }

    /// As [`join`](Self::join); `None` if the thread has called [`exit`](super::exit), if it is a child process
    /// ([`Builder::process`]) that has ended before its closure returned, or if it has panicked in a unit test (feature
    /// `hosted`): elsewhere, a panic ends the process.
    ///
    /// # Panics
    ///
    /// If a thread joins itself.
    pub fn try_join(self) -> Option<T> {
        self.result().ok()
    }

    /// Waits until the thread is gone, and takes its result; else why there is none.
    fn result(self) -> Result<T, &'static str> {
        assert!(self.control().data.id() != ThreadData::current().id(), "a thread joins itself");
        wait_until_gone(&self.control().tid);
        let this = ManuallyDrop::new(self);
        // SAFETY: the thread has ended. It has written its result if the state is FINISHED, and the handle is consumed,
        // so that the result is read once. Nothing else uses the packet, whose scope has not ended as the handle
        // borrows it, and which is not used after it is unmapped.
        unsafe {
            let shared = this.control();
            let result = if shared.has_result() { Ok(this.result.read()) } else { Err(shared.lost()) };
            leave_scope(this.control);
            shared.memory.unmap();
            result
        }
    }

    /// The thread's identifier in the runtime.
    pub fn id(&self) -> ThreadId {
        ThreadId(self.control().data.id())
    }

    /// Detaches the thread. It drops its result and frees its memory when it ends; the memory of a child process, or of
    /// a thread that is ending already, is freed when a thread is started later.
    pub fn detach(self) {
        drop(self);
    }

    /// Whether the closure has returned or has called [`exit`](super::exit), or the thread has ended without either.
    pub fn is_finished(&self) -> bool {
        self.control().is_finished()
    }

    /// The thread's ID in the kernel; `None` after it has ended.
    pub fn tid(&self) -> Option<u32> {
        match self.control().tid.load(Ordering::Acquire) {
            0 => None,
            tid => Some(tid),
        }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let is_running = self.control().detach();
        // Another thread frees its memory itself, as soon as it was detached.
        if !is_running || self.is_process {
            // SAFETY: the handle is being dropped, once, and `detach` was called. Its scope, if there is one, has not
            // ended as the handle borrows it.
            unsafe { give_back(self.control) };
        }
    }
}
