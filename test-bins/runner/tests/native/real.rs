//! The real binaries: built by cargo as `cargo run` does, and run on this kernel.

use serde_json::Value;

use crate::fakes::{Run, runner};

#[test]
fn the_suite_is_built_and_runs_here() {
    let run = Run::of(&mut runner(&["--json", "probe", "syscall_errors_test", "ptrace_test"]));
    assert_eq!(run.code, Some(0), "{run:#?}");
    let root: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(root["probe"]["kernel"], root["kernel"]);
    assert!(root["counts"]["passed"].as_u64() >= Some(20), "{:#}", root["counts"]);
    for binary in root["binaries"].as_array().unwrap() {
        assert_eq!(binary["size"]["stripped"], true, "{binary:#}");
        assert!(binary["size"]["bytes"].as_u64() < Some(96 * 1024), "{binary:#}");
    }
}

#[test]
fn what_was_built_runs_again_without_a_build() {
    let built = Run::of(&mut runner(&["syscall_errors_test"]));
    let again = Run::of(&mut runner(&["--no-build", "syscall_errors_test"]));
    assert_eq!((built.code, again.code), (Some(0), Some(0)), "{again:#?}");
    assert!(!again.stderr.contains("Compiling"), "{again:#?}");
}
