//! Building the programs of this package in every way of linking.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// How a program is linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// Names the built file.
    pub name: &'static str,
    /// Flags for the last step of the build.
    pub flags: &'static [&'static str],
    /// Whether the dynamic linker starts it.
    pub dynamic: bool,
    /// Whether it is loaded at any address.
    pub pie: bool,
    /// Whether LLD linked it, else GNU ld did.
    pub lld: bool,
}

/// GNU ld in place of LLD.
pub const BFD: [&str; 2] = ["-Clinker-features=-lld", "-Clink-arg=-fuse-ld=bfd"];
const FIXED: &str = "-Crelocation-model=static";
const STATIC: &str = "-Ctarget-feature=+crt-static";

/// All of them.
pub const VARIANTS: &[Variant] = &[
    Variant { name: "dynamic-pie-lld", flags: &[], dynamic: true, pie: true, lld: true },
    Variant { name: "dynamic-pie-bfd", flags: &BFD, dynamic: true, pie: true, lld: false },
    Variant { name: "dynamic-fixed-lld", flags: &[FIXED], dynamic: true, pie: false, lld: true },
    Variant { name: "dynamic-fixed-bfd", flags: &[FIXED, BFD[0], BFD[1]], dynamic: true, pie: false, lld: false },
    Variant { name: "static-pie-lld", flags: &[STATIC], dynamic: false, pie: true, lld: true },
    Variant { name: "static-pie-bfd", flags: &[STATIC, BFD[0], BFD[1]], dynamic: false, pie: true, lld: false },
    Variant { name: "static-fixed-lld", flags: &[STATIC, FIXED], dynamic: false, pie: false, lld: true },
    Variant {
        name: "static-fixed-bfd",
        flags: &[STATIC, FIXED, BFD[0], BFD[1]],
        dynamic: false,
        pie: false,
        lld: false,
    },
];

/// The linker script that keeps the lists of sections.
pub const KEEP: &str = concat!("-Clink-arg=-T", env!("CARGO_MANIFEST_DIR"), "/../../linker/rseq.ld");

/// Some of them again, with the linker script that keeps the lists of sections.
pub const KEPT: &[Variant] = &[
    Variant { name: "kept-pie-lld", flags: &[KEEP], ..VARIANTS[0] },
    Variant { name: "kept-pie-bfd", flags: &[KEEP, BFD[0], BFD[1]], ..VARIANTS[1] },
    Variant { name: "kept-fixed-lld", flags: &[KEEP, FIXED], ..VARIANTS[2] },
    Variant { name: "kept-fixed-bfd", flags: &[KEEP, FIXED, BFD[0], BFD[1]], ..VARIANTS[3] },
];

/// The one with which other tests make do.
pub const DEFAULT: Variant = VARIANTS[0];
/// The same, linked by GNU ld.
pub const BFD_DYNAMIC: Variant = VARIANTS[1];

/// Builds one target, such as `["--bin", "percpu"]`, once, and returns where it is. Tests build several at a time.
#[track_caller]
pub fn build(target: [&'static str; 2], variant: Variant) -> PathBuf {
    type Built = BTreeMap<(&'static str, &'static str), Arc<OnceLock<PathBuf>>>;
    static BUILT: Mutex<Built> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let program = Arc::clone(built.entry((target[1], variant.name)).or_default());
    drop(built);
    program.get_or_init(|| compile(target, variant)).clone()
}

fn compile(target: [&'static str; 2], variant: Variant) -> PathBuf {
    static RELEASE: OnceLock<Crates> = OnceLock::new();
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("glibc");
    let crates = RELEASE.get_or_init(|| Crates::build(&directory, &["--release"], ""));
    // The workspace's release profile, of which cargo's messages name the optimization alone.
    let release = ["-Copt-level=3", "-Cstrip=symbols", "-Cembed-bitcode=no"];
    crates.link(target, &[&release, variant.flags].concat(), &format!("{}-{}", target[1], variant.name))
}

/// What cargo built for programs to link. It does not build the programs, as it has one path for all variants of one,
/// builds one after the other, and builds what tests depend on for each example.
pub struct Crates {
    directory: PathBuf,
    /// The compiler's flags that name the crates.
    flags: Vec<String>,
}

impl Crates {
    /// Builds them in a target directory, with options for cargo and flags for each crate.
    pub fn build(directory: &Path, options: &[&str], flags: &str) -> Self {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--lib", "-p", "hosted", "--message-format=json-render-diagnostics", "--target-dir"]);
        cargo.arg(directory).args(options).env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", flags);
        let messages = output(&mut cargo);
        let libraries = ["hosted", "anyhow", "libc", "rseq_core"].map(|name| {
            let library = library(&messages, name).unwrap_or_else(|| panic!("no {name}: {messages}"));
            (format!("--extern={name}={}", library.display()), library)
        });
        let dependencies = libraries[0].1.with_file_name("deps");
        let flags = libraries.into_iter().map(|(flag, _)| flag);
        let flags = flags.chain([format!("-Ldependency={}", dependencies.display())]).collect();
        Self { directory: directory.to_owned(), flags }
    }

    /// Compiles and links a target with these flags, as the file `name`.
    pub fn link(&self, [kind, target]: [&str; 2], flags: &[&str], name: &str) -> PathBuf {
        let program = self.directory.join(name);
        let sources = if kind == "--example" { "examples" } else { "src/bin" };
        let crate_type = if target == "plugin" { "cdylib" } else { "bin" };
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc
            .args(["--edition=2024", "-Cpanic=abort", "--crate-type", crate_type])
            .arg(format!("{sources}/{target}.rs"));
        output(rustc.args(&self.flags).args(flags).arg("-o").arg(&program));
        program
    }
}

/// The library that cargo made of a crate.
fn library(messages: &str, name: &str) -> Option<PathBuf> {
    let mut messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let artifact =
        messages.find(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == name)?;
    let mut files = artifact["filenames"].as_array()?.iter().filter_map(|file| file.as_str());
    files.find(|file| file.ends_with(".rlib")).map(PathBuf::from)
}

/// What a command prints that must succeed in this package's directory.
#[track_caller]
fn output(command: &mut Command) -> String {
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
