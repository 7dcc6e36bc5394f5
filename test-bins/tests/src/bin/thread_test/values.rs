//! What closures take along and threads give back.

use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};

use harness::ensure;
use harness::ktap::{OrFail, Verdict};
use harness::sys::time::{self, Deadline, MILLISECOND, SECOND};
use rseq_rt::thread::{self, Builder};

#[repr(align(1024))]
struct Aligned([u8; 5000]);

/// How many were dropped at an address that their alignment forbids.
static MISALIGNED: AtomicU32 = AtomicU32::new(0);

impl Aligned {
    /// The address, hidden from a compiler that knows what it must be.
    fn is_aligned(&self) -> bool {
        black_box(&raw const *self as usize).is_multiple_of(1024)
    }

    fn is_intact(&self, byte: u8) -> bool {
        self.is_aligned() && self.0.iter().all(|found| *found == byte)
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        MISALIGNED.fetch_add(u32::from(!self.is_aligned()), Ordering::Relaxed);
    }
}

pub fn sizes() -> Verdict {
    thread::spawn(|| ()).or_fail("spawn")?.join();
    let long = [7_u64; 5000];
    let sum = thread::spawn(move || long.iter().sum::<u64>()).or_fail("spawn")?.join();
    ensure!(sum == 35_000, "the sum of a closure's array is {sum}");
    let given = Aligned([3; 5000]);
    let taken = Builder::new().stack_size(128 << 10).spawn(move || {
        let intact = given.is_intact(3);
        Aligned([if intact { 5 } else { 0 }; 5000])
    });
    ensure!(taken.or_fail("spawn")?.join().is_intact(5), "a result with alignment 1024 is damaged");
    let unwanted = thread::spawn(|| Aligned([0; 5000])).or_fail("spawn")?;
    while !unwanted.is_finished() {
        time::yield_now();
    }
    // Dropped where the thread left it.
    drop(unwanted);
    let misaligned = MISALIGNED.load(Ordering::Relaxed);
    ensure!(misaligned == 0, "{misaligned} values were kept at addresses that are not multiples of 1024");
    Ok(())
}

pub fn scoped() -> Verdict {
    let (mut squares, slow) = ([0_u32; 20], AtomicU32::new(0));
    let joined = thread::scope(|scope| {
        for (number, square) in squares.iter_mut().enumerate() {
            // Its handle is dropped: the scope alone waits.
            scope.spawn(move || *square = (number * number) as u32)?;
        }
        scope.spawn(|| {
            thread::sleep(core::time::Duration::from_millis(20));
            slow.store(1, Ordering::Relaxed);
        })?;
        Ok(scope.spawn(|| 12)?.join())
    });
    ensure!(joined.or_fail("spawn")? == 12, "a scoped thread's result is lost");
    ensure!(slow.load(Ordering::Relaxed) == 1, "the scope did not wait for a slow thread");
    let wrong = squares.iter().enumerate().find(|(number, square)| **square as usize != number * number);
    ensure!(wrong.is_none(), "wrong result of a scoped thread: {wrong:?}");
    Ok(())
}

/// Counts its drops.
pub struct Counted(pub &'static AtomicU32);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub fn dropped() -> Verdict {
    static DROPS: AtomicU32 = AtomicU32::new(0);
    let wait_for = |wanted: u32| {
        let deadline = Deadline::after(10 * SECOND);
        while DROPS.load(Ordering::Relaxed) < wanted && !deadline.is_past() {
            time::yield_now();
        }
        let drops = DROPS.load(Ordering::Relaxed);
        ensure!(drops == wanted, "{drops} drops, not {wanted}");
        Ok(())
    };
    // Detached while it runs, detached when it has finished, joined: one drop each.
    thread::spawn(|| (time::sleep(10 * MILLISECOND), Counted(&DROPS))).or_fail("spawn")?.detach();
    wait_for(1)?;
    let finished = thread::spawn(|| Counted(&DROPS)).or_fail("spawn")?;
    while !finished.is_finished() {
        time::yield_now();
    }
    drop(finished);
    wait_for(2)?;
    drop(thread::spawn(|| Counted(&DROPS)).or_fail("spawn")?.join());
    wait_for(3)
}
