//! What people and programs get to see.

mod json;
mod ktap;
mod levels;
mod live;
pub mod matrix;
mod quiet;
mod summary;
mod table;
pub mod text;

pub use json::print as print_json;
pub use ktap::KtapSink;
pub use live::LiveSink;
pub use quiet::QuietSink;
pub use summary::{Summary, print as print_summary};
