//! Destructors of thread-locals, at the end of a thread's closure and of a thread that ends before it.

use core::sync::atomic::{AtomicU32, Ordering};

use harness::ensure;
use harness::ktap::{OrFail, Verdict};
use harness::sys::time::{self, Deadline, MILLISECOND, SECOND};
use rseq_rt::thread;

static MADE: AtomicU32 = AtomicU32::new(0);
static DROPPED: AtomicU32 = AtomicU32::new(0);

struct Counted(u32);

impl Counted {
    fn new() -> Self {
        MADE.fetch_add(1, Ordering::Relaxed);
        Self(thread::tid())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // The destructor runs in the thread that the value belongs to.
        let right = u32::from(self.0 == thread::tid());
        DROPPED.fetch_add(right, Ordering::Relaxed);
    }
}

rseq_rt::thread_local! {
    static COUNTED: Counted = Counted::new();
    static UNUSED: Counted = Counted::new();
}

pub fn dropped_once(threads: u32) -> Verdict {
    let use_it = || COUNTED.with(|counted| assert!(counted.0 != 0));
    for number in 0..threads {
        let thread = thread::spawn(use_it).or_fail("spawn")?;
        match number % 4 {
            0 => thread.detach(),
            1 => thread::scope(|scope| scope.spawn(use_it).map(drop)).or_fail("spawn")?,
            _ => thread.join(),
        }
    }
    // A quarter of them had a scoped thread beside them, and their own handle dropped.
    let wanted = threads + threads / 4;
    let deadline = Deadline::after(30 * SECOND);
    while DROPPED.load(Ordering::Relaxed) < wanted && !deadline.is_past() {
        time::sleep(MILLISECOND);
    }
    let (made, dropped) = (MADE.load(Ordering::Relaxed), DROPPED.load(Ordering::Relaxed));
    ensure!(made == wanted && dropped == wanted, "{made} were made, {dropped} dropped, {wanted} wanted");
    Ok(())
}

/// The digits of what was dropped so far.
static DROPS: AtomicU32 = AtomicU32::new(0);

struct Digit(u32);

impl Drop for Digit {
    fn drop(&mut self) {
        let note = |digits| Some(digits * 10 + self.0);
        let _ = DROPS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, note);
    }
}

rseq_rt::thread_local! {
    static ONE: Digit = Digit(1);
    static TWO: Digit = Digit(2);
    static THREE: Digit = Digit(3);
}

pub fn order() -> Verdict {
    DROPS.store(0, Ordering::Relaxed);
    let result = thread::spawn(|| {
        [&TWO, &ONE, &THREE, &TWO].iter().for_each(|key| key.with(|digit| assert!(digit.0 != 0)));
        Digit(9)
    });
    let result = result.or_fail("spawn")?.join();
    let drops = DROPS.load(Ordering::Relaxed);
    drop(result);
    ensure!(drops == 312, "dropped in the order {drops}, not 312");
    Ok(())
}

struct Late;

impl Drop for Late {
    fn drop(&mut self) {
        let own = u32::from(LATE.try_with(|_| ()).is_err());
        // Not used in this thread before.
        let other = ONE.with(|digit| digit.0);
        DROPS.store(100 * own + 10 * other, Ordering::Relaxed);
    }
}

rseq_rt::thread_local! { static LATE: Late = Late }

pub fn in_destructors() -> Verdict {
    thread::spawn(|| LATE.with(|_| ())).or_fail("spawn")?.join();
    let digits = DROPS.load(Ordering::Relaxed);
    // 1 at the end is the other value, dropped after the one whose destructor used it.
    ensure!(digits == 1101, "the destructors left {digits}, not 1101");
    Ok(())
}

pub fn early_end() -> Verdict {
    DROPS.store(0, Ordering::Relaxed);
    let leave = || -> u32 {
        TWO.with(|digit| digit.0);
        // SAFETY: nothing refers to this thread's stack.
        unsafe { thread::exit() }
    };
    let result = thread::spawn(leave).or_fail("spawn")?.try_join();
    ensure!(result.is_none(), "a result: {result:?}");
    ensure!(DROPS.load(Ordering::Relaxed) == 2, "its thread-local was not dropped");
    let thread = thread::spawn(leave).or_fail("spawn")?;
    while !thread.is_finished() {
        time::yield_now();
    }
    drop(thread);
    thread::spawn(leave).or_fail("spawn")?.detach();
    thread::scope(|scope| scope.spawn(leave).map(core::mem::forget)).or_fail("spawn")?;
    let deadline = Deadline::after(10 * SECOND);
    while DROPS.load(Ordering::Relaxed) < 2222 && !deadline.is_past() {
        time::sleep(MILLISECOND);
    }
    let drops = DROPS.load(Ordering::Relaxed);
    ensure!(drops == 2222, "the thread-locals of four threads left {drops}");
    Ok(())
}
