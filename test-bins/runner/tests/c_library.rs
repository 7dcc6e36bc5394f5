//! The README of the C library, followed from an empty directory.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The line that installs, which is for a shell in the repository.
const INSTALL: &str = "cargo run --release -- ";

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rseq-core/c/README.md");
    fs::read_to_string(path).expect("the library has a README")
}

/// The first block of code in a language.
fn block<'r>(readme: &'r str, language: &str) -> &'r str {
    let start = format!("\n```{language}\n");
    let (_, rest) = readme.split_once(&start).unwrap_or_else(|| panic!("no block of {language}"));
    rest.split_once("```").expect("a block ends").0
}

/// A directory with nothing in it.
fn empty(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("it can be made");
    folder
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    let found = command.arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    if !found {
        // Past the harness, which shows the output of failed tests only.
        writeln!(std::io::stderr(), "skipped: there is no {program}").unwrap_or_default();
    }
    found
}

#[track_caller]
fn said(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && err.trim().is_empty(), "{}: {out}{err}", output.status);
    out.into_owned()
}

#[test]
fn the_readme_leads_from_an_empty_directory_to_programs_in_c_and_in_cpp() {
    if !["cc", "c++", "pkg-config"].into_iter().all(is_there) {
        return;
    }
    let readme = readme();
    let home = empty("c_library");
    let (install, rest) = block(&readme, "sh").split_once('\n').expect("it has several lines");
    let arguments = install.strip_prefix(INSTALL).and_then(|words| words.split_once('#')).expect("it installs").0;
    let prefix = home.join("staged");
    let arguments = arguments.split_whitespace().map(|word| match word {
        "~/rseq" => prefix.as_os_str(),
        word => word.as_ref(),
    });
    let output = Command::new(env!("CARGO_BIN_EXE_runner")).args(arguments).output().expect("the runner starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // An installation can be moved, as a package is from where it was staged.
    fs::rename(&prefix, home.join("rseq")).expect("it was installed there");

    for (language, file) in [("c", "counter.c"), ("cpp", "counter.cpp")] {
        let program = block(&readme, language);
        assert!(program.lines().count() <= 15, "{file} is short");
        fs::write(home.join(file), program).expect("it can be written");
    }
    for registers in ["glibc.pthread.rseq=1", "glibc.pthread.rseq=0"] {
        let mut shell = Command::new("sh");
        shell.args(["-euc", rest]).current_dir(&home).env("HOME", &home).env("GLIBC_TUNABLES", registers);
        let said = said(&shell.output().expect("there is a shell"));
        assert_eq!(said.matches(" has counted to 1\n").count(), 2, "{registers}: {said}");
    }
}
