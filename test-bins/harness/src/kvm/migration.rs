//! A thread that is moved from CPU to CPU by another one, and knows when it was not.

use core::sync::atomic::{AtomicU32, Ordering, fence};

use rseq_core::sys::Errno;

use crate::sys::cpu::{self, Set};
use crate::sys::time::{self, MICROSECOND};

/// How many looks in a row a change may disturb before the CPU is given up, for which the changing thread may wait.
///
/// Not at once: a switch to another thread and back makes the kernel write the area, which hides a mistake.
const LOOKS: u64 = 100;

/// Counts each begin and each end of a change of affinity: odd while one is under way.
#[derive(Default)]
pub struct Sequence(AtomicU32);

impl Sequence {
    /// Runs `change` as one step.
    fn step<T>(&self, change: impl FnOnce() -> T) -> T {
        self.0.fetch_add(1, Ordering::Relaxed);
        // The odd count is visible before anything of the change is.
        fence(Ordering::SeqCst);
        let result = change();
        fence(Ordering::SeqCst);
        self.0.fetch_add(1, Ordering::Relaxed);
        result
    }

    /// Looks until nothing changed meanwhile. Second, how many looks were in vain.
    pub fn stable<T>(&self, mut look: impl FnMut() -> T) -> (T, u64) {
        let mut in_vain = 0;
        loop {
            let before = self.0.load(Ordering::Acquire);
            let seen = look();
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.0.load(Ordering::Relaxed) == before {
                return (seen, in_vain);
            }
            in_vain += 1;
            if in_vain % LOOKS == 0 {
                time::yield_now();
            }
        }
    }
}

/// CPUs to go round.
pub struct Round {
    cpus: [u16; cpu::LIMIT],
    count: usize,
}

impl Round {
    /// Over the CPUs of `set`.
    pub fn over(set: &Set) -> Self {
        let mut round = Self { cpus: [0; cpu::LIMIT], count: 0 };
        for (slot, number) in round.cpus.iter_mut().zip(set.iter()) {
            *slot = number as u16;
            round.count += 1;
        }
        round
    }

    /// The CPU of step `step`; `None` in an empty round.
    fn at(&self, step: u32) -> Option<u32> {
        let index = (step as usize).checked_rem(self.count)?;
        self.cpus.get(index).map(|cpu| u32::from(*cpu))
    }
}

/// Moves the thread `tid` `migrations` times, 1 to 10 us apart in turn, for as long as `goes_on`; returns how often.
///
/// The pauses let the thread enter the kernel's KVM_RUN while its move is pending, and get out of it to look. A mistake
/// of the kernel's would depend on the timing, hence so many different ones.
///
/// # Errors
///
/// That of a move that was refused.
pub fn migrate(
    sequence: &Sequence,
    tid: u32,
    round: &Round,
    migrations: u32,
    goes_on: impl Fn() -> bool,
) -> Result<u32, Errno> {
    for step in 0..migrations {
        let Some(cpu) = round.at(step).filter(|_| goes_on()) else { return Ok(step) };
        let target = Set::only(cpu);
        sequence.step(|| cpu::set_affinity(tid, &target))?;
        time::sleep((u64::from(step % 10) + 1) * MICROSECOND);
    }
    Ok(migrations)
}
