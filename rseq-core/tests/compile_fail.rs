//! Sections that must not compile, and what the compiler says of them: each file of `tests/ui` names its error in its first
//! line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CORE: &str = env!("CARGO_MANIFEST_DIR");

fn cases() -> Vec<PathBuf> {
    let files = fs::read_dir(Path::new(CORE).join("tests/ui")).expect("tests/ui is there");
    files.map(|file| file.expect("an entry").path()).collect()
}

fn name(case: &Path) -> &str {
    case.file_stem().and_then(|name| name.to_str()).expect("a name")
}

/// A package of its own with a binary for each case.
fn write_package(cases: &[PathBuf]) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail");
    fs::create_dir_all(dir.join("src/bin")).expect("the target directory is writable");
    let manifest = format!(
        "[package]\nname = \"compile-fail\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\nrseq-core.path = {CORE:?}\n"
    );
    fs::write(dir.join("Cargo.toml"), manifest).expect("the manifest is written");
    let lock = Path::new(CORE).join("../Cargo.lock");
    if lock.exists() {
        fs::copy(lock, dir.join("Cargo.lock")).expect("the lock file is copied");
    }
    for case in cases {
        fs::copy(case, dir.join("src/bin").join(name(case)).with_extension("rs")).expect("the case is copied");
    }
    dir
}

/// What the compiler prints for one case, and whether it took it.
fn check(package: &Path, case: &Path) -> (bool, String) {
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--color=never", "--bin", name(case)])
        .current_dir(package)
        .env("CARGO_TARGET_DIR", package.join("target"))
        .output()
        .expect("cargo runs");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn rules_of_critical_sections() {
    let cases = cases();
    assert!(cases.len() >= 9, "{cases:?}");
    let package = write_package(&cases);
    for case in cases {
        let text = fs::read_to_string(&case).expect("the case is readable");
        let expected = text.lines().next().and_then(|line| line.strip_prefix("// error: "));
        let expected = expected.unwrap_or_else(|| panic!("{case:?} names no error"));
        let (compiled, printed) = check(&package, &case);
        assert!(!compiled, "{case:?} compiles");
        assert!(printed.contains(expected), "{case:?} should say {expected:?}:\n{printed}");
    }
}
