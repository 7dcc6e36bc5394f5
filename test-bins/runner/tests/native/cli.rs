//! Options, exit codes, formats, and ends that come early.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::fakes::{Fakes, GOOD, Run, runner};

const PROBE: &str = "if [ \"$1\" = --json ]; then echo '{\"fake\": 1}'; else echo a fake kernel; fi";

/// A good `probe` and a good `basic_test`.
fn two(name: &str) -> Fakes {
    Fakes::new(name).with("probe", PROBE).with("basic_test", GOOD)
}

#[track_caller]
fn assert_usage(args: &[&str], message: &str) {
    let run = Run::of(&mut runner(args));
    assert_eq!(run.code, Some(2), "{args:?}: {run:#?}");
    assert!(run.stderr.contains(message) && run.stdout.is_empty(), "{args:?}: {run:#?}");
}

#[test]
fn usage_errors_are_explained_and_exit_2() {
    assert_usage(&["basic_tset"], "did you mean 'basic_test'?");
    assert_usage(&["--list", "basic_test", "nonsense-name"], "no test is called 'nonsense-name'");
    assert_usage(&["--timeout", "0"], "0");
    assert_usage(&["--timeout", "soon"], "invalid value 'soon'");
    assert_usage(&["--repeat=-1"], "invalid value '-1'");
    assert_usage(&["--repeat", "0"], "invalid value '0'");
    assert_usage(&["--jsno"], "--json");
    assert_usage(&["--bin-dir", "/nonexistent/x"], "/nonexistent/x is no directory");
    assert_usage(&["--html", "/nonexistent/x.html", "basic_test"], "/nonexistent/x.html");
    assert_usage(&["--junit", "/nonexistent/x.xml", "basic_test"], "/nonexistent/x.xml");
    assert_usage(&["--full", "boot", "--list"], "'--full'");
    let image = ["boot", "--arch", "x86_64", "--kernel-image"];
    assert_usage(&[&image[..], &["/nonexistent/x"]].concat(), "/nonexistent/x: No such file");
    assert_usage(&[&image[..], &["/"]].concat(), "/ is no file");
    assert_usage(&[&image[..], &["/bin/true", "--cell", "x86_64 6.1"]].concat(), "'--cell <CELL>'");
    assert_usage(&["boot", "--cpus", "65"], "65 is not in 1..=64");
    assert_usage(&["boot", "--kernel-tree", "/"], "need one --arch");
    assert_usage(&["boot", "--arch", "x86_64", "--kernel-tree", "/"], "has no arch/x86/boot/bzImage for x86_64");
    assert_usage(&["boot", "--arch", "s390x", "--accel", "kvm"], "no guest is of this machine's kind");
    assert_usage(&["export", "--arch", "vax", "/nonexistent/x"], "no architecture is called 'vax': there are x86_64,");
    assert_usage(&["hosts", "--host", "vmware"], "no host is called 'vmware': there are plain, strace,");
    assert_usage(&["compare"], "--peer");
    for least in ["nan", "-1", "0", "inf"] {
        assert_usage(&["compare", "--peer", "x", &format!("--at-least={least}")], "not a positive number");
    }
    assert_usage(&["compare", "--peer", "/nonexistent/x", "--ours", "/bin/true"], "cannot run /nonexistent/x");
}

#[test]
fn a_report_of_what_does_not_run_is_refused_and_not_begun() {
    let directory = Fakes::new("no-report");
    let report = directory.path().join("report").display().to_string();
    for words in [&["--list"][..], &["boot", "--list"], &["boot", "--check"]] {
        for option in ["--html", "--junit"] {
            assert_usage(&[words, &[option, &report]].concat(), &format!("cannot be used with '{option} <FILE>'"));
            assert!(!Path::new(&report).exists(), "{words:?} {option}");
        }
    }
    assert_usage(&["boot", "--check", "--json"], "cannot be used with '--json'");
    assert_usage(&["hosts", "--list", "--docs"], "cannot be used with '--docs'");
}

