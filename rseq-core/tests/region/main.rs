//! Per-CPU memory: no item is allocated twice or lost, under signals and migrations.
#![cfg(target_os = "linux")]

mod against_model;
mod interrupted;
mod libc;
mod storm;

use std::io::{Write, stderr};

/// Reports a skip outside of the harness, which shows the output of failed tests only.
fn skipped(why: &str) {
    let _ = writeln!(stderr(), "skipped: {why}");
}
