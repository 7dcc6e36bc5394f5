//! A second thread: the kernel takes shortcuts for processes with one thread.

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::ktap::{OrFail, Verdict};
use crate::sys::time::{self, MILLISECOND};

/// Runs `test` while another thread of this process sleeps and runs now and then.
pub fn with(test: impl FnOnce() -> Verdict) -> Verdict {
    let stop = AtomicBool::new(false);
    rseq_rt::thread::scope(|scope| {
        let sleeper = || {
            while !stop.load(Relaxed) {
                time::sleep(MILLISECOND);
            }
        };
        scope.spawn(sleeper).or_fail("a thread")?;
        let verdict = test();
        stop.store(true, Relaxed);
        verdict
    })
}
