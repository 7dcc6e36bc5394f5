//! Every operation of rseq-core is assembled for architectures and options that no machine of the matrix covers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::toolchain;
use crate::kernels::catalog::{self, MACHINES};
use crate::kernels::machine::Target;
use crate::workspace;

/// Fewer registers than anywhere else, no optimization that would free one, and the frame pointer takes one away.
const WORST: &[&str] = &["-Copt-level=0", "-Cforce-frame-pointers=yes"];

/// One file of rseq-core serves each of these beside its own architecture.
const RELATIVES: [&str; 10] = [
    "powerpc64-unknown-linux-gnu",
    "powerpc-unknown-linux-gnu",
    "riscv32gc-unknown-linux-gnu",
    "mips64-unknown-linux-gnuabi64",
    "mips-unknown-linux-gnu",
    "mipsel-unknown-linux-gnu",
    "mipsisa64r6-unknown-linux-gnuabi64",
    "thumbv7neon-unknown-linux-gnueabihf",
    "aarch64-linux-android",
    "x86_64-linux-android",
];

/// No sections run on these, and yet portable crates build.
const WITHOUT_SECTIONS: [&str; 5] = [
    "x86_64-unknown-linux-gnux32",
    "arm-unknown-linux-gnueabihf",
    "sparc64-unknown-linux-gnu",
    "x86_64-apple-darwin",
    "x86_64-pc-windows-msvc",
];

/// What became of a build.
pub enum Built {
    /// No compiler is here for the target; the reason is printed.
    Skipped,
    /// The directory that holds what cargo made of the example.
    In(PathBuf),
}

/// Builds an example of rseq-core, as the library of a package: cargo would build what tests depend on for an example,
/// for each target. `all` are flags for every crate, `last` those for the example alone.
pub fn build_example(target: &Target, example: &str, all: &[&str], last: &[&str]) -> Built {
    let way = match toolchain::find(target) {
        Ok(way) => way,
        Err(reason) => {
            crate::skipped(reason);
            return Built::Skipped;
        }
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the runner is in the workspace");
    let directory = workspace::target_dir(root).expect("cargo knows the directory").join("assembles");
    let package = package(root, &directory, example);
    let profile = if last.is_empty() { "dev" } else { "release" };
    let mut command = Command::new(env!("CARGO"));
    command.args(["rustc", "--quiet", "--lib", "--profile", profile]);
    command.args(["--target", target.triple, "--target-dir"]).arg(&directory);
    way.apply(&mut command, "core");
    command.env("CARGO_PROFILE_DEV_DEBUG", "0");
    command.env("CARGO_ENCODED_RUSTFLAGS", all.join("\x1f")).env_remove("RUSTFLAGS");
    let output = command.arg("--").args(last).current_dir(package).output().expect("cargo starts");
    assert!(output.status.success(), "{}: {}", target.triple, String::from_utf8_lossy(&output.stderr));
    let profile = if profile == "dev" { "debug" } else { profile };
    Built::In(directory.join(target.triple).join(profile))
}

/// Writes the package, once, and returns its directory.
fn package(root: &Path, directory: &Path, example: &str) -> PathBuf {
    static WRITING: Mutex<()> = Mutex::new(());
    let package = directory.join(example);
    let manifest = format!(
        "[package]\nname = {example:?}\nedition = \"2024\"\n\n[workspace]\n\n[lints.rust]\nmissing_docs = \"warn\"\n\n\
         [lib]\npath = {:?}\n\n[dependencies]\nrseq-core = {{ path = {:?}, features = [\"testing\"] }}\n\
         linux-raw-sys = {{ version = \"0.12\", default-features = false, features = [\"general\", \"no_std\"] }}\n\n\
         [profile.dev]\npanic = \"abort\"\n\n[profile.release]\npanic = \"abort\"\n",
        root.join("rseq-core/examples").join(example).with_extension("rs"),
        root.join("rseq-core"),
    );
    let _lock = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let path = package.join("Cargo.toml");
    if fs::read_to_string(&path).ok().as_ref() != Some(&manifest) {
        fs::create_dir_all(&package).expect("the target directory is writable");
        fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).expect("the lock file is copied");
        fs::write(path, manifest).expect("the manifest is written");
    }
    package
}

/// Builds the examples that call every operation, and that take every step in every form.
fn assemble(target: &Target, flags: &[&str]) {
    build_example(target, "every_operation", flags, &[]);
    build_example(target, "every_step", flags, &[]);
}

/// The catalog's own target of this name.
pub fn own(name: &str) -> &'static Target {
    let mut targets = MACHINES.iter().flat_map(|machine| machine.targets);
    targets.find(|target| target.name == name).expect("it is in the catalog")
}

#[test]
#[ignore = "builds two examples with all operations and steps"]
fn i686_without_optimization_and_with_frame_pointers() {
    assemble(own("i686"), WORST);
}

#[test]
#[ignore = "builds two examples with all operations and steps"]
fn this_machine_without_optimization_and_with_frame_pointers() {
    if let Some(machine) = catalog::find(std::env::consts::ARCH) {
        assemble(&machine.targets[0], WORST);
    }
}

/// What `cargo check` says of a package, and whether it builds; None without a compiler for the target.
fn check(package: &str, triple: &'static str) -> Option<(bool, String)> {
    let way = toolchain::find(&Target::new("portable", triple));
    let way = way.map_err(crate::skipped).ok()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the runner is in the workspace");
    let mut command = Command::new(env!("CARGO"));
    command.args(["check", "--quiet", "--color=never", "-p", package, "--lib", "--target", triple, "--target-dir"]);
    command.arg(workspace::target_dir(root).expect("cargo knows the directory").join("assembles"));
    way.apply(&mut command, "core");
    let output = command.env_remove("RUSTFLAGS").current_dir(root).output().expect("cargo starts");
    Some((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[test]
#[ignore = "builds core for five targets, which takes minutes"]
fn targets_without_sections_have_all_that_portable_crates_name() {
    for triple in WITHOUT_SECTIONS {
        if let Some((taken, printed)) = check("rseq-core", triple) {
            assert!(taken && printed.is_empty(), "{triple}: {printed}");
        }
    }
}

#[test]
#[ignore = "builds core for two other targets"]
fn a_target_that_a_package_is_not_for_is_one_clear_error() {
    for (package, triple, error) in [
        ("rseq-core", "wasm32-unknown-unknown", "rseq-core does not build for wasm32"),
        ("rseq-rt", "x86_64-unknown-linux-gnux32", "rseq-rt starts no programs on x86_64-unknown-linux-gnux32"),
    ] {
        let Some((taken, printed)) = check(package, triple) else { continue };
        assert!(!taken, "{package} builds for {triple}");
        assert!(printed.contains(&format!("error: {package}@0.1.0: {error}")), "{printed}");
        assert!(!printed.contains("error[E"), "{printed}");
    }
}

#[test]
#[ignore = "builds core for ten targets, which takes minutes"]
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