#[test]
fn the_list_names_every_test_and_obeys_the_filter() {
    let all = Run::of(&mut runner(&["--list"]));
    assert_eq!(all.code, Some(0));
    assert!(all.stdout.starts_with("probe ") && all.stdout.contains("\nbasic_test "), "{all:#?}");
    assert!(all.stdout.lines().all(|line| line.len() <= 80));
    let one = Run::of(&mut runner(&["--list", "--json", "basic_test"]));
    let entries: serde_json::Value = serde_json::from_str(&one.stdout).unwrap();
    assert_eq!(entries.as_array().unwrap().len(), 1);
    assert_eq!(entries[0]["name"], "basic_test");
}

#[test]
fn a_comparison_tells_the_faster_of_two_programs() {
    // Each counts to its repetitions, one of them by fours: more than what other load makes of a shared core.
    let count =
        |step: u32| format!("while [ $# -gt 1 ]; do shift; done; i=0; while [ $i -lt $1 ]; do i=$((i+{step})); done");
    let fakes = Fakes::new("compare").with("fast", &count(4)).with("slow", &count(1));
    let path = |name: &str| fakes.path().join(name).display().to_string();
    let compare = |ours: &str, least: &str| {
        let (ours, peer) = (path(ours), path("slow"));
        let args = ["compare", "--peer", &peer, "--ours", &ours, "--pairs", "3", "--milliseconds", "1"];
        Run::of(runner(&args).args(["--json", "--at-least", least]))
    };
    let faster = compare("fast", "1.1");
    assert_eq!(faster.code, Some(0), "{faster:#?}");
    let root: serde_json::Value = serde_json::from_str(&faster.stdout).unwrap();
    assert_eq!(root["modes"].as_array().unwrap().len(), 8);
    assert_eq!(root["modes"][6]["mode"], "increment by cpu_id");
    let same = compare("slow", "1.6");
    assert_eq!(same.code, Some(1), "{same:#?}");
}

#[test]
fn a_comparison_with_several_goes_by_the_fastest() {
    // Each counts a part of its repetitions.
    let count =
        |step: u32| format!("while [ $# -gt 1 ]; do shift; done; i=0; while [ $i -lt $1 ]; do i=$((i+{step})); done");
    let fakes = Fakes::new("several").with("fast", &count(40)).with("slow", &count(20)).with("slower", &count(5));
    let path = |name: &str| fakes.path().join(name).display().to_string();
    let compare = |peers: [&str; 2]| {
        let [first, second] = peers.map(|name| format!("{name}={}", path(name)));
        let (ours, least) = (path("slow"), "0.75");
        let args =
            ["compare", "--peer", &first, "--peer", &second, "--ours", &ours, "--pairs", "3", "--milliseconds", "1"];
        Run::of(runner(&args).args(["--json", "--at-least", least]))
    };
    let behind = compare(["slower", "fast"]);
    assert_eq!(behind.code, Some(1), "{behind:#?}");
    let root: serde_json::Value = serde_json::from_str(&behind.stdout).unwrap();
    let mode = &root["modes"][0];
    assert_eq!((&mode["peers"][0]["name"], &mode["peers"][1]["name"]), (&"slower".into(), &"fast".into()));
    assert_eq!(mode["fastest"], 1);
    assert!(mode["peers"][0]["cpu_ratio"].as_f64().unwrap() > mode["peers"][1]["cpu_ratio"].as_f64().unwrap());
}

#[test]
fn a_comparison_asks_for_no_more_repetitions_than_there_are() {
    let fakes = Fakes::new("most").with("idle", "while [ $# -gt 1 ]; do shift; done; [ $1 -le 4294967295 ]");
    let idle = fakes.path().join("idle").display().to_string();
    let args = ["compare", "--peer", &idle, "--ours", &idle, "--pairs", "1", "--milliseconds", "60000", "--json"];
    let run = Run::of(&mut runner(&args));
    assert_eq!(run.code, Some(0), "{run:#?}");
    let root: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(root["modes"][0]["repetitions"], u32::MAX);
}

