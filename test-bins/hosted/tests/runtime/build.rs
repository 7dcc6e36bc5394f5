//! Building the package `runtime/`, and running it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

/// How the program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variant {
    /// Names the built file.
    pub name: &'static str,
    /// Whether it is optimized.
    pub release: bool,
    /// Link arguments besides `-nostdlib`.
    pub link: &'static str,
    /// Whether origin starts it.
    pub origin: bool,
}

const FIXED: &str = "-static -no-pie";

/// Without optimization, at a fixed address.
pub const DEBUG: Variant = Variant { name: "debug", release: false, link: FIXED, origin: true };
/// With optimization, at a fixed address.
pub const RELEASE: Variant = Variant { name: "release", release: true, link: FIXED, origin: true };

/// Without optimization, at an address of the kernel's choice.
pub const DEBUG_PIE: Variant = Variant { name: "debug-pie", release: false, link: "-static-pie", origin: true };
/// With optimization, at an address of the kernel's choice.
pub const RELEASE_PIE: Variant = Variant { name: "release-pie", release: true, link: "-static-pie", origin: true };
/// As [`RELEASE_PIE`], linked by GNU ld.
pub const BFD_PIE: Variant = Variant { name: "bfd-pie", release: true, link: "-static-pie -fuse-ld=bfd", origin: true };
/// As [`RELEASE_PIE`], with relocations in a compact table.
pub const RELR_PIE: Variant =
    Variant { name: "relr-pie", link: "-static-pie -Wl,-z,pack-relative-relocs", ..RELEASE_PIE };
/// As [`RELR_PIE`], linked by GNU ld.
pub const BFD_RELR_PIE: Variant =
    Variant { name: "bfd-relr-pie", link: "-static-pie -fuse-ld=bfd -Wl,-z,pack-relative-relocs", ..RELEASE_PIE };

/// As [`DEBUG_PIE`], started by rseq-rt alone.
pub const DEBUG_OWN: Variant = Variant { name: "debug-own", origin: false, ..DEBUG_PIE };
/// As [`RELEASE`], started by rseq-rt alone.
pub const RELEASE_OWN: Variant = Variant { name: "release-own", origin: false, ..RELEASE };

/// The ways in which every part of the program is run.
pub const VARIANTS: &[Variant] = &[DEBUG, RELEASE, DEBUG_PIE, RELEASE_PIE, BFD_PIE, DEBUG_OWN, RELEASE_OWN];

/// Runs a part of the program.
pub fn run(variant: Variant, part: &str) -> Output {
    let program = program(variant);
    Command::new(&program).arg(part).output().unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

/// Runs a part of the program in each way, and expects success.
#[track_caller]
pub fn expect_success(part: &str) {
    for variant in VARIANTS {
        let output = run(*variant, part);
        assert!(output.status.success(), "{part}, {}: {output:#?}", variant.name);
    }
}

/// The program, built once. Cargo builds for two profiles at a time.
#[track_caller]
pub fn program(variant: Variant) -> PathBuf {
    // All of a profile come out at one path, from which a copy is taken before the next one is built.
    static BUILT: [Mutex<BTreeMap<Variant, PathBuf>>; 2] = [const { Mutex::new(BTreeMap::new()) }; 2];
    let mut built = BUILT[usize::from(variant.release)].lock().unwrap_or_else(PoisonError::into_inner);
    built.entry(variant).or_insert_with(|| build(variant)).clone()
}

fn build(variant: Variant) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("runtime");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--target-dir"]).arg(&directory).args(variant.release.then_some("--release"));
    cargo.args((!variant.origin).then_some("--no-default-features"));
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("runtime"));
    let output = cargo.env_remove("RUSTFLAGS").env("RUNTIME_LINK", variant.link).output().expect("cargo starts");
    assert!(output.status.success(), "{cargo:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    let built = directory.join(if variant.release { "release/runtime" } else { "debug/runtime" });
    let copy = directory.join(variant.name).with_extension("program");
    // Not by this process, whose children may still have the file open for writing when it is started.
    let copied = Command::new("cp").args([&built, &copy]).status().expect("cp starts");
    assert!(copied.success(), "cp {}: {copied}", built.display());
    copy
}
