//! Programs of the suite in containers, without descriptors, under a tracer: they pass, or skip with the reason.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::fakes::{Run, runner};
use crate::real::{names, suite_path};

/// `unshare` with these options, if this user may use them.
fn unshare(options: &[&str]) -> Option<Command> {
    let works = Command::new("unshare").args(options).arg("true").status().is_ok_and(|status| status.success());
    if !works {
        runner::skipped(format_args!("`unshare {}` does not work here", options.join(" ")));
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(options);
    Some(command)
}

#[track_caller]
fn expect_pass_or_skip(what: &str, run: &Run) {
    let failed = run.stdout.lines().any(|line| line.trim_start().starts_with("not ok"));
    assert!(matches!(run.code, Some(0 | 4)) && !failed, "{what}: {run:#?}");
}

#[test]
fn the_first_process_of_a_namespace_ends_with_its_exit_code() {
    names();
    let Some(mut command) = unshare(&["--pid", "--fork", "--mount-proc"]) else { return };
    let run = Run::of(command.arg(suite_path("basic_test")).arg("--short"));
    expect_pass_or_skip("basic_test", &run);
    assert!(!run.stdout.contains("# exit code"), "it takes itself for the first process of a machine: {run:#?}");
}

#[test]
fn made_up_lists_of_cpus_are_named() {
    const SCRIPT: &str = "mount --bind \"$0\" /sys/devices/system/cpu/possible && exec \"$1\" --short";
    names();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("possible");
    // What lxcfs shows.
    for list in ["0\n", "", "5-7\n"] {
        fs::write(&file, list).unwrap();
        for name in ["thread_test", "mm_cid_test", "hotplug_test", "unregistered_test"] {
            let Some(mut command) = unshare(&["--mount"]) else { return };
            let run = Run::of(command.args(["sh", "-c", SCRIPT]).arg(&file).arg(suite_path(name)));
            expect_pass_or_skip(&format!("{name} with {list:?}"), &run);
        }
    }
}

#[test]
fn closed_descriptors_change_nothing() {
    names();
    for name in ["start_test", "thread_test", "stack_test"] {
        let arguments = if name == "start_test" { "" } else { "--short" };
        for closed in ["<&-", "2>&-", "<&- 2>&-", "<&- >&- 2>&-"] {
            let script = format!("exec \"$0\" {arguments} {closed}");
            let run = Run::of(Command::new("sh").args(["-c", &script]).arg(suite_path(name)));
            expect_pass_or_skip(&format!("{name} {closed}"), &run);
        }
    }
}

#[test]
fn hosts_are_rows_and_those_that_are_not_here_are_skipped() {
    let words = ["hosts", "--host", "plain", "--host", "seccomp", "--host", "chroot", "basic_test", "probe"];
    let run = Run::of(&mut runner(&words));
    assert_eq!(run.code, Some(0), "{run:#?}");
    let rows: Vec<_> = run.stdout.lines().collect();
    assert_eq!(rows.len(), 3, "{run:#?}");
    for (row, name) in rows.iter().zip(["plain", "seccomp", "chroot"]) {
        assert!(row.starts_with(name) && (row.contains(" passed, 0 failed, ") || row.contains("skipped: ")), "{row}");
    }
}

/// Whether a tracer runs `true`, and prints these words. It does not where it is not installed, and where the host
/// refuses ptrace(2).
fn traces(mut tracer: Command, words: &str) -> bool {
    let shows = |output: &Output| String::from_utf8_lossy(&output.stdout).contains(words);
    let has_run = tracer.arg("true").output().is_ok_and(|output| output.status.success() && shows(&output));
    if !has_run {
        runner::skipped(format_args!("{tracer:?} does not work here"));
    }
    has_run
}

/// strace stops a thread at its system calls, which are in no section.
#[test]
fn a_tracer_is_named_where_it_keeps_sections_from_being_interrupted() {
    names();
    let strace = || {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", "/dev/null"]);
        strace
    };
    if !traces(strace(), "") {
        return;
    }
    for name in ["basic_test", "membarrier_test", "start_test", "ptrace_test"] {
        let mut strace = strace();
        strace.arg(suite_path(name));
        if name != "start_test" {
            strace.arg("--short");
        }
        expect_pass_or_skip(&format!("{name} under strace"), &Run::of(&mut strace));
    }
}

/// gdb keeps the signals of breakpoints, also of those that the program sets for itself.
#[test]
fn tests_with_breakpoints_of_their_own_set_none_under_a_debugger() {
    names();
    let gdb = || {
        let mut gdb = Command::new("gdb");
        gdb.args(["-q", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-ex", "run", "--args"]);
        gdb.env("LC_ALL", "C");
        gdb
    };
    if !traces(gdb(), "exited normally") {
        return;
    }
    for name in ["abort_points", "percpu_abort_points"] {
        let run = Run::of(gdb().arg(suite_path(name)));
        let skips = run.stdout.contains("1..0 # SKIP traced by process ");
        assert!(skips && !run.stdout.contains("received signal"), "{name}: {run:#?}");
    }
}