#[test]
fn piped_output_is_ktap_with_a_table_and_the_probe_in_comments() {
    let run = Run::of(&mut two("piped").runner(&["probe", "basic_test"]));
    assert_eq!(run.code, Some(0), "{run:#?}");
    let expected = "KTAP version 1\n1..2\nok 1 probe\n  KTAP version 1\n  1..2\n  ok 1 a\n  ok 2 b\nok 2 basic_test\n#";
    assert!(run.stdout.starts_with(expected), "{run:#?}");
    let rest: Vec<_> = run.stdout[expected.len() - 1..].lines().collect();
    assert!(rest.iter().all(|line| line.starts_with('#') && line.len() <= 80), "{rest:#?}");
    assert!(rest[0].contains("passed") && rest.iter().any(|line| line.contains("a fake kernel")));
}

#[test]
fn json_is_one_document_with_everything() {
    let run = Run::of(&mut two("json").runner(&["--json", "--repeat", "2", "probe", "basic_test"]));
    assert_eq!(run.code, Some(0), "{run:#?}");
    let root: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&root["schema"], &root["outcome"], &root["complete"]), (&1.into(), &"pass".into(), &true.into()));
    assert_eq!(root["probe"]["fake"], 1);
    assert_eq!(root["counts"]["passed"], 2 * 2);
    assert_eq!(root["runs"].as_array().unwrap().len(), 4);
    assert_eq!(root["runs"][1]["ktap"]["results"][1]["name"], "b");
    assert_eq!(root["runs"][1]["end"]["code"], 0);
}

#[test]
fn files_have_what_failed_and_how_to_run_it_again() {
    let fakes = Fakes::new("files").with("basic_test", "echo KTAP version 1; echo 1..1; echo not ok 1 a; exit 1");
    let [html, xml] = ["run.html", "run.xml"].map(|name| fakes.path().join(name));
    let mut runner = fakes.runner(&["basic_test"]);
    let run = Run::of(runner.arg("--html").arg(&html).arg("--junit").arg(&xml));
    run.assert_failed("1 of 1 results failed");
    let again = format!("cargo run --release -- --bin-dir {} basic_test\n", fakes.path().display());
    assert!(run.stdout.contains(&again), "{again}: {run:#?}");
    let (html, xml) = (fs::read_to_string(html).unwrap(), fs::read_to_string(xml).unwrap());
    assert!(html.contains("1 of 1 results failed") && html.contains(again.trim_end()), "{html}");
    assert!(xml.contains("<testsuite name=\"basic_test\" tests=\"1\" failures=\"1\""), "{xml}");
}

