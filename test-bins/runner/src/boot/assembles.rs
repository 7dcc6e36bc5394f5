//! Every operation of rseq-core is assembled for architectures and options that no machine of the matrix covers.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use super::catalog::MACHINES;
use super::machine::Target;
use super::toolchain;
use crate::workspace;

/// Fewer registers than anywhere else, no optimization that would free one, and the frame pointer takes one away.
const WORST: &[&str] = &["-Copt-level=0", "-Cforce-frame-pointers=yes"];

/// One file of rseq-core serves each of these beside its own architecture.
const RELATIVES: [&str; 7] = [
    "powerpc64-unknown-linux-gnu",
    "powerpc-unknown-linux-gnu",
    "riscv32gc-unknown-linux-gnu",
    "mips64-unknown-linux-gnuabi64",
    "mips-unknown-linux-gnu",
    "mipsel-unknown-linux-gnu",
    "mipsisa64r6-unknown-linux-gnuabi64",
];

/// Builds the example that calls every operation; a compiler that is not here is a reason to skip.
fn assemble(target: &Target, flags: &[&str]) {
    let way = match toolchain::find(target) {
        Ok(way) => way,
        // Past the harness, which shows the output of failed tests only.
        Err(reason) => return writeln!(std::io::stderr(), "skipped: {reason}").unwrap_or_default(),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the runner is in the workspace");
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "-p", "rseq-core", "--example", "every_operation", "--target", target.triple]);
    let built = workspace::release_dir(root).expect("cargo knows the directory");
    command.arg("--target-dir").arg(built.with_file_name("assembles"));
    // Examples are built with what tests need.
    way.apply(&mut command, "core,alloc");
    command.env("CARGO_PROFILE_DEV_DEBUG", "0");
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")).env_remove("RUSTFLAGS");
    let output = command.current_dir(root).output().expect("cargo starts");
    assert!(output.status.success(), "{}: {}", target.triple, String::from_utf8_lossy(&output.stderr));
}

fn own(name: &str) -> &'static Target {
    let mut targets = MACHINES.iter().flat_map(|machine| machine.targets);
    targets.find(|target| target.name == name).expect("it is in the catalog")
}

#[test]
fn i686_without_optimization_and_with_frame_pointers() {
    assemble(own("i686"), WORST);
}

#[test]
fn this_machine_without_optimization_and_with_frame_pointers() {
    if let Some(machine) = MACHINES.iter().find(|machine| machine.name == std::env::consts::ARCH) {
        assemble(&machine.targets[0], WORST);
    }
}

#[test]
#[ignore = "builds core for seven architectures, which takes minutes"]
fn the_relatives_of_the_nine() {
    for triple in RELATIVES {
        assemble(&Target::new("relative", triple), WORST);
    }
}

#[test]
#[ignore = "builds core for ten targets, which takes minutes"]
fn all_targets_without_optimization_and_with_frame_pointers() {
    for machine in MACHINES {
        assemble(&machine.targets[0], WORST);
    }
}
