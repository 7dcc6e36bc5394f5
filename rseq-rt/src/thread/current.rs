//! The calling thread: its number, its name, its end.

use super::data::ThreadData;
use super::{Name, life};
use crate::sys;
use core::fmt;
use core::marker::PhantomData;
use rseq_core::sys::Errno;

/// Tells threads of this process apart. No two threads have the same, whether they live at the same time or not; a
/// child process starts with those of its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ThreadId(pub(super) usize);

impl fmt::Display for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The calling thread, see [`current`].
#[derive(Clone, Copy, Debug)]
pub struct Current(PhantomData<*const ()>);

/// The calling thread.
///
/// ```ignore
/// let this = rseq_rt::thread::current();
/// this.set_name("worker")?;
/// rseq_rt::println!("{} is thread {} ({})", this.name(), this.id(), this.tid());
/// ```
pub fn current() -> Current {
    Current(PhantomData)
}

impl Current {
    /// The number that the runtime gave it: 1 for the main thread, and more for each that was started later.
    pub fn id(self) -> ThreadId {
        ThreadId(ThreadData::current().id())
    }

    /// The number that the kernel gave it.
    pub fn tid(self) -> u32 {
        sys::gettid()
    }

    /// Its name, as `/proc/self/task/TID/comm` and `ps` show it: that of the program unless it was given another. Empty
    /// where a filter refuses `prctl(2)`.
    pub fn name(self) -> Name {
        let mut name = Name::default();
        let _ = sys::thread_name(&mut name.0);
        name
    }

    /// Gives it another name, cut at 15 bytes, or at a NUL.
    ///
    /// # Errors
    ///
    /// Those of `prctl(2)`, by a filter alone.
    pub fn set_name(self, name: &str) -> Result<(), Errno> {
        sys::set_thread_name(&Name::new(name).0)
    }
}

/// Ends the calling thread.
///
/// Its thread-locals are dropped, the values on its stack are not. Who joins it gets no result: see
/// [`JoinHandle::try_join`](super::JoinHandle::try_join). The main thread leaves the other threads running; the process
/// then ends with code 0 after the last of them, or by [`exit`](crate::process::exit).
///
/// # Safety
///
/// Nothing that is on this thread's stack may be relied on by others. So no [`scope`](super::scope) is running in this
/// thread, and no value is pinned to its stack.
pub unsafe fn exit() -> ! {
    // SAFETY: the caller's promise.
    unsafe { life::end_without_result() }
}