/// What a run prints on a terminal, with these variables.
fn on_terminal(fakes: &Fakes, variables: &[(&str, &str)]) -> Option<String> {
    let script = |command: &str| {
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", command, "/dev/null"]).stdin(Stdio::null());
        script.env("TERM", "xterm").env("SHELL", "/bin/sh");
        for variable in ["CI", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            script.env_remove(variable);
        }
        script
    };
    if !script("true").output().is_ok_and(|output| output.status.success()) {
        runner::skipped("there is no `script` that can make a terminal here");
        return None;
    }
    let command = format!("{} --bin-dir {} basic_test", env!("CARGO_BIN_EXE_runner"), fakes.path().display());
    let output = script(&command).envs(variables.iter().copied()).output().unwrap();
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_terminal_has_colours_and_a_progress_line_unless_it_wants_none() {
    let fakes = Fakes::new("terminal").with("basic_test", GOOD);
    let Some(colored) = on_terminal(&fakes, &[]) else { return };
    assert!(colored.contains("\u{1b}[32m") && colored.contains("PASS") && colored.contains("1/1"), "{colored:?}");
    assert!(colored.contains("\u{1b}[K"), "{colored:?}");
    let plain = on_terminal(&fakes, &[("NO_COLOR", "1")]).unwrap();
    assert!(plain.contains("PASS") && plain.contains("\u{1b}[K") && !plain.contains("\u{1b}[3"), "{plain:?}");
    let dumb = on_terminal(&fakes, &[("TERM", "dumb")]).unwrap();
    assert!(dumb.contains("PASS") && dumb.contains("all good") && !dumb.contains('\u{1b}'), "{dumb:?}");
    let dumb = on_terminal(&fakes, &[("TERM", "dumb"), ("CI", "true")]).unwrap();
    assert!(dumb.contains("PASS") && !dumb.contains('\u{1b}'), "{dumb:?}");
}

#[test]
fn json_says_what_failed() {
    let fakes = Fakes::new("json-failed").with("basic_test", "kill -ABRT $$");
    let run = fakes.basic_test(&["--json"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    let root: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(root["outcome"], "fail");
    assert_eq!(root["runs"][0]["end"]["signal"], 6);
    assert_eq!(root["runs"][0]["reasons"][0], "killed by signal 6 (SIGABRT)");
}

#[test]
fn a_report_that_is_no_json_is_a_failure() {
    let run = Run::of(&mut Fakes::new("bad-probe").with("probe", "echo {").runner(&["--json", "probe"]));
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.contains("its report is not JSON"), "{run:#?}");
}

#[test]
fn one_failing_round_fails_the_whole() {
    let fakes = Fakes::new("rounds");
    let mark = fakes.path().join("mark");
    let commands = format!("{GOOD}; [ -e {0} ] && exit 1; touch {0}", mark.display());
    let run = fakes.with("basic_test", &commands).basic_test(&["--repeat", "3"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.contains("\nok 1 basic_test (round 1 of 3)\n"), "{run:#?}");
    assert!(run.stdout.contains("\nnot ok 3 basic_test (round 3 of 3)\n"), "{run:#?}");
}

/// Starts a runner over a test that hangs, and waits until it is under way.
fn hanging(fakes: &Fakes) -> (std::process::Child, impl Read) {
    let mut child = fakes.runner(&["basic_test"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("ok 2 b") {
        assert!(stdout.read_line(&mut line).unwrap() > 0, "the runner ended: {line}");
    }
    (child, stdout)
}

fn running(path: &std::path::Path) -> bool {
    let pid = fs::read_to_string(path).unwrap();
    fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z "))
}

fn kill(child: &std::process::Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn hanging_fake(name: &str) -> (Fakes, std::path::PathBuf) {
    let fakes = Fakes::new(name);
    let pid = fakes.path().join("pid");
    let commands = format!("echo $$ > {}; {GOOD}; exec sleep 300", pid.display());
    (fakes.with("basic_test", &commands), pid)
}

#[test]
fn ctrl_c_ends_the_test_and_reports_what_there_is() {
    let (fakes, pid) = hanging_fake("interrupt");
    let (mut child, mut stdout) = hanging(&fakes);
    assert!(running(&pid));
    kill(&child, "-INT");
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(rest.contains("interrupted") && rest.contains("total"), "{rest}");
    assert!(!running(&pid));
}

#[test]
fn a_killed_runner_takes_its_test_along() {
    let (fakes, pid) = hanging_fake("killed");
    let (mut child, _stdout) = hanging(&fakes);
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while running(&pid) {
        assert!(Instant::now() < deadline, "the test outlived the runner");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_closed_stdout_is_no_panic() {
    let fakes = Fakes::new("closed").with("basic_test", "while :; do echo '# more'; done");
    let mut child = fakes.runner(&["basic_test"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(1), &b""[..]));
}

#[test]
fn without_cargo_or_sources_it_says_what_to_do() {
    let mut command = runner(&["basic_test"]);
    let run = Run::of(command.env("CARGO", "/nonexistent/cargo"));
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stderr.contains("cannot start cargo") && run.stderr.contains("rustup"), "{run:#?}");
    let mut command = runner(&["basic_test"]);
    let run = Run::of(command.env_remove("CARGO_MANIFEST_DIR").current_dir("/"));
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stderr.contains("the sources are not here"), "{run:#?}");
}

#[test]
fn a_failed_build_shows_cargos_words() {
    let run = Run::of(runner(&["basic_test"]).env("CARGO_TARGET_DIR", "/proc/nowhere"));
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stderr.contains("/proc/nowhere") && run.stderr.contains("cargo build"), "{run:#?}");
}
