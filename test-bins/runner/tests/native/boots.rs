//! `boot`, as far as it comes without a guest.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::fakes::{Fakes, GOOD, Run, runner};

/// The least of a static program for x86-64: a header, and no segments.
fn program(path: &Path) {
    let mut header = b"\x7fELF\x02\x01\x01".to_vec();
    header.resize(16, 0);
    header.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    header.resize(52, 0);
    header.extend([64, 0, 56, 0]);
    header.resize(64, 0);
    fs::write(path, header).unwrap();
}

#[test]
fn a_program_that_no_guest_ran_has_not_passed() {
    let fakes = Fakes::new("no-kernels");
    let path = fakes.path().join("program");
    program(&path);
    let mut boot = runner(&["boot", "--cell", "x86_64 7.3", "--"]);
    let run = Run::of(boot.arg(&path).env("XDG_CACHE_HOME", fakes.path()));
    assert_eq!(run.code, Some(125), "{run:#?}");
    assert!(run.stdout.contains("1 cells: 0 passed, 0 failed, 1 skipped"), "{run:#?}");
}

#[test]
fn what_has_no_end_is_refused() {
    let fakes = Fakes::new("fifo");
    let fifo = fakes.path().join("fifo");
    let name = CString::new(fifo.as_os_str().as_bytes()).unwrap();
    // SAFETY: the kernel reads a string that ends with NUL.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let fifo = fifo.display().to_string();
    for words in [
        &["--arch", "x86_64", "--kernel-image", &fifo][..],
        &["--", &fifo],
        &["--", "/dev/zero"],
        &["--resume", &fifo],
        &["--resume", "/dev/zero"],
    ] {
        let run = Run::of(runner(&["boot"]).args(words));
        assert_eq!(run.code, Some(2), "{words:?}: {run:#?}");
        assert!(run.stderr.contains(words[words.len() - 1]), "{words:?}: {run:#?}");
    }
}

#[test]
fn a_report_stays_until_there_is_another() {
    let fakes = Fakes::new("old-reports").with("basic_test", GOOD);
    let file = |name: &str| fakes.path().join(name).display().to_string();
    let (junit, html, report) = (file("junit"), file("html"), file("report"));
    let old = "old words\n".repeat(10_000);
    for path in [&junit, &html, &report] {
        fs::write(path, &old).unwrap();
    }
    let is_old = |path: &str| fs::read_to_string(path).unwrap() == old;
    for (words, why) in [
        (&["boot", "--junit", &junit, "--html", &junit][..], "is the same file as"),
        (&["boot", "--resume", &report, "--junit", &report], "is no report of `boot --json`"),
        (&["--junit", &html, "--html", &html, "basic_test"], "is the same file as"),
    ] {
        let run = Run::of(&mut runner(words));
        assert_eq!(run.code, Some(2), "{words:?}: {run:#?}");
        assert!(run.stderr.contains(why) && run.stdout.is_empty(), "{words:?}: {run:#?}");
    }
    assert!(is_old(&junit) && is_old(&html) && is_old(&report));
    let fitting = r#"{"command": "cargo run --release -- boot", "names": [], "seconds": 1.0, "runs": 1, "cells": []}"#;
    fs::write(&report, fitting).unwrap();
    let run = Run::of(&mut runner(&["boot", "--resume", &report, "--junit", &report]));
    assert!(run.code == Some(2) && run.stderr.contains("is the same file as"), "{run:#?}");
    assert_eq!(fs::read_to_string(&report).unwrap(), fitting);
    let run = fakes.basic_test(&["--junit", &junit, "--html", &html]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let [junit, html] = [&junit, &html].map(|path| fs::read_to_string(path).unwrap());
    assert!(junit.ends_with("</testsuites>\n") && html.ends_with("</main>\n"), "nothing of the old ones is left");
}

#[test]
fn a_list_needs_no_place_to_write() {
    let run = Run::of(runner(&["boot", "--list", "--cell", "x86_64 7.3"]).env("CARGO_TARGET_DIR", "/proc/none"));
    assert!(run.code == Some(0) && run.stdout.starts_with("x86_64 "), "{run:#?}");
}
