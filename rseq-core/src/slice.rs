//! Requests for a little more time on the CPU before a short piece of work that other threads would have to wait for.

use crate::abi::{AREA_FLAG_SLICE_EXT_ENABLED, Rseq, SliceCtrl};
use crate::area::Area;
use crate::sys::{Errno, rseq_slice_yield};
use crate::{Index, Token};
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::{Ordering, compiler_fence};

/// A request for a time slice extension, for as long as the value lives (Linux 7.0, `CONFIG_RSEQ_SLICE_EXTENSION`).
///
/// If an interrupt would make the kernel take the CPU from this thread while the guard lives, the kernel may **once**
/// let the thread run on for up to debugfs `rseq/slice_ext_nsec` nanoseconds (5,000 by default, at most 50,000). It is
/// for the critical section of a lock that other threads spin on or wait for: the holder is then scheduled away less
/// often. It is a hint: the work must be correct without it.
///
/// ```no_run
/// # use rseq_core::{Registration, SliceGuard, sys};
/// # let registration = Registration::adopt().unwrap();
/// # let token = registration.token();
/// let _ = sys::set_slice_extension(sys::SliceState::Enabled); // once in each thread
/// {
///     let _slice = SliceGuard::request(token);
///     // take the lock, do the work, release the lock
/// } // a grant is given back here
/// ```
///
/// * **It must be enabled** in each thread, by [`set_slice_extension`](crate::sys::set_slice_extension) or by
///   registering with [`Options::slice_extension`](crate::Options::slice_extension). The kernel requires a registration
///   of more than 32 bytes. `fork` keeps it, a new thread starts without it, `exec` ends it.
/// * **Where it is not enabled**, on a kernel without it or in a legacy registration, a guard is one load and one
///   branch, and writes nothing.
/// * **It nests**: a guard within the lifetime of another one, in a signal handler too, changes nothing, and the outer
///   one remains in force. The same holds for a guard that was forgotten ([`mem::forget`](core::mem::forget)): until
///   the kernel takes the request or the CPU away, no other guard of the thread makes a request.
/// * **System calls** other than the yield at the end give up a grant, and the CPU, at once: keep them out of the work.
///   With the kernel's rseq debugging on (debugfs `rseq/debug`), a system call within a guard can kill the process with
///   SIGSEGV if an earlier grant of the thread had expired and no system call was made since (seen on Linux 7.2).
/// * **Dropping it** returns a grant by [`rseq_slice_yield`], a system call; without a grant there is none.
///   [`end`](Self::end) does the same and returns the outcome.
#[derive(Debug)]
#[must_use = "the request ends when the guard is dropped"]
pub struct SliceGuard<'r> {
    /// `None` if this guard makes no request.
    control: Option<NonNull<SliceCtrl>>,
    registration: PhantomData<(&'r (), *mut ())>,
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SliceOutcome {
    /// Nothing was requested: not enabled in this thread, or another guard of the thread is active.
    NotRequested,
    /// The request was not used: no other thread wanted the CPU.
    Unused,
    /// Granted, and returned in time: other threads have had the CPU since.
    Yielded,
    /// Granted, and revoked between the check and the yield.
    YieldedLate,
    /// The thread was scheduled away: without a grant, or after one had expired or was given up by a system call.
    Revoked,
    /// Granted, but the yield is not a system call here, such as when a filter refuses it; the kernel has taken the CPU
    /// all the same.
    YieldFailed(Errno),
}

impl<'r> SliceGuard<'r> {
    /// Requests an extension for this thread, unless it is not enabled or another guard is active.
    #[inline]
    pub fn request<A: Area, I: Index>(token: Token<'r, A, I>) -> Self {
        let area = token.area().pointer();
        let control = if is_enabled(area) && is_idle(control_of(area)) { Some(control_of(area)) } else { None };
        if let Some(control) = control {
            set_request(control, 1);
        }
        // The compiler must not move the work before the request; the kernel on this CPU sees program order.
        compiler_fence(Ordering::SeqCst);
        Self { control, registration: PhantomData }
    }

    /// Whether an extension is granted: the work should finish soon.
    #[inline]
    pub fn is_granted(&self) -> bool {
        self.control.is_some_and(is_granted)
    }

    /// Ends the request, returns a grant, and returns the outcome.
    #[inline]
    pub fn end(self) -> SliceOutcome {
        let this = core::mem::ManuallyDrop::new(self);
        compiler_fence(Ordering::SeqCst);
        let Some(control) = this.control else { return SliceOutcome::NotRequested };
        let unused = is_requested(control);
        set_request(control, 0);
        match is_granted(control) {
            true => yield_grant(),
            false if unused => SliceOutcome::Unused,
            false => SliceOutcome::Revoked,
        }
    }
}

impl Drop for SliceGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        compiler_fence(Ordering::SeqCst);
        if let Some(control) = self.control {
            set_request(control, 0);
            if is_granted(control) {
                yield_grant();
            }
        }
    }
}

/// Out of line, because it is rare: a system call that gives up the CPU.
#[cold]
#[inline(never)]
fn yield_grant() -> SliceOutcome {
    match rseq_slice_yield() {
        Ok(true) => SliceOutcome::Yielded,
        Ok(false) => SliceOutcome::YieldedLate,
        Err(errno) => SliceOutcome::YieldFailed(errno),
    }
}

