//! The data of the calling thread, in std's thread-local storage.

use crate::thread::data::ThreadData;
use crate::thread::id::new_id;
use core::cell::Cell;
use core::mem::ManuallyDrop;
use core::ptr;

/// The data of a thread that std, or a test harness, has started. Its memory stays when it is dropped.
struct Own(ManuallyDrop<ThreadData>);

impl Drop for Own {
    fn drop(&mut self) {
        self.0.locals.destroy();
    }
}

std::thread_local! {
    static CURRENT: Cell<*const ThreadData> = const { Cell::new(ptr::null()) };
    static OWN: Own = Own(ManuallyDrop::new(ThreadData::new(new_id().unwrap_or(usize::MAX), 0..0, ptr::null())));
}

impl ThreadData {
    /// Lets the calling thread find its data; null is data that std drops.
    ///
    /// # Safety
    ///
    /// The data lives until the thread has other data.
    pub unsafe fn belongs_here(data: *const Self) {
        CURRENT.set(data);
    }

    /// The calling thread's.
    pub fn current<'a>() -> &'a Self {
        if CURRENT.get().is_null() {
            CURRENT.set(OWN.with(|own| &raw const *own.0));
        }
        // SAFETY: the data of a thread's packet, by `belongs_here`; or of `OWN`, which std drops at the end of the
        // thread: what is left is valid, as it is never dropped itself, and its memory goes with the thread. Only the
        // thread itself gets this reference, and ThreadData is not Sync.
        unsafe { &*CURRENT.get() }
    }
}
