//! The suite on this machine: build, run each binary, judge it.

mod exec;
mod judge;
mod plan;
mod size;
mod test;

pub use exec::{End, Stream};
pub use plan::{Extent, Planned, plan};
pub use size::Size;
pub use test::{Sink, Tested, test};
