//! Panics that meet another one.

use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use rseq_rt::thread;

/// Two threads panic at the same moment.
pub fn two() -> Result<()> {
    static READY: AtomicU32 = AtomicU32::new(0);
    let panics = || -> () {
        READY.fetch_add(1, Ordering::AcqRel);
        while READY.load(Ordering::Acquire) < 2 {
            core::hint::spin_loop();
        }
        panic!("one of two")
    };
    let thread = thread::spawn(panics).context("spawn")?;
    panics();
    thread.join();
    Ok(())
}

struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("the message itself")
    }
}

/// A message that cannot be formatted.
pub fn in_display() -> Result<()> {
    panic!("a value: {Broken}")
}
