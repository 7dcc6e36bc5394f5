//! Critical sections: the macro that makes them, and how they end.

mod arithmetic;
#[doc(hidden)]
pub mod check;
mod function;
mod grammar;
#[cfg(not(any(rseq_stub, target_arch = "x86_64", target_arch = "x86")))]
mod load_store;
mod outcome;
mod steps;

#[doc(hidden)]
pub use function::exit_number;
pub use outcome::{Aborted, Committed, CompareFailed, Order, OutOfRange, Relaxed, Release};
