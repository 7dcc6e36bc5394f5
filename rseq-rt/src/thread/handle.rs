//! Starting a thread, and the handle that joins it.

use super::builder::Builder;
use super::data::{Control, ScopeState};
use super::id::{ThreadId, new_id};
use super::memory::Memory;
use super::packet::{Packet, give_back, leave_scope, wait_until_gone};
use super::{kept, life};
use core::alloc::Layout;
use core::marker::PhantomData;
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
    unsafe { Packet::init(packet, id, memory, builder.name, scope, function) };
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
            Ok(JoinHandle { control, result: result_address(packet), owned: PhantomData })
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

/// A thread that can be joined. Dropping the handle detaches the thread.
pub struct JoinHandle<T> {
    control: NonNull<Control>,
    result: NonNull<T>,
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
        // SAFETY: the thread has ended. It has written its result if the state is FINISHED, and the handle is consumed,
        // so that the result is read once. Nothing else uses the packet, whose scope has not ended as it borrows the
        // handle, and which is not used after it is unmapped.
        let result = unsafe {
            let result = self.control().has_result().then(|| self.result.read());
            leave_scope(self.control);
            self.control().memory.unmap();
            result
        };
        core::mem::forget(self);
        result
    }

    /// The thread's identifier in the runtime.
    pub fn id(&self) -> ThreadId {
        ThreadId(self.control().data.id())
    }

    /// Detaches the thread. It drops its result and frees its memory when it ends.
    pub fn detach(self) {
        drop(self);
    }

    /// Whether the closure has returned, or has called [`exit`](super::exit).
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
        if !self.control().detach() {
            // SAFETY: the thread was not detached, so that it has finished and left its result to this handle, which is
            // being dropped.
            unsafe { give_back(self.control) };
        }
    }
}
