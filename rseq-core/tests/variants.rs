//! Sections changed for tests behave as their plain forms do, apart from the change.

mod skipped;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rseq_core::ops::librseq;
use rseq_core::*;
use skipped::skipped;

mod stretched {
    use rseq_core::*;
    __librseq_sections!(#![stretched]);
}

mod compare_twice {
    use rseq_core::*;
    __librseq_sections!(#![compare_twice]);
}

mod unarmed {
    use rseq_core::*;
    __this_cpu_sections!(#![unarmed]);
}

/// The libc's registration, and None, said, where there is none.
fn adopted() -> Option<Registration<ThreadArea>> {
    Registration::adopt().inspect_err(|error| skipped(error)).ok()
}

/// Runs `operation` on the current CPU until it is not aborted. The CPU's number is the low 32 bits of its argument:
/// the upper half may be anything.
fn until_stopped(
    mut operation: impl FnMut(usize, Token<'_, ThreadArea>) -> Result<Committed, librseq::Error>,
) -> Option<bool> {
    let registration = adopted()?;
    for _ in 0..100_000 {
        let token = registration.token();
        match operation(token.cpu_id() as usize | !(u32::MAX as usize), token) {
            Ok(Committed) => return Some(true),
            Err(librseq::Error::CompareFailed) => return Some(false),
            Err(librseq::Error::Aborted) => {}
        }
    }
    panic!("every attempt was aborted");
}

macro_rules! same_as_plain {
    ($variant:ident, $unwrap:expr) => {
        for (expect, committed) in [(7, true), (8, false)] {
            let (mut value, delays) = (7usize, [0, 3, 0, 100, 0, 0, 0, 0]);
            let v = &raw mut value;
            let outcome = until_stopped(|cpu, token| {
                // SAFETY: `v` and `delays` are locals; the kernel returned the CPU's number.
                $unwrap(unsafe { $variant::load_cbne_store(token, cpu, v, expect, 9, delays.as_ptr()) })
            });
            if let Some(outcome) = outcome {
                assert_eq!(outcome, committed);
                assert_eq!(value, if committed { 9 } else { 7 });
            }
        }
    };
}

#[test]
fn stretched_sections_do_the_same() {
    same_as_plain!(stretched, core::convert::identity);
}

#[test]
fn comparing_twice_does_the_same() {
    same_as_plain!(compare_twice, |twice: Result<_, testing::Differed>| twice.expect("no thread changes the word"));
}

/// The word is 7 and 8 in turn, by another thread, which no section is restarted for.
#[test]
fn a_second_comparison_that_differs_is_told() {
    if std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() == 1) {
        return skipped("with one CPU, a word does not change within a section");
    }
    let Some(registration) = adopted() else { return };
    let (word, done) = (AtomicUsize::new(7), AtomicBool::new(false));
    let (delays, unwanted) = ([0, 0, 1000, 0, 0, 0, 0, 0], 9);
    let told = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                word.store(8, Relaxed);
                word.store(7, Relaxed);
            }
        });
        let began = Instant::now();
        let mut told = false;
        while !told && began.elapsed() < Duration::from_secs(60) {
            let token = registration.token();
            let cpu = token.cpu_id() as usize;
            // SAFETY: an atomic's word, and delays for every step; the kernel returned the CPU's number.
            let twice =
                unsafe { compare_twice::load_cbne_store(token, cpu, word.as_ptr(), 7, unwanted, delays.as_ptr()) };
            told = twice == Err(testing::Differed);
        }
        done.store(true, Relaxed);
        told
    });
    assert!(told, "no second comparison differed");
}

#[test]
fn unarmed_sections_leave_no_descriptor() {
    let Some(registration) = adopted() else { return };
    let token = registration.token();
    token.clear_rseq_cs();
    let mut slots = [0usize; 8 * 1024];
    // SAFETY: the slots are 1024 words at a stride of 64 bytes on 64-bit and more on 32-bit.
    unsafe { unarmed::add::<8, _, _>(token, slots.as_mut_ptr(), 1024, 1) }.expect("in range");
    // SAFETY: the area is this thread's while it is registered.
    assert_eq!(unsafe { (&raw const (*token.area().pointer().as_ptr()).rseq_cs).read_volatile() }, 0);
}
