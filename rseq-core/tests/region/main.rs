//! Per-CPU memory: items are nobody else's and none is lost, whatever interrupts threads and moves them.
#![cfg(target_os = "linux")]

mod against_model;
mod libc;
mod sections;
mod storm;

use std::io::{Write, stderr};

/// Reports a skip outside of the harness, which shows the output of failed tests only.
fn skipped(why: &str) {
    let _ = writeln!(stderr(), "skipped: {why}");
}
