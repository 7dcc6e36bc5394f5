//! Guests: what one runs, its run under QEMU, and what became of it.
//!
//! | module | purpose |
//! |---|---|
//! | `payload`, `cpio` | what a guest runs |
//! | `qemu`, `console` | a run of QEMU, and what its console says |
//! | `cell`, `faults`, `retry` | one cell, kernels at fault, and a second boot |
//! | `capacity`, `schedule` | cells side by side |

pub mod capacity;
pub mod cell;
mod console;
mod cpio;
mod faults;
pub mod payload;
mod qemu;
mod retry;
pub mod schedule;
