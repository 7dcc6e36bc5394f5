//! Whether the running kernel restarts interrupted sections at all.

use crate::area::{Area, ThreadArea};
use crate::index::Index;
use crate::ops::librseq::load_cbne_memcpy_store;
use crate::sys::{self, Errno};
use crate::{Relaxed, Token, abi};
use core::fmt;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};
use linux_raw_sys::general::SIGALRM;

/// Bytes that the section copies, so that a signal finds the thread inside.
const COPY: usize = 1024;

/// Sections that a child runs before it stops waiting for its signal.
const SECTIONS: u32 = 1 << 20;

/// Restarts that are required.
const ENOUGH: u32 = 3;

/// The most children: some are interrupted between two sections.
const CHILDREN: u32 = 40;

/// Children without a signal that say nothing of the kernel: a timer of an emulated machine can be lost. Each takes a
/// second, on slow machines ten.
const SILENT: u32 = 2;

/// Why a kernel did not pass the [`self_test`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelfTestError {
    /// A signal was delivered inside a section, and the kernel did not abort it: sections protect nothing here, and
    /// counts and list nodes will be lost.
    NotRestarted,
    /// The registration that the token proves has ended, so there is nothing to test.
    NotRegistered,
    /// The test needs a child process, and the kernel or a filter refuses one.
    NoChild(Errno),
    /// No child gave an answer: a filter refused what it needs, it was killed, or no signal found it inside a section.
    Inconclusive,
}

impl fmt::Display for SelfTestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRestarted => f.write_str("this kernel does not restart interrupted rseq sections"),
            Self::NotRegistered => f.write_str("this thread is not registered for rseq"),
            Self::NoChild(errno) => write!(f, "no child process to test rseq in: {errno}"),
            Self::Inconclusive => f.write_str("whether this kernel restarts rseq sections could not be found out"),
        }
    }
}

impl core::error::Error for SelfTestError {}

/// Tests that the running kernel aborts a section that a signal interrupts, with a registration like this thread's.
///
/// Linux 6.19 and 7.0 on arm64 do not, with any registration: a signal handler, or another thread on the same CPU, runs
/// in the middle of a section that then commits. A program that relies on sections can run this test once, before the
/// first one.
///
/// # Cost
///
/// About three child processes, one after the other, each of which runs for about a millisecond: see `fork(2)` for what
/// a copy of a large process costs. The test uses 2 KiB of stack, and as much more as a signal takes. The children
/// leave no trace: signal dispositions, masks, timers and memory of this process are unchanged, it gets no SIGCHLD, and
/// handlers of `pthread_atfork` do not run. All of this thread's signals are blocked during the test. Any thread may
/// call it.
///
/// # Errors
///
/// [`SelfTestError`]; only [`SelfTestError::NotRestarted`] is a statement about the kernel.
///
/// # Examples
///
/// ```
/// # let Ok(registration) = rseq_core::Registration::adopt() else { return };
/// match rseq_core::self_test(registration.token()) {
///     Ok(()) => println!("sections are restarted"),
///     Err(error) => println!("{error}"),
/// }
/// ```
pub fn self_test<A: Area, I: Index>(token: Token<'_, A, I>) -> Result<(), SelfTestError> {
    if !token.is_registered() {
        return Err(SelfTestError::NotRegistered);
    }
    // By its address: finding it anew for each section takes longer than the section where the kernel emulates the
    // thread pointer, as in guests for MIPS, and most signals would come outside.
    let area = ThreadArea::new(token.area().pointer(), token.area().active_size());
    let answer = |attempt: u32| {
        // From one millisecond to 64: a slow machine needs the time to get into the section.
        let period = 1000 << (attempt / 4).min(6);
        sys::with_signals_blocked(|| sys::in_child(|| run(area, period))).map_err(SelfTestError::NoChild)
    };
    conclude((0..CHILDREN).map(answer))
}

/// What children, one after the other, say together; None is one that was killed.
fn conclude(answers: impl Iterator<Item = Result<Option<u8>, SelfTestError>>) -> Result<(), SelfTestError> {
    let (mut restarts, mut silent) = (0, 0);
    for answer in answers {
        match answer? {
            Some(RESTARTED) => restarts += 1,
            Some(NOT_RESTARTED) => return Err(SelfTestError::NotRestarted),
            Some(OUTSIDE) => {}
            Some(NO_SIGNAL) if silent < SILENT => silent += 1,
            _ => return Err(SelfTestError::Inconclusive),
        }
        if restarts == ENOUGH {
            return Ok(());
        }
    }
    Err(SelfTestError::Inconclusive)
}

