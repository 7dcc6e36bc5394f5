//! The calling thread: its identifiers, its name, giving up the CPU for a time, and ending it.

use super::data::ThreadData;
use super::id::ThreadId;
use super::life;
use super::name::Name;
use crate::sys;
use core::marker::PhantomData;
use core::time::Duration;
use rseq_core::sys::Errno;

/// The calling thread, from [`current`].
#[derive(Clone, Copy, Debug)]
pub struct Current(PhantomData<*const ()>);

/// Returns the calling thread.
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
    /// Its identifier in the runtime: 1 for the main thread, and a higher number for each thread that is started later.
    pub fn id(self) -> ThreadId {
        ThreadId(ThreadData::current().id())
    }

    /// Its thread ID in the kernel, by `gettid(2)`.
    pub fn tid(self) -> u32 {
        sys::gettid()
    }

    /// Its name, as `/proc/self/task/TID/comm` and `ps` show it. The main thread begins with the name of the program,
    /// and other threads with that of the thread that starts them. Empty if a seccomp filter refuses `prctl(2)`.
    pub fn name(self) -> Name {
        let mut name = Name::default();
        let _ = sys::thread_name(&mut name.0);
        name
    }

    /// Sets its name, truncated to 15 bytes, or at the first NUL.
    ///
    /// # Errors
    ///
    /// That of a seccomp filter, if one refuses `prctl(2)`.
    pub fn set_name(self, name: &str) -> Result<(), Errno> {
        sys::set_thread_name(&Name::new(name).0)
    }
}

/// The calling thread's ID in the kernel, by `gettid(2)`.
pub fn tid() -> u32 {
    sys::gettid()
}

/// Yields the CPU, by `sched_yield(2)`.
pub fn yield_now() {
    sys::yield_now();
}

/// Sleeps for at least this long, and continues to sleep after a signal.
pub fn sleep(duration: Duration) {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    let mut left = [seconds, duration.subsec_nanos().into()];
    while sys::sleep(&mut left) == Err(Errno::EINTR) {}
}

/// Ends the calling thread.
///
/// Its thread-locals are dropped, but not the values on its stack. Joining it returns no result: see
/// [`JoinHandle::try_join`](super::JoinHandle::try_join). A destructor of a thread-local may call this too: the closure
/// has returned then, and its result remains. If the main thread calls this, the other threads continue,
/// and the process ends with code 0 after the last of them, or by [`exit`](crate::process::exit).
///
/// # Safety
///
/// Other threads do not use anything on this thread's stack. In particular, this thread is not in a
/// [`scope`](super::scope), and no value is pinned to its stack.
pub unsafe fn exit() -> ! {
    // SAFETY: the caller guarantees that nothing on this thread's stack is used after this call.
    unsafe { life::end_without_result() }
}
