//! A loop that is vectorised, for this machine's CPU, around a system call: its values and masks outlive the call.

mod package;

use package::CORE;
use std::process::Command;

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
    let manifest = format!(
        "[lib]\npath = \"{CORE}/examples/around_a_call.rs\"\n\n[dependencies.linux-raw-sys]\nversion = \"0.12\"\n\
         default-features = false\nfeatures = [\"general\", \"no_std\"]\n\n"
    );
    let dir = package::write("around-a-call", &manifest, MAIN);
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--release"]).current_dir(&dir).env("CARGO_TARGET_DIR", dir.join("target"));
    let output = command.env("RUSTFLAGS", "-Ctarget-cpu=native").output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
