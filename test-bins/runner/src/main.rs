//! The command `cargo run`: all of it is in the library.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    runner::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("error: rseq is a system call of Linux: this suite runs there only");
    ExitCode::from(2)
}
