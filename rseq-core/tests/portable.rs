//! What a portable program sees where there is no rseq: the code of such targets, built for this machine and run.

use std::fs;
use std::path::Path;
use std::process::Command;

const CORE: &str = env!("CARGO_MANIFEST_DIR");

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
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("portable");
    fs::create_dir_all(dir.join("src")).expect("the target directory is writable");
    let manifest = format!(
        "[package]\nname = \"portable\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nrseq-core.path = {CORE:?}\n"
    );
    fs::write(dir.join("Cargo.toml"), manifest).expect("the manifest is written");
    fs::write(dir.join("src/main.rs"), MAIN).expect("the program is written");
    let lock = Path::new(CORE).join("../Cargo.lock");
    if lock.exists() {
        fs::copy(lock, dir.join("Cargo.lock")).expect("the lock file is copied");
    }
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet"]).current_dir(&dir).env("CARGO_TARGET_DIR", dir.join("target"));
    let output = command.env("RUSTFLAGS", "--cfg rseq_stub").output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
