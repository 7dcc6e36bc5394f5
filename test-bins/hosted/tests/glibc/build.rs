//! Building the programs of this package in every way of linking.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

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

/// Builds one target, such as `["--bin", "percpu"]`, and returns where it is.
#[track_caller]
pub fn build(target: [&'static str; 2], variant: Variant) -> PathBuf {
    // All variants of a program come out at one path, from which the copy is taken before the next one is built.
    static BUILT: Mutex<BTreeMap<(&str, &str), PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    built.entry((target[1], variant.name)).or_insert_with(|| build_and_copy(target, variant)).clone()
}

fn build_and_copy(target: [&str; 2], variant: Variant) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("glibc");
    let built = cargo(target, variant, &directory);
    let copy = directory.join(format!("{}-{}", target[1], variant.name));
    let _ = fs::remove_file(&copy);
    fs::copy(&built, &copy).unwrap_or_else(|error| panic!("{}: {error}", built.display()));
    copy
}

fn cargo(target: [&str; 2], variant: Variant, directory: &Path) -> PathBuf {
    let mut command = Command::new(env!("CARGO"));
    command.args(["rustc", "--release", "--message-format=json-render-diagnostics", "-p", "hosted"]);
    command.args(target).arg("--target-dir").arg(directory).arg("--").args(variant.flags);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::piped());
    let output = command.output().expect("cargo starts");
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    product(&String::from_utf8_lossy(&output.stdout), target[1]).expect("cargo says what it built")
}

/// The last file that cargo made for the target.
fn product(messages: &str, name: &str) -> Option<PathBuf> {
    let mut messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let ours = messages.rfind(|message| message["target"]["name"] == name)?;
    let file = ours["filenames"].as_array()?.iter().find_map(|file| file.as_str())?;
    Some(file.into())
}
