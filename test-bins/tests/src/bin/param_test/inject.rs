//! What happens around the sections: loops, and every so often a yield, a signal, a sleep.

use crate::options::{BLOCK, Params};
use core::hint::black_box;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use harness::sys::time::{self, MILLISECOND};
use harness::sys::{process, signal};
use linux_raw_sys::general::SIGUSR1;

/// A point around a section.
#[derive(Clone, Copy)]
pub enum Point {
    /// Before the index is read.
    Before = 7,
    /// Between index and section.
    Between = 8,
    /// After the section.
    After = 9,
}

/// Signals handled, by all threads.
pub static SIGNALS: AtomicUsize = AtomicUsize::new(0);

/// Yields the CPU between two sections, out of the way of those that do not.
#[cold]
#[inline(never)]
pub fn give_way() {
    time::yield_now();
}

pub extern "C" fn count_signal(_: i32) {
    SIGNALS.fetch_add(1, Relaxed);
}

/// One thread's injections.
pub struct Injector<'p> {
    params: &'p Params,
    passed: u32,
}

impl<'p> Injector<'p> {
    pub fn new(params: &'p Params) -> Self {
        Self { params, passed: 0 }
    }

    /// Does what the options ask for at `point`.
    #[inline(always)]
    pub fn at(&mut self, point: Point) {
        let loops = self.params.loops[point as usize];
        if loops != 0 {
            self.inject(loops);
        }
    }

    #[cold]
    fn inject(&mut self, loops: i64) {
        // Not with a hint to the processor, which would make a loop take a hundred times as long as one inside a
        // section.
        for turn in 0..loops {
            black_box(turn);
        }
        if loops != BLOCK || self.params.modulo == 0 {
            return;
        }
        self.passed += 1;
        if self.passed >= self.params.modulo {
            self.passed = 0;
            self.block();
        }
    }

    fn block(&self) {
        if self.params.sleep_ms > 0 {
            time::sleep(u64::from(self.params.sleep_ms) * MILLISECOND);
        }
        if self.params.yields {
            time::yield_now();
        }
        if self.params.signals {
            // A thread can always signal itself; were it refused, the signals counted would tell.
            let _ = signal::send(process::id(), process::thread_id(), SIGUSR1);
        }
    }
}
