//! The real binaries: built by cargo as `cargo run` does, and run on this kernel.

use std::path::{Path, PathBuf};
use std::process::Command;

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
        assert!(binary["size"]["bytes"].as_u64() < Some(192 * 1024), "{binary:#}");
    }
}

#[test]
fn what_was_built_runs_again_without_a_build() {
    let built = Run::of(&mut runner(&["syscall_errors_test"]));
    let again = Run::of(&mut runner(&["--no-build", "syscall_errors_test"]));
    assert_eq!((built.code, again.code), (Some(0), Some(0)), "{again:#?}");
    assert!(!again.stderr.contains("Compiling"), "{again:#?}");
}

/// Runs a binary of the suite, as it was built for [`runner`].
fn suite(name: &str, args: &[&str]) -> Run {
    Run::of(Command::new(suite_path(name)).args(args))
}

/// Where that binary is.
pub fn suite_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("native").join(name)
}

/// Builds the suite, and gives the names of what it runs.
pub fn names() -> Vec<String> {
    let built = Run::of(&mut runner(&["probe"]));
    assert_eq!(built.code, Some(0), "{built:#?}");
    let list = Run::of(&mut runner(&["--list", "--json"]));
    let list: Value = serde_json::from_str(&list.stdout).unwrap();
    list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_binary_refuses_an_unknown_option() {
    for name in names() {
        let run = suite(&name, &["--nonsense"]);
        let says = format!("error: unknown option '--nonsense'\n{name}: ");
        assert!(run.code == Some(64) && run.stdout.is_empty() && run.stderr.starts_with(&says), "{name}: {run:#?}");
        assert!(run.stderr.contains("\nusage: ") && run.stderr.contains("64 usage"), "{run:#?}");
    }
}

#[test]
fn a_program_for_another_machine_is_refused_with_both_names() {
    names();
    let program = suite_path("probe").display().to_string();
    for machine in [&["--kernel-image", "/proc/self/exe"][..], &["--kernel", "7.2"]] {
        let run = Run::of(&mut runner(&[&["boot", "--arch", "s390x"], machine, &["--", &program]].concat()));
        assert_eq!(run.code, Some(2), "{run:#?}");
        assert!(run.stderr.contains("is built for x86_64, and s390x"), "{run:#?}");
    }
}

#[test]
fn param_test_refuses_what_it_cannot_do() {
    names();
    for (args, says) in [
        (&["--grid", "short", "-T", "i"][..], "--grid chooses by itself what -T says"),
        (&["--grid", "long"], "--grid takes short, full or blocking, not 'long'"),
        (&["-T", "q"], "there is no test 'q'"),
        (&["-6", "-1"], "-6 takes a number from 0 to 1000000000, not '-1'"),
        (&["-7", "-2"], "-7 takes a number from -1 to 1000000000, not '-2'"),
        (&["-r", "0"], "-r"),
        (&["-t"], "-t"),
    ] {
        let run = suite("param_test", args);
        let first = run.stderr.lines().next().unwrap_or_default();
        assert!(run.code == Some(64) && run.stdout.is_empty() && first.contains(says), "{args:?}: {run:#?}");
    }
    for (args, reason) in [
        (["-T", "i", "-4", "9"], "no section of increment has a point 4"),
        (["-T", "s", "-5", "9"], "no section of spinlock has a point 5"),
    ] {
        let run = suite("param_test", &args);
        assert!(run.code == Some(4) && run.stdout.contains(&format!("# SKIP {reason}\n")), "{args:?}: {run:#?}");
    }
    let run = suite("param_test", &["-T", "i", "-3", "9", "-t", "2", "-r", "10"]);
    assert!(run.code == Some(0) && run.stdout.contains("\nok 1 increment by cpu_id, 9 loops at 3\n"), "{run:#?}");
}
