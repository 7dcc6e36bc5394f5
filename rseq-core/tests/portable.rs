//! What a portable program sees where there is no rseq: the code of such targets, built for this machine and run.

mod package;

use std::process::Command;

const MAIN: &str = r#"
use rseq_core::sys::{Errno, getcpu};
use rseq_core::{KernelRseq, Mode, OwnArea, RegisterError, Registration, ThreadArea};

fn main() {
    assert_eq!(KernelRseq::read(), KernelRseq::LEGACY);
    // SAFETY: the registration, if there were one, would be dropped here.
    let own = unsafe { Registration::own(Mode::Extended) };
    assert_eq!(own.err(), Some(RegisterError::NoSyscall));
    assert_eq!(Registration::adopt().err(), Some(RegisterError::NothingToAdopt));
    assert!(OwnArea::current().is_none() && ThreadArea::current().is_none());
    assert_eq!(getcpu(), Err(Errno::ENOSYS));
}
"#;

#[test]
fn registrations_are_refused_where_there_is_no_rseq() {
    let dir = package::write("portable", "", MAIN);
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet"]).current_dir(&dir).env("CARGO_TARGET_DIR", dir.join("target"));
    let output = command.env("RUSTFLAGS", "--cfg rseq_stub").output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
