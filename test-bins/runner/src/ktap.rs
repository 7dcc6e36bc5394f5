//! Reading KTAP as it really arrives: pipes that end early, serial consoles with kernel messages in
//! between, programs that print nonsense.
//!
//! [`Parser`] takes lines and never fails; what is wrong with the input becomes a
//! [`Document::problems`] entry, and what was read before stays. One parser reads one document:
//!
//! ```text
//! let (mut splitter, mut parser) = (Splitter::default(), Parser::new());
//! splitter.push(bytes, |line| parser.line(line));  // chunks of any size
//! let document = parser.finish();                  // plan, results, nested documents, problems
//! ```
//!
//! Format: the kernel's `Documentation/dev-tools/ktap.rst`.

mod document;
pub mod json;
mod parser;
mod split;
#[cfg(test)]
mod tests;

pub use document::{Case, Document, UNFINISHED};
pub use parser::Parser;
pub use protocol::ktap::{Directive, Line, Plan, TestLine, VERSION, read as read_line};
pub use protocol::outcome::{Counts, Outcome};
pub use split::Splitter;
