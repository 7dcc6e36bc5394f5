//! A library that uses the runtime: visitors that come in threads of their own. Its unit tests and its example have the
//! runtime on std.
#![cfg_attr(not(test), no_std)]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use rseq_core::percpu::Counter;
use rseq_core::sys::Errno;
use rseq_rt::sync::Mutex;
use rseq_rt::thread;

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

/// Who came in which order: as many numbers as there is room for.
pub type Order = Mutex<[u32; 16]>;

/// Has `count` visitors come, each in a thread, and notes the order.
///
/// # Errors
///
/// Those of starting a thread.
pub fn welcome(visits: &Visits, order: &Order, count: u32) -> Result<(), Errno> {
    thread::scope(|scope| {
        for visitor in 1..=count {
            thread::Builder::new().name("visitor").spawn_scoped(scope, move || {
                visits.welcome(visitor);
                let mut order = order.lock();
                if let Some(place) = order.iter_mut().find(|place| **place == 0) {
                    *place = visitor;
                }
            })?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod panics;

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::sync::atomic::Ordering;

    #[test]
    fn all_visitors_of_a_crowd_are_noted() {
        static VISITS: Visits = Visits::new();
        let order = Order::new([0; 16]);
        welcome(&VISITS, &order, 8).expect("threads");
        let mut order = order.into_inner();
        assert!(order[..8].contains(&VISITS.last()));
        order.sort_unstable();
        assert_eq!((VISITS.count(), &order[8..]), (8, &[1, 2, 3, 4, 5, 6, 7, 8][..]));
    }

    #[test]
    fn threads_have_names_values_and_results() {
        static DROPPED: AtomicU32 = AtomicU32::new(0);
        struct Noted(Cell<u32>);
        impl Drop for Noted {
            fn drop(&mut self) {
                DROPPED.fetch_add(self.0.get(), Ordering::Relaxed);
            }
        }
        rseq_rt::thread_local! {
            static NUMBER: Noted = Noted(Cell::new(1));
        }
        let thread = thread::Builder::new().name("one").spawn(|| {
            NUMBER.with(|number| number.0.set(30));
            (thread::current().name().as_bytes() == b"one", thread::current().id())
        });
        let thread = thread.expect("a thread");
        let id = thread.id();
        assert!(thread.tid().is_none_or(|tid| tid > 0));
        assert_eq!(thread.join(), (true, id));
        assert_eq!(DROPPED.load(Ordering::Relaxed), 30);
        NUMBER.with(|number| assert_eq!(number.0.get(), 1));
    }

    #[test]
    fn a_thread_that_ends_early_has_no_result() {
        // SAFETY: nothing is on the thread's stack.
        let thread = thread::spawn(|| unsafe { thread::exit() });
        assert_eq!(thread.expect("a thread").try_join(), None::<()>);
        let panics = thread::spawn(|| assert!(std::hint::black_box(false), "on purpose"));
        assert_eq!(panics.expect("a thread").try_join(), None);
    }

    #[test]
    fn detached_threads_run_on() {
        static DONE: rseq_rt::sync::Parker = rseq_rt::sync::Parker::new();
        thread::spawn(|| DONE.unpark()).expect("a thread").detach();
        DONE.park();
    }

    #[test]
    fn arguments_and_environment_are_those_of_the_test() {
        assert!(rseq_rt::env::args().eq(std::env::args()));
        assert_eq!(rseq_rt::env::var("PATH"), std::env::var("PATH").ok().as_deref());
        assert!(rseq_rt::env::auxv(6).is_some_and(usize::is_power_of_two));
        assert!(rseq_rt::registration().is_err() && rseq_rt::current().is_none());
        rseq_rt::println!("a line");
    }
}
