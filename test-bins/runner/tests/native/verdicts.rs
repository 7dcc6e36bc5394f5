//! What each kind of behaviour of a binary comes to.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use crate::fakes::{Fakes, GOOD, Run};

/// Runs `basic_test` with these commands.
fn verdict(name: &str, commands: &str) -> Run {
    Fakes::new(name).with("basic_test", commands).basic_test(&[])
}

#[test]
fn a_good_test_passes() {
    let run = verdict("good", GOOD);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stdout.contains("\nok 1 basic_test\n"), "{run:#?}");
}

#[test]
fn a_failed_result_is_named() {
    let commands = "echo KTAP version 1; echo 1..2; echo ok 1 a; echo '# b: too slow'; echo not ok 2 b; exit 1";
    let run = verdict("failed", commands);
    run.assert_failed("1 of 2 results failed");
    run.assert_failed("basic_test: b: too slow");
}

#[test]
fn a_hang_is_ended_with_everything_it_started() {
    let start = Instant::now();
    let fakes = Fakes::new("hang");
    let pid = fakes.path().join("pid");
    let commands = format!("{GOOD}; sleep 300 & echo $! > {}; wait", pid.display());
    fakes.with("basic_test", &commands).basic_test(&["--timeout", "3"]).assert_failed("still running after ");
    let pid = std::fs::read_to_string(pid).unwrap();
    while !is_gone(&pid) {
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether the process no longer runs; as a zombie it counts as gone.
fn is_gone(pid: &str) -> bool {
    match std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())) {
        Ok(stat) => stat.contains(") Z "),
        Err(_) => true,
    }
}

#[test]
fn a_crash_names_its_signal() {
    verdict("crash", &format!("{GOOD}; kill -SEGV $$")).assert_failed("killed by signal 11 (SIGSEGV)");
}

/// A reader that counts results instead of spaces, as `kunit.py`, must not take outer results for inner ones.
#[test]
fn what_a_killed_test_left_open_is_closed() {
    let nested =
        "echo KTAP version 1; echo 1..2; echo '  KTAP version 1'; echo '  1..2'; echo '  ok 1 a'; kill -KILL $$";
    let run = verdict("killed-inside", nested);
    run.assert_failed("killed by signal 9");
    let missing = "not reported # ERROR the program ended before\n";
    let closed = format!("\n    ok 1 a\n    not ok 2 {missing}  not ok 1 {missing}  not ok 2 {missing}");
    assert!(run.stdout.contains(&closed), "{run:#?}");
}

#[test]
fn no_output_is_a_failure() {
    verdict("silent", "exit 0").assert_failed("no KTAP at all");
}

#[test]
fn garbage_is_a_failure_and_stays_a_comment() {
    let run = verdict("garbage", "echo not ktap; printf '\\033[2J\\377\\376\\0\\n'; echo 'Bail out! x'");
    run.assert_failed("bailed out: x");
    for line in run.stdout.lines() {
        assert!(!line.contains('\u{1b}') && !line.trim_start().starts_with("Bail out"), "{line:?}");
    }
}

#[test]
fn a_missing_plan_is_a_failure() {
    verdict("no-plan", "echo KTAP version 1; echo ok 1 a").assert_failed("no plan, 1 results");
}

#[test]
fn a_wrong_count_is_a_failure() {
    let commands = "echo KTAP version 1; echo 1..3; echo ok 1 a";
    verdict("count", commands).assert_failed("planned 3 results, saw 1");
}

#[test]
fn an_exit_code_that_contradicts_the_results_is_a_failure() {
    verdict("code", &format!("{GOOD}; exit 4")).assert_failed("exit code 4, but the results mean 0");
}

#[test]
fn a_binary_that_is_not_there_or_does_not_start_is_a_failure() {
    Fakes::new("missing").basic_test(&[]).assert_failed("the binary is missing");
    let broken = Fakes::new("broken").with("basic_test", "");
    let path = broken.path().join("basic_test");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    broken.basic_test(&[]).assert_failed("cannot run");
}

#[test]
fn processes_left_behind_are_a_failure_and_are_ended() {
    verdict("left", &format!("{GOOD}; sleep 300 &")).assert_failed("left processes behind");
}

#[test]
fn all_skipped_is_said() {
    let run = verdict("skip", "echo KTAP version 1; echo '1..0 # SKIP no rseq here'; exit 4");
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stdout.contains("\nok 1 basic_test # SKIP no rseq here\n"), "{run:#?}");
    assert!(run.stdout.contains("nothing was tested"), "{run:#?}");
    assert!(run.stdout.contains("basic_test: no rseq here"), "{run:#?}");
}

#[test]
fn an_expected_failure_is_no_failure() {
    let run = verdict("xfail", "echo KTAP version 1; echo 1..1; echo 'ok 1 a # XFAIL on 6.19'; exit 2");
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stdout.contains("basic_test: a: on 6.19"), "{run:#?}");
}

#[test]
fn an_unexpected_pass_is_a_failure() {
    let commands = "echo KTAP version 1; echo 1..1; echo 'not ok 1 a # XPASS on 6.19'; exit 3";
    verdict("xpass", commands).assert_failed("basic_test: a: on 6.19");
}

#[test]
fn stderr_is_passed_on_as_comments() {
    let run = verdict("stderr", &format!("{GOOD}; echo 'ok 9 no result' >&2"));
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stdout.contains("\n  # ok 9 no result\n"), "{run:#?}");
}
