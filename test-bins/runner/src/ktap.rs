//! Reading KTAP as it really arrives: pipes that end early, serial consoles with kernel messages in
//! between, programs that print nonsense.
//!
//! [`Parser`] takes bytes or lines and never fails; what is wrong with the input becomes a
//! [`Document::problems`] entry, and what was read before stays. One parser reads one document:
//!
//! ```text
//! let mut parser = Parser::new();
//! parser.feed(bytes);              // any chunks, or parser.line(text) for whole lines
//! let document = parser.finish();  // plan, results, nested documents, problems
//! ```
//!
//! Format: the kernel's `Documentation/dev-tools/ktap.rst`.

mod document;
mod line;
mod parser;
mod split;
#[cfg(test)]
mod tests;

pub use document::{Counts, Document, Outcome};
pub use line::{Line, read as read_line};
pub use parser::Parser;
pub use split::Splitter;
