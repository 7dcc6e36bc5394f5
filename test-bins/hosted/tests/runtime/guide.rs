//! The README of rseq-rt, followed from an empty directory: its commands and its files, and nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use crate::package::{Builds, lacks_registry, repository};

/// The block of code after the paragraph that ends with `before`.
fn block<'a>(readme: &'a str, before: &str) -> &'a str {
    let start = readme.find(before).unwrap_or_else(|| panic!("the README has no {before:?}"));
    let (_, code) = readme[start..].split_once("```").expect("a block follows");
    let (_, code) = code.split_once('\n').expect("the first line names the language");
    code.split_once("```").expect("the block ends").0
}

/// A new directory that only this user can enter, whose name cannot be foreseen. It goes with this.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Self {
        let mktemp = Command::new("mktemp").args(["-d", "-t", "rseq-rt-guide-XXXXXX"]).output().expect("mktemp starts");
        assert!(mktemp.status.success(), "{mktemp:#?}");
        Self(String::from_utf8(mktemp.stdout).expect("its path is text").trim_end().into())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_readme_leads_from_an_empty_directory_to_a_program() {
    let readme = fs::read_to_string(repository().join("rseq-rt/README.md")).expect("it is there");
    // Not in this repository, whose workspace cargo would make the package a member of.
    let temporary = Temporary::new();
    let directory = &temporary.0;
    symlink(repository(), directory.join("rseq")).expect("the directory is writable");

    let builds = Builds::begin();
    let commands = block(&readme, "There:\n");
    let made = builds.command("sh", directory).args(["-e", "-c", commands]).output().expect("sh starts");
    if lacks_registry(&made) {
        return;
    }
    assert!(made.status.success(), "{commands}{}", String::from_utf8_lossy(&made.stderr));
    let package = directory.join("hello");
    let manifest = fs::read_to_string(package.join("Cargo.toml")).expect("cargo made it");
    let end = block(&readme, "At the end of `Cargo.toml`:");
    fs::write(package.join("Cargo.toml"), format!("{manifest}\n{end}")).expect("it is written");
    for name in ["build.rs", "src/main.rs"] {
        fs::write(package.join(name), block(&readme, &format!("\n`{name}`:\n"))).expect("it is written");
    }
    let run = builds.cargo(&package, &["run", "--quiet"]);
    if lacks_registry(&run) {
        return;
    }
    let expected = block(&readme, "`cargo run` builds it, starts it, and prints");
    assert!(run.status.success() && run.stdout == expected.as_bytes(), "{run:#?}");
}

#[test]
fn the_readme_s_program_is_the_example() {
    let read = |name: &str| fs::read_to_string(repository().join("rseq-rt").join(name)).expect("it is there");
    let readme = read("README.md");
    assert_eq!(block(&readme, "\n`src/main.rs`:\n"), read("examples/hello/src/main.rs"));
    assert!(read("examples/hello/Cargo.toml").contains(block(&readme, "At the end of `Cargo.toml`:")));
}
