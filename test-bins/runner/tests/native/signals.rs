//! What the parent of the runner ignores, nobody who reads, and what tests leave behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::fakes::{Fakes, GOOD, Run, runner};

/// The command with SIGHUP ignored at its start, as `nohup` does.
fn ignoring_hangups(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    shell
}

#[test]
fn a_hangup_that_is_ignored_ends_nothing() {
    let fakes = Fakes::new("nohup").with("basic_test", &format!("kill -HUP $PPID; sleep 1; {GOOD}"));
    let ended = Run::of(fakes.runner(&[]).arg("basic_test"));
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let run = Run::of(&mut ignoring_hangups(&fakes.runner(&["basic_test"])));
    assert_eq!(run.code, Some(0), "{run:?}");
}

#[test]
fn children_are_seen_whatever_the_parent_ignored() {
    let fakes = Fakes::new("sigchld").with("basic_test", GOOD);
    let mut command = fakes.runner(&["basic_test"]);
    let ignore = || {
        // SAFETY: it takes two numbers, and sets no handler of ours.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes one system call.
    unsafe { command.pre_exec(ignore) };
    let run = Run::of(&mut command);
    assert_eq!(run.code, Some(0), "{run:?}");
}

/// A reader that goes away ends the run, and with it all that the test started.
#[test]
fn no_process_of_a_test_outlives_the_reader_of_its_results() {
    let fakes = Fakes::new("orphans");
    let pids = fakes.path().join("pids");
    let child = format!("(sleep 0.5; echo '# more'; exec sleep 300) & echo $! >> {}", pids.display());
    let fakes = fakes.with("basic_test", &format!("{child}; echo KTAP version 1; echo 1..1; echo ok 1 a"));
    let mut runner = fakes.runner(&["basic_test"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(runner.stdout.take().unwrap()).lines();
    // The rest of the output has no reader any more.
    assert!(lines.map_while(Result::ok).any(|line| line.trim() == "ok 1 a"));
    assert_eq!(runner.wait().unwrap().code(), Some(1));
    let left = || {
        let pids = fs::read_to_string(&pids).unwrap_or_default();
        let alive = |pid: &&str| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep"));
        pids.lines().filter(alive).map(str::to_owned).collect::<Vec<_>>()
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while !left().is_empty() && Instant::now() < deadline {
        sleep(Duration::from_millis(20));
    }
    assert!(left().is_empty(), "{:?}", left());
}

#[test]
fn what_cannot_be_written_is_a_failure_and_no_panic() {
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let suites = ["suites", "--programs", env!("CARGO_MANIFEST_DIR")];
    for words in [&["check", "/nonexistent"][..], &["fetch", "--arch", "vax"], &["boot", "--arch", "vax"], &suites] {
        let mut command = runner(words);
        let status = command.stdout(full()).stderr(full()).process_group(0).status().unwrap();
        assert!(matches!(status.code(), Some(1 | 2)), "{words:?}: {status}");
    }
}
