//! Measures the per-CPU types of rseq-core beside what programs use today; `cargo run --release -- bench` runs it.
//!
//! # How it measures
//!
//! A round runs every contender of a case once, one after the other, each in all threads, and begins with another one
//! each time. Whatever else the machine does then concerns all of them, and a ratio is taken within a round. What
//! counts are the medians over all rounds, of nanoseconds of thread CPU time (`CLOCK_THREAD_CPUTIME_ID`) and of the
//! ratios. Thread `i` is pinned to the `i`-th CPU that the process may use, and around again if there are more threads
//! than CPUs. criterion measures one function after the other and has no threads that run at once, hence the loop in
//! [`measure`].
//!
//! # How to add a case
//!
//! One file in `src/cases` with a table, a [`Case`], and a line in [`cases::ALL`]. A contender is a label and a
//! function that makes its shared state:
//!
//! ```
//! use bench::{Case, Contender, Goal, Made, expect, repeat, workload};
//! use std::sync::Mutex;
//! use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
//!
//! pub const CASE: Case = Case {
//!     name: "count",
//!     operation: "adds 1 to a count that all threads share",
//!     contenders: &[Contender::ours("AtomicU64", atomic), Contender::peer("Mutex", mutex)],
//!     goals: &[Goal::times("AtomicU64", 1, 0.5, "Mutex"), Goal::nanoseconds("AtomicU64", 2, 40.0)],
//!     threads: None,
//! };
//!
//! fn atomic() -> Made {
//!     let run = |count: &AtomicU64, operations| repeat(operations, || count.fetch_add(1, Relaxed));
//!     workload(AtomicU64::new(0), run, |count, done| expect(count.load(Relaxed), done))
//! }
//!
//! fn mutex() -> Made {
//!     let run = |count: &Mutex<u64>, operations| repeat(operations, || *count.lock().unwrap() += 1);
//!     workload(Mutex::new(0), run, |count, done| expect(*count.lock().unwrap(), done))
//! }
//!
//! for contender in CASE.contenders {
//!     bench::exercise(contender, 2, 1000)?;
//! }
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! * The second function of [`workload`] runs a number of operations in one of the threads. It is called once a round,
//!   so it may prepare what a thread needs, such as a registration. [`repeat`] and [`try_repeat`] keep the compiler
//!   from merging operations; [`barrier`] does so between the halves of one.
//! * The third is given the number of all operations, and says what is wrong with the state: lost counts, lost items.
//!   It runs after the last round, and in `cargo test`. [`expect`] and [`complete`] say it in words.
//! * The first contender is the reference: ratios are times as multiples of its time.
//! * A contender that cannot run here returns the reason from the function that makes it, and is reported as skipped;
//!   [`by_sections`] returns it for types that would work by their fallback.
//! * Operations that come in batches: [`Contender::batch`]. Numbers of threads that make no sense: [`Case::threads`].

mod case;
pub mod cases;
mod crew;
mod measure;
pub mod pin;
mod result;
mod rounds;
mod statistics;
mod workload;

pub use case::{Case, Contender, Goal, Limit};
pub use measure::{Settings, exercise, measure};
pub use result::{CaseResult, ContenderResult, GoalResult, Point};
pub use workload::{Made, Workload, barrier, by_sections, complete, expect, repeat, try_repeat, workload};
