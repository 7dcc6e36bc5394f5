//! A loop that is vectorised, for this machine's CPU, around a system call: its values and masks outlive the call.

use std::fs;
use std::path::Path;
use std::process::Command;

const CORE: &str = env!("CARGO_MANIFEST_DIR");

const MAIN: &str = r#"
use std::hint::black_box;

fn main() {
    let words = std::array::from_fn::<u32, 117, _>(|i| i as u32 * 0x0101);
    let expected: u32 = words.iter().map(|word| black_box((word ^ 0x5a5a) & 0xff)).sum();
    for rounds in 1..4 {
        assert_eq!(around_a_call::probe_vectors(black_box(rounds), black_box(&words)), rounds as u32 * expected);
    }
}
"#;

#[test]
fn a_vectorised_loop_outlives_its_system_calls() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vectors");
    fs::create_dir_all(dir.join("src")).expect("the target directory is writable");
    let manifest = format!(
        "[package]\nname = \"around-a-call\"\nedition = \"2024\"\n\n\
         [lib]\npath = \"{CORE}/examples/around_a_call.rs\"\n\n[workspace]\n\n\
         [dependencies]\nrseq-core.path = {CORE:?}\n\
         linux-raw-sys = {{ version = \"0.12\", default-features = false, features = [\"general\", \"no_std\"] }}\n"
    );
    fs::write(dir.join("Cargo.toml"), manifest).expect("the manifest is written");
    fs::write(dir.join("src/main.rs"), MAIN).expect("the program is written");
    let lock = Path::new(CORE).join("../Cargo.lock");
    if lock.exists() {
        fs::copy(lock, dir.join("Cargo.lock")).expect("the lock file is copied");
    }
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--release"]).current_dir(&dir).env("CARGO_TARGET_DIR", dir.join("target"));
    let output = command.env("RUSTFLAGS", "-Ctarget-cpu=native").output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
