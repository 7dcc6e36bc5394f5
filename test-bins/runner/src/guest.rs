//! Guests: what one runs, its run under QEMU, and what became of it.
//!
//! | module | purpose |
//! |---|---|
//! | `payload`, `user_files`, `cpio` | what a guest runs, and its files |
//! | `qemu`, `console` | a run of QEMU, and what its console says |
//! | `asked` | whether results are those of what was asked for |
//! | `cell`, `cell_result`, `faults`, `retry` | one cell, kernels at fault, and a second boot |
//! | `resume` | what an earlier run has left to do |
//! | `pipeline`, `capacity`, `schedule` | all cells, side by side |

mod asked;
pub mod capacity;
pub mod cell;
pub mod cell_result;
mod console;
mod cpio;
mod faults;
pub mod payload;
pub mod pipeline;
mod qemu;
pub mod resume;
mod retry;
mod schedule;
pub mod user_files;
