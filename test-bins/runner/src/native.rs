//! The suite on this machine: build, run each binary, judge it.

mod plan;
mod size;
mod summary;
mod supported;
mod test;
mod tested;

pub use plan::{Extent, Planned, plan};
pub use size::Size;
pub use summary::{Row, Summary, rows};
pub use supported::check as check_supported;
pub use test::test;
pub use tested::{End, Tested};
