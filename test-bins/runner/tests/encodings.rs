//! The static binaries, built for an architecture, taken apart: descriptors, signatures, exits, calls, commits, orders.
//!
//! With `-- --ignored` only, as the suite is built anew, with LTO. Every cell of the boot matrix makes the same check
//! before it boots.

use std::io::Write;
use std::process::Command;

fn clean(architecture: &str) {
    let mut runner = Command::new(env!("CARGO_BIN_EXE_runner"));
    let output = runner.args(["boot", "--check", "--arch", architecture]).output().expect("the runner starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    let result = out.lines().last().unwrap_or_default();
    assert!(result.starts_with(&format!("ok 1 {architecture}")), "{out}");
    match result.split_once("# SKIP") {
        // Past the harness, which shows the output of failed tests only.
        Some((_, reason)) => writeln!(std::io::stderr(), "{architecture} is not checked:{reason}").unwrap_or_default(),
        None => assert!(!out.contains(" 0 critical sections") && !out.contains(" 0 orders"), "{out}"),
    }
}

macro_rules! built {
    ($($architecture:ident)*) => {
        $(
            #[test]
            #[ignore = "builds the suite with LTO: only with --ignored, or by the boot matrix"]
            fn $architecture() {
                clean(stringify!($architecture));
            }
        )*
    };
}

built! { x86_64 i686 aarch64 armv7 riscv64 s390x powerpc64le loongarch64 mips64el mips64r6el }
