//! What a user of the published packages has: a package outside of this workspace, built from what `cargo package`
//! packs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Object, ObjectSection};

const MANIFEST: &str = r#"
[package]
name = "user"
edition = "2024"

[workspace]

[dependencies]
rseq-core.path = "CORE"

[build-dependencies]
rseq-core.path = "CORE"
"#;

/// As the documentation of `rseq_core::linker` has it.
const BUILD: &str = r#"
use std::{env, fs, path::Path};

fn main() {
    let script = Path::new(&env::var_os("OUT_DIR").unwrap()).join("rseq.ld");
    fs::write(&script, rseq_core::linker::RSEQ).unwrap();
    println!("cargo::rustc-link-arg=-T{}", script.display());
}
"#;

/// A section that is linked, and that this program need not run.
const MAIN: &str = r#"
use rseq_core::percpu::{SlotCounter, PossibleCpus, SlotStorage};
use rseq_core::Registration;

static HITS: SlotStorage<1024> = SlotStorage::new();

fn main() {
    let counter = SlotCounter::new(HITS.slots(&PossibleCpus::read().unwrap()).unwrap());
    if let Ok(registration) = Registration::adopt() {
        counter.increment(registration.token()).unwrap();
    }
    println!("{}", counter.sum());
}
"#;

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the registry would get of rseq-core, unpacked.
fn published(directory: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the package is in the workspace");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["package", "--quiet", "--no-verify", "--allow-dirty", "-p", "rseq-core", "--target-dir"])
        .arg(directory);
    run(cargo.current_dir(root));
    let packed = directory.join("package/rseq-core-0.1.0.crate");
    // Files of an earlier version, which this one may have moved.
    let _ = fs::remove_dir_all(directory.join("rseq-core-0.1.0"));
    // As files of now: by the time in the archive, which is always the same, cargo would take what it built of an
    // earlier version for this one.
    run(Command::new("tar").arg("-xmzf").arg(packed).arg("-C").arg(directory));
    fs::copy(root.join("Cargo.lock"), directory.join("Cargo.lock")).expect("the lock file is there");
    directory.join("rseq-core-0.1.0")
}

#[test]
fn a_user_of_the_package_gets_the_linker_script() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages");
    fs::create_dir_all(directory.join("src")).expect("the target directory is writable");
    let core = published(&directory);
    let write = |name: &str, text: &str| fs::write(directory.join(name), text).expect("the file is written");
    write("Cargo.toml", &MANIFEST.replace("CORE", &core.display().to_string()));
    write("build.rs", BUILD);
    write("src/main.rs", MAIN);
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release"]).current_dir(&directory);
    run(cargo.env("CARGO_TARGET_DIR", directory.join("target")).env_remove("RUSTFLAGS"));
    let program = directory.join("target/release/user");
    let data = fs::read(&program).expect("cargo built it");
    let file = object::File::parse(&*data).expect("it is an ELF file");
    for name in ["__rseq_cs", "__rseq_cs_ptr_array", "__rseq_exit_point_array"] {
        let size = file.section_by_name(name).map_or(0, |section| section.size());
        assert!(size > 0, "the linker dropped {name}");
    }
    run(&mut Command::new(program));
}
