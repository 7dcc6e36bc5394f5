//! What the programs print.

use std::process::Command;

pub use hosted::report::skipped;
use rseq_core::Status;

/// The libc has registered the threads.
pub const LIBC: &str = "on: the libc registers threads";
/// The core has, for the program.
pub const OWN: &str = "on: this program registers threads";

/// Whether this kernel has rseq; if not, says so.
pub fn has_rseq() -> bool {
    // glibc registers this process, unless it is told not to; `Off` has the reason.
    let status = rseq_core::status();
    let is_on = matches!(status, Status::On(_));
    if !is_on {
        skipped(status);
    }
    is_on
}

/// Whether a program is installed; if not, says what to install.
pub fn is_there(program: &str, package: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        skipped(format_args!("no {program}: install {package}"));
    }
    found
}

/// What a program printed. It must have succeeded.
#[track_caller]
pub fn text(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {text}{errors}", output.status);
    text
}

/// Expects that threads have this status, that all counts are exact, and that sections were aborted.
#[track_caller]
pub fn expect(text: &str, status: &str) {
    expect_sections(text, status);
    is_exact(text, "counter");
}

/// The same, where there is no counter.
#[track_caller]
pub fn expect_sections(text: &str, status: &str) {
    assert!(text.lines().any(|line| line == status), "not {status:?}: {text}");
    is_exact(text, "sections");
    let aborts: u64 = line(text, "aborts").parse().expect("a number");
    assert!(aborts > 0, "{text}");
}

#[track_caller]
fn is_exact(text: &str, name: &str) {
    let (found, expected) = line(text, name).split_once(" of ").expect("two numbers");
    assert!(found == expected && found.parse::<u64>().is_ok_and(|number| number > 0), "{name}: {text}");
}

/// What follows the name.
#[track_caller]
fn line<'a>(text: &'a str, name: &str) -> &'a str {
    let found = text.lines().find_map(|line| line.strip_prefix(name));
    found.unwrap_or_else(|| panic!("no {name}: {text}")).trim()
}