const RESTARTED: u8 = 0;
const NOT_RESTARTED: u8 = 1;
const OUTSIDE: u8 = 2;
const UNPREPARED: u8 = 3;
const NO_SIGNAL: u8 = 4;

/// What the section of a child works on, and the area that the kernel reads.
struct Scene {
    /// 0 before the commit, 1 after it.
    word: usize,
    /// Its first byte becomes 1 within the section.
    to: [u8; COPY],
    from: [u8; COPY],
    area: NonNull<abi::Rseq>,
}

/// The scene of a child, which is the only thread of its process.
static SCENE: AtomicPtr<Scene> = AtomicPtr::new(ptr::null_mut());

/// The child: runs sections until the signal handler ends it.
fn run(area: ThreadArea, period: usize) -> u8 {
    let token: Token<'_, _> = Token::new(area);
    let mut scene = Scene { word: 0, to: [0; COPY], from: [1; COPY], area: area.pointer() };
    let scene = &raw mut scene;
    SCENE.store(scene, Ordering::Relaxed);
    let prepared =
        sys::end_with(SIGALRM, judge).is_ok() && sys::unblock_only(SIGALRM) && sys::alarm_after(period).is_ok();
    if !prepared {
        return UNPREPARED;
    }
    for _ in 0..SECTIONS {
        // SAFETY: `scene` is a local, which the handler only reads. The byte is reset first, so that a byte of 1 with a
        // word of 0 comes from the section.
        unsafe {
            (&raw mut (*scene).to).cast::<u8>().write_volatile(0);
            (&raw mut (*scene).word).write_volatile(0);
        }
        let cpu = token.cpu_id() as usize;
        // SAFETY: the word and the two arrays of COPY bytes are the scene's, and do not overlap. The CPU of a
        // registered thread is not -1 or -2. A thread whose registration has ended compares that value with itself, in
        // an area that no other thread sees.
        let _ = unsafe {
            load_cbne_memcpy_store::<Relaxed, _, _>(
                token,
                cpu,
                &raw mut (*scene).word,
                0,
                (&raw mut (*scene).to).cast(),
                (&raw const (*scene).from).cast(),
                COPY,
                1,
            )
        };
    }
    NO_SIGNAL
}

/// The handler. The kernel clears `rseq_cs` when it aborts a section, before it runs a handler.
extern "C" fn judge(_: i32) -> ! {
    let scene = SCENE.load(Ordering::Relaxed);
    // SAFETY: `run` set the scene before there was a signal, and stays in its frame until the process ends. Volatile,
    // because the section's stores are invisible to the compiler; `rseq_cs` by its low word, which is not 0 for any
    // armed descriptor.
    let (is_begun, is_committed, armed) = unsafe {
        let area = (*scene).area.as_ptr();
        (
            (&raw const (*scene).to).cast::<u8>().read_volatile() == 1,
            (&raw const (*scene).word).read_volatile() == 1,
            area.cast::<usize>().byte_add(abi::RSEQ_CS_LOW).read_volatile() != 0,
        )
    };
    sys::exit(match (is_begun, is_committed) {
        (true, false) if armed => NOT_RESTARTED,
        (true, false) => RESTARTED,
        _ => OUTSIDE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Registration;
    use crate::skipped::skipped;

    #[test]
    fn this_kernel_passes() {
        match Registration::adopt() {
            Ok(registration) => assert_eq!(self_test(registration.token()), Ok(())),
            Err(error) => skipped(error),
        }
    }

    #[test]
    fn children_are_judged_together() {
        let concluded = |answers: &[Option<u8>]| conclude(answers.iter().map(|&answer| Ok(answer)));
        let [yes, no, outside, silent] = [RESTARTED, NOT_RESTARTED, OUTSIDE, NO_SIGNAL].map(Some);
        assert_eq!(concluded(&[silent, yes, outside, yes, silent, yes]), Ok(()));
        assert_eq!(concluded(&[yes, yes, no]), Err(SelfTestError::NotRestarted));
        assert_eq!(concluded(&[yes, outside, yes]), Err(SelfTestError::Inconclusive));
        for unknown in [&[silent; SILENT as usize + 1][..], &[Some(UNPREPARED)], &[None]] {
            assert_eq!(concluded(&[unknown, &[yes; 3]].concat()), Err(SelfTestError::Inconclusive), "{unknown:?}");
        }
    }
}
