//! A timer of each thread's own that interrupts it with a signal again and again.

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

/// The signal that all storms send.
pub const SIGNAL: libc::c_int = libc::SIGUSR1;

/// Makes `handler` the whole process's answer to [`SIGNAL`].
pub fn handle(handler: extern "C" fn(libc::c_int)) -> io::Result<()> {
    install(handler as *const () as libc::sighandler_t, 0)
}

/// A handler that is given the context which the signal has interrupted.
pub type InContext = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// The same by a handler that is given the interrupted context.
pub fn handle_in_context(handler: InContext) -> io::Result<()> {
    install(handler as *const () as libc::sighandler_t, libc::SA_SIGINFO)
}

/// `handler` is a function that lives as long as the process, of the kind that `flags` say.
fn install(handler: libc::sighandler_t, flags: libc::c_int) -> io::Result<()> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all zeros is a valid sigaction; the fields are set to a function, as the caller says, and flags.
    let action = unsafe {
        (*action.as_mut_ptr()).sa_sigaction = handler;
        (*action.as_mut_ptr()).sa_flags = libc::SA_RESTART | flags;
        action.assume_init()
    };
    // SAFETY: `action` is a valid sigaction, and the old one is not asked for.
    check(unsafe { libc::sigaction(SIGNAL, &action, std::ptr::null_mut()) })
}

/// A running storm over the thread that started it; it ends when this is dropped.
#[derive(Debug)]
pub struct Storm(libc::timer_t);

impl Storm {
    /// Sends [`SIGNAL`] to the calling thread every `period`.
    pub fn start(period: Duration) -> io::Result<Self> {
        let mut event = MaybeUninit::<libc::sigevent>::zeroed();
        // SAFETY: all zeros is a valid sigevent; gettid has no preconditions.
        let mut event = unsafe {
            (*event.as_mut_ptr()).sigev_notify_thread_id = libc::gettid();
            event.assume_init()
        };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = SIGNAL;
        let mut timer = std::ptr::null_mut();
        // SAFETY: `event` is initialised, and `timer` is a place for a timer's name.
        check(unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer) })?;
        let storm = Self(timer);
        storm.set(period)?;
        Ok(storm)
    }

    fn set(&self, period: Duration) -> io::Result<()> {
        let time = libc::timespec { tv_sec: 0, tv_nsec: period.subsec_nanos().into() };
        let times = libc::itimerspec { it_interval: time, it_value: time };
        // SAFETY: the timer exists until this is dropped, and the old times are not asked for.
        check(unsafe { libc::timer_settime(self.0, 0, &times, std::ptr::null_mut()) })
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        // SAFETY: the timer was created by `start` and is deleted once.
        unsafe { libc::timer_delete(self.0) };
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
