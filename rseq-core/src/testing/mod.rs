//! Sections changed for tests, and sections as data. Only with the feature `testing`.
//!
//! An attribute before the items of [`critical_section!`](crate::critical_section) changes all of them:
//!
//! * `#![stretched]` adds a last parameter, `delays: *const usize`, and, after the n-th step, a loop that counts down
//!   from `delays[n]`, so that a test can hold the section open there. `delays[0]` is for the time when it is armed and
//!   has not begun.
//! * `#![compare_twice]` does the same, and repeats every comparison after its delay. In a section that restarts as it
//!   should, the repetition cannot fail: if it does, the function returns [`Differed`], and otherwise its result in an
//!   `Ok`.
//! * `#![unarmed]` leaves out the store that arms the section: a control, which loses updates.
//! * `#![model]` turns the sections into data, `SECTIONS`, a slice of [`SectionIr`]s, instead of functions: an
//!   interpreter can then try every interruption, and compare the assembly with it.
//! * `#![unchecked]` does not check the steps, and `#![model, unchecked]` is the same as data: for controls that are
//!   wrong on purpose.
//!
//! Sections that are stretched, or compare twice, have at most sixteen steps.

mod arithmetic;
mod commits;
mod interpret;
mod ir;
mod steps;
mod variants;

pub use arithmetic::Arithmetic;
pub use interpret::{Call, Ending, Fault, Memory};
pub use ir::{Address, Compiled, Operand, Parameter, Run, SectionIr, Step};
#[doc(hidden)]
pub use ir::{ParameterWord, Returned};

use core::fmt;

/// A comparison held, and failed when it was repeated: something other than this CPU's threads changes what the section
/// compares, or the section was not restarted. Only sections with `#![compare_twice]` return it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Differed;

impl fmt::Display for Differed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a comparison that held did not when it was made again")
    }
}

impl core::error::Error for Differed {}
