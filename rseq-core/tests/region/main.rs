//! Per-CPU memory: no item is allocated twice or lost, under signals and migrations.
#![cfg(target_os = "linux")]

#[path = "../affinity/mod.rs"]
mod affinity;
mod against_model;
mod interrupted;
mod libc;
#[path = "../skipped/mod.rs"]
mod skipped;
mod storm;
