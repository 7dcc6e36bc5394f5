//! Saying what a test skipped. The unit tests use this file too.

extern crate std; // which the core does not have

use std::fmt::Display;
use std::io::{Write, stderr};

/// Says what was not tested, also where the test passes, which hides what `eprintln` writes.
pub fn skipped(reason: impl Display) {
    let _ = writeln!(stderr(), "skipped: {reason}");
}
