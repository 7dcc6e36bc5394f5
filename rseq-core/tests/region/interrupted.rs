//! The sections of a region's stacks, interrupted by a signal handler that runs them on the same stack.

use crate::affinity::try_pin;
use crate::libc::{SIGUSR1, handle, interrupted};
use crate::skipped::skipped;
use rseq_core::ops::this_cpu::Error;
use rseq_core::{Ambient, Committed, ensure_registered};
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

mod plain {
    use rseq_core::{Committed, CompareFailed, OutOfRange};
    rseq_core::__region_sections!();
}

mod stretched {
    use rseq_core::{Committed, CompareFailed, OutOfRange};
    rseq_core::__region_sections!(#![stretched]);
}

mod unarmed {
    use rseq_core::{Committed, CompareFailed, OutOfRange};
    rseq_core::__region_sections!(#![unarmed]);
}

const STRIDE: usize = 1024;
const WORDS: usize = STRIDE / 8;
const ITEMS: usize = 20;
const MOST: usize = 126;

/// The stack of CPU 0, for the handler.
static STACKS: AtomicPtr<usize> = AtomicPtr::new(ptr::null_mut());
static LEN: AtomicUsize = AtomicUsize::new(0);
/// Items that are on no stack.
static IS_TAKEN: [AtomicBool; ITEMS + 1] = [const { AtomicBool::new(false) }; ITEMS + 1];
/// The item that the handler keeps from one signal to the next, or 0.
static KEPT: AtomicUsize = AtomicUsize::new(0);
/// Items that somebody has popped whom somebody else had.
static DOUBLED: AtomicUsize = AtomicUsize::new(0);
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn take(item: usize) {
    if IS_TAKEN[item].swap(true, Relaxed) {
        DOUBLED.fetch_add(1, Relaxed);
    }
}

/// Pops an item, or pushes the one that it popped the last time. The handler itself is never wrong.
extern "C" fn change(_: i32) {
    let (base, len) = (STACKS.load(Relaxed), LEN.load(Relaxed));
    match KEPT.swap(0, Relaxed) {
        0 => {
            // SAFETY: the test's stacks; `len` is 0 where there are none.
            if let Ok(item) = unsafe { plain::pop_item::<STRIDE, _, _>(Ambient::token(), base, len) } {
                take(item);
                KEPT.store(item, Relaxed);
            }
        }
        kept => {
            IS_TAKEN[kept].store(false, Relaxed);
            // SAFETY: as above.
            let _ = unsafe { plain::push_item::<STRIDE, _, _>(Ambient::token(), base, len, MOST, kept) };
        }
    }
}

struct Seen {
    /// Items that two had.
    doubled: usize,
    /// Pops that returned another item than the one that was on top when they began.
    restarted: usize,
    /// Items that were left.
    left: usize,
}

type Pop = unsafe fn(*mut usize, usize) -> Result<usize, Error>;
type Push = unsafe fn(*mut usize, usize, usize) -> Result<Committed, Error>;

/// Pops and pushes under signals for so long at most, or until `enough` says so.
fn storm(pop: Pop, push: Push, most: Duration, enough: impl Fn(usize, usize) -> bool) -> Option<Seen> {
    let _alone = ONE_AT_A_TIME.lock();
    if ensure_registered().is_err() || !Ambient::token().is_registered() {
        skipped("this thread is not registered");
        return None;
    }
    let cpus = rseq_core::percpu::PossibleCpus::read().ok()?.slots_by_cpu();
    // One word more at either end of each stack does no harm where words have 32 bits.
    let mut memory = vec![[0u64; WORDS]; cpus];
    let pinned = (0..cpus).find(|&cpu| try_pin(0, cpu as u32))?;
    let base = memory.as_mut_ptr().cast::<usize>();
    IS_TAKEN.iter().for_each(|taken| taken.store(false, Relaxed));
    DOUBLED.store(0, Relaxed);
    // SAFETY: there are `cpus` stacks.
    (1..=ITEMS).for_each(|item| assert!(unsafe { push(base, cpus, item) }.is_ok(), "room for {item}"));
    STACKS.store(base, Relaxed);
    LEN.store(cpus, Relaxed);
    handle(SIGUSR1, change);
    // SAFETY: the stack of the CPU that this thread is pinned to.
    let stack = unsafe { base.byte_add(pinned * STRIDE) };
    let mut restarted = 0;
    interrupted(SIGUSR1, || {
        let until = Instant::now() + most;
        while Instant::now() < until && !enough(DOUBLED.load(Relaxed), restarted) {
            for _ in 0..100 {
                // SAFETY: the words of the stack; a handler may change them meanwhile.
                let top = unsafe { stack.byte_add(8 + 8 * stack.byte_add(8).read_volatile()).read_volatile() };
                // SAFETY: there are `cpus` stacks.
                let Ok(item) = (unsafe { pop(base, cpus) }) else { continue };
                restarted += usize::from(item != top);
                take(item);
                IS_TAKEN[item].store(false, Relaxed);
                // SAFETY: as above.
                let _ = unsafe { push(base, cpus, item) };
            }
        }
    });
    LEN.store(0, Relaxed);
    let kept = usize::from(KEPT.swap(0, Relaxed) != 0);
    // SAFETY: as above.
    let left = kept + std::iter::from_fn(|| unsafe { pop(base, cpus) }.ok()).take(10 * ITEMS).count();
    Some(Seen { doubled: DOUBLED.load(Relaxed), restarted, left })
}

unsafe fn slow_pop(base: *mut usize, len: usize) -> Result<usize, Error> {
    let delays = [300; 17];
    // SAFETY: the caller's contract; there is a delay for each step.
    unsafe { stretched::pop_item::<STRIDE, _, _>(Ambient::token(), base, len, delays.as_ptr()) }
}

unsafe fn slow_push(base: *mut usize, len: usize, item: usize) -> Result<Committed, Error> {
    let delays = [300; 17];
    // SAFETY: as above.
    unsafe { stretched::push_item::<STRIDE, _, _>(Ambient::token(), base, len, MOST, item, delays.as_ptr()) }
}

unsafe fn unarmed_pop(base: *mut usize, len: usize) -> Result<usize, Error> {
    // SAFETY: the caller's contract.
    unsafe { unarmed::pop_item::<STRIDE, _, _>(Ambient::token(), base, len) }
}

unsafe fn unarmed_push(base: *mut usize, len: usize, item: usize) -> Result<Committed, Error> {
    // SAFETY: the caller's contract.
    unsafe { unarmed::push_item::<STRIDE, _, _>(Ambient::token(), base, len, MOST, item) }
}

#[test]
fn interrupted_sections_start_again_and_no_item_is_doubled_or_lost() {
    // On a machine with one CPU or with other load few signals come in a second.
    let most = Duration::from_secs(60);
    if let Some(seen) = storm(slow_pop, slow_push, most, |_, restarted| restarted >= 100) {
        assert_eq!((seen.doubled, seen.left), (0, ITEMS));
        assert!(seen.restarted >= 10, "{} restarts", seen.restarted);
    }
}

/// The control.
#[test]
fn sections_that_are_not_armed_double_items() {
    if let Some(seen) = storm(unarmed_pop, unarmed_push, Duration::from_secs(2), |doubled, _| doubled > 0) {
        assert!(seen.doubled > 0 || seen.left != ITEMS, "no interruption did harm");
    }
}
