//! What must not compile, and what the compiler says of it: each file of `tests/ui` names its error in its first line,
//! and marks the line of the error by `//~`, where there is one that a user has written.

mod package;

use package::CORE;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn cases() -> Vec<PathBuf> {
    let files = fs::read_dir(Path::new(CORE).join("tests/ui")).expect("tests/ui is there");
    files.map(|file| file.expect("an entry").path()).collect()
}

fn name(case: &Path) -> &str {
    case.file_stem().and_then(|name| name.to_str()).expect("a name")
}

/// A package with a binary for each case.
fn write_package(cases: &[PathBuf]) -> PathBuf {
    let dir = package::write("compile-fail", "", "fn main() {}");
    fs::create_dir_all(dir.join("src/bin")).expect("the package is writable");
    for case in cases {
        fs::copy(case, dir.join("src/bin").join(name(case)).with_extension("rs")).expect("the case is copied");
    }
    dir
}

/// What the compiler prints for one case, and whether it took it.
fn check(package: &Path, case: &Path, format: &str) -> (bool, String) {
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--color=never", "--message-format", format, "--bin", name(case)])
        .current_dir(package)
        .env("CARGO_TARGET_DIR", package.join("target"))
        .output()
        .expect("cargo runs");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The number of the line that is marked.
fn marked(text: &str) -> Option<usize> {
    text.lines().position(|line| line.ends_with("//~")).map(|line| line + 1)
}

#[test]
fn mistakes_are_named() {
    let cases = cases();
    assert!(cases.len() >= 60, "{cases:?}");
    let package = write_package(&cases);
    for case in cases {
        let text = fs::read_to_string(&case).expect("the case is readable");
        let expected = text.lines().next().and_then(|line| line.strip_prefix("// error: "));
        let expected = expected.unwrap_or_else(|| panic!("{case:?} names no error"));
        let place = marked(&text).map(|line| format!(".rs:{line}:"));
        let (compiled, printed) = check(&package, &case, if place.is_some() { "short" } else { "human" });
        assert!(!compiled, "{case:?} compiles");
        let said =
            |line: &str| line.contains(expected) && place.as_ref().is_none_or(|place| line.contains(place.as_str()));
        assert!(printed.lines().any(said), "{case:?} should say {expected:?} at {place:?}:\n{printed}");
    }
}
