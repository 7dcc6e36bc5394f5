//! What the program is about, with unit tests: on std under test, without it elsewhere. It leaves the runtime to the
//! program, because a test has std's.
#![cfg_attr(not(test), no_std)]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use rseq_core::percpu::Counter;

/// Visits, and the last visitor.
#[derive(Debug, Default)]
pub struct Visits {
    count: Counter,
    last: AtomicU32,
}

impl Visits {
    /// No visitor yet.
    pub const fn new() -> Self {
        Self { count: Counter::new(), last: AtomicU32::new(0) }
    }

    /// Counts a visitor.
    pub fn welcome(&self, visitor: u32) {
        self.count.inc();
        self.last.store(visitor, Relaxed);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count.sum()
    }

    /// Who came last.
    pub fn last(&self) -> u32 {
        self.last.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use crate::Visits;

    #[test]
    fn visitors_are_counted_and_the_last_one_is_known() {
        static VISITS: Visits = Visits::new();
        let threads: Vec<_> = (1..=8).map(|number| std::thread::spawn(move || VISITS.welcome(number))).collect();
        threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
        assert_eq!(VISITS.count(), 8);
        assert!((1..=8).contains(&VISITS.last()));
    }
}
