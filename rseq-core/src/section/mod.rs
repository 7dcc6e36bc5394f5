//! Critical sections: the macro that makes them, and how they end.

mod macros;
mod outcome;
mod statement;
#[cfg(not(target_arch = "x86"))]
mod step;
mod text;

pub use outcome::{Aborted, Committed, CompareFailed, Differed, Order, OutOfRange, Relaxed, Release};
#[doc(hidden)]
pub use statement::Word;
pub use statement::{Form, Parameter, Place, Run, Source, Statement, Step};