#[inline]
fn is_enabled(area: NonNull<Rseq>) -> bool {
    // SAFETY: an area is at least 32 bytes of this thread's memory as long as the thread runs, and `flags` is among the
    // first 20. Volatile, because the kernel writes it.
    let flags = unsafe { (&raw const (*area.as_ptr()).flags).read_volatile() };
    flags & AREA_FLAG_SLICE_EXT_ENABLED != 0
}

/// The request and the grant of an area. Only where the extension is enabled do they belong to the kernel and this
/// thread.
#[inline]
fn control_of(area: NonNull<Rseq>) -> NonNull<SliceCtrl> {
    // SAFETY: the field is within the 32 bytes that an area has at least, so its address is not null.
    unsafe { NonNull::new_unchecked(&raw mut (*area.as_ptr()).slice_ctrl) }
}

/// Whether there is neither a request nor a grant, in one load.
#[inline]
fn is_idle(control: NonNull<SliceCtrl>) -> bool {
    // SAFETY: it reads the first two of the field's four bytes, which are aligned to 4; volatile, because the kernel
    // writes them.
    unsafe { control.as_ptr().cast::<u16>().read_volatile() == 0 }
}

#[inline]
fn is_requested(control: NonNull<SliceCtrl>) -> bool {
    // SAFETY: a byte of this thread's area; volatile, because the kernel writes it.
    unsafe { (&raw const (*control.as_ptr()).request).read_volatile() != 0 }
}

#[inline]
fn is_granted(control: NonNull<SliceCtrl>) -> bool {
    // SAFETY: as above.
    unsafe { (&raw const (*control.as_ptr()).granted).read_volatile() != 0 }
}

#[inline]
fn set_request(control: NonNull<SliceCtrl>, request: u8) {
    // SAFETY: a byte of this thread's area, which this thread writes and the kernel clears. It is reached only if
    // `is_enabled` has seen the flag that a kernel with the extension sets.
    unsafe { (&raw mut (*control.as_ptr()).request).write_volatile(request) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::area::ThreadArea;

    /// An area that no kernel maintains; the test plays the kernel's part.
    struct Fake(Rseq);

    impl Fake {
        fn new(flags: u32) -> Self {
            let slice_ctrl = SliceCtrl::default();
            let (node_id, mm_cid, reserved) = (0, 0, 0);
            Self(Rseq { cpu_id_start: 0, cpu_id: 0, rseq_cs: 0, flags, node_id, mm_cid, slice_ctrl, reserved })
        }

        fn parts(&mut self) -> (*mut SliceCtrl, Token<'static, ThreadArea>) {
            let area = NonNull::from(&mut self.0);
            (control_of(area).as_ptr(), Token::new(ThreadArea::new(area, 33)))
        }
    }

    fn state(control: *mut SliceCtrl) -> (u8, u8) {
        // SAFETY: the fake's own field, alive as long as the test.
        let SliceCtrl { request, granted, .. } = unsafe { control.read_volatile() };
        (request, granted)
    }

    fn set(control: *mut SliceCtrl, request: u8, granted: u8) {
        // SAFETY: as above.
        unsafe { control.write_volatile(SliceCtrl { request, granted, reserved: 0 }) };
    }

    #[test]
    fn without_the_flag_nothing_is_written() {
        let mut fake = Fake::new(crate::abi::AREA_FLAG_SLICE_EXT_AVAILABLE);
        let (control, token) = fake.parts();
        set(control, 0, 0);
        let guard = SliceGuard::request(token);
        assert_eq!((state(control), guard.is_granted()), ((0, 0), false));
        set(control, 1, 1);
        assert!(!guard.is_granted(), "these bytes are somebody else's");
        assert_eq!(guard.end(), SliceOutcome::NotRequested);
        assert_eq!(state(control), (1, 1));
    }

    #[test]
    fn a_request_lasts_as_long_as_its_guard() {
        let mut fake = Fake::new(AREA_FLAG_SLICE_EXT_ENABLED);
        let (control, token) = fake.parts();
        let guard = SliceGuard::request(token);
        assert_eq!(state(control), (1, 0));
        assert_eq!(guard.end(), SliceOutcome::Unused);
        assert_eq!(state(control), (0, 0));
        drop(SliceGuard::request(token));
        assert_eq!(state(control), (0, 0));
    }

    #[test]
    fn the_kernels_answers_are_told_apart() {
        let mut fake = Fake::new(AREA_FLAG_SLICE_EXT_ENABLED);
        let (control, token) = fake.parts();
        let guard = SliceGuard::request(token);
        set(control, 0, 0);
        assert_eq!(guard.end(), SliceOutcome::Revoked);
        let guard = SliceGuard::request(token);
        set(control, 0, 1);
        assert!(guard.is_granted());
        // The running kernel knows of no grant in this area.
        assert!(matches!(guard.end(), SliceOutcome::YieldedLate | SliceOutcome::YieldFailed(_)));
    }

    #[test]
    fn an_inner_guard_leaves_the_outer_one_alone() {
        let mut fake = Fake::new(AREA_FLAG_SLICE_EXT_ENABLED);
        let (control, token) = fake.parts();
        let outer = SliceGuard::request(token);
        assert_eq!(SliceGuard::request(token).end(), SliceOutcome::NotRequested);
        assert_eq!(state(control), (1, 0));
        set(control, 0, 1);
        let inner = SliceGuard::request(token);
        assert_eq!((inner.end(), state(control)), (SliceOutcome::NotRequested, (0, 1)));
        set(control, 0, 0);
        drop(outer);
    }
}
