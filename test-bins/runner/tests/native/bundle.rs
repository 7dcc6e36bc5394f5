//! The exported bundle: the real programs below scripts that need nothing of this repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fakes::{Run, runner};

/// Exports the short runs and gives the bundle's directory.
fn exported() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bundles");
    let run = Run::of(runner(&["export", "--arch", "x86_64", "--short"]).arg(&directory));
    assert_eq!(run.code, Some(0), "{run:#?}");
    directory.join("rseq-x86_64")
}

#[test]
#[ignore = "builds the suite as guests have it"]
fn a_bundle_runs_from_its_archive_and_lists_what_it_holds() {
    let bundle = exported();
    let elsewhere = bundle.with_file_name("unpacked");
    let _ = fs::remove_dir_all(&elsewhere);
    fs::create_dir_all(&elsewhere).unwrap();
    let archive = bundle.with_file_name("rseq-x86_64.tar.gz");
    assert!(Command::new("tar").arg("xzf").arg(archive).arg("-C").arg(&elsewhere).status().unwrap().success());
    fs::remove_dir_all(&bundle).unwrap();

    let list = fs::read_to_string(elsewhere.join("rseq-x86_64/kselftest-list.txt")).unwrap();
    for line in list.lines() {
        let (collection, test) = line.split_once(':').unwrap();
        assert!(elsewhere.join("rseq-x86_64").join(collection).join(test).is_file(), "{line}");
    }
    let tests = ["probe", "syscall_errors_test_--short", "syscall_errors_test_--short_--legacy", "ptrace_test_--short"];
    let words = tests.iter().flat_map(|test| ["-t".to_owned(), format!("rseq-core:{test}")]);
    let run = Run::of(Command::new(elsewhere.join("rseq-x86_64/run.sh")).args(words));
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stdout.starts_with("KTAP version 1\n1..4\n  # "), "{run:#?}");
    for test in tests {
        // Where every registration has 32 bytes, there is nothing that --legacy would make different.
        let ended = |ending: &str| run.stdout.contains(&format!(" selftests: rseq-core: {test}{ending}"));
        assert!(ended("\n") || (test.ends_with("--legacy") && ended(" # SKIP ")), "{test}: {run:#?}");
    }
    assert!(run.stdout.contains("\n  KTAP version 1\n  1..") && run.stdout.contains("fail:0 xfail:0"), "{run:#?}");
    // A name alone is refused with the way to choose a test.
    let refused = Run::of(Command::new(elsewhere.join("rseq-x86_64/run.sh")).arg("probe"));
    assert!(refused.code == Some(2) && refused.stderr.contains("chosen by --test COLLECTION:TEST"), "{refused:#?}");
}
