//! The command `cargo run`: all of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    runner::main()
}
