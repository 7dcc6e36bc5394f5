//! The fuzzer of the per-CPU types, for a few seconds; what it says of types that are wrong.

use std::process::{Command, Output};

fn fuzz(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fuzz"));
    command.args(args);
    command
}

/// None where it was skipped.
fn run(command: &mut Command) -> Option<Output> {
    let output = command.output().expect("the fuzzer was built");
    if output.status.code() == Some(4) {
        crate::skipped(String::from_utf8_lossy(&output.stdout));
        return None;
    }
    Some(output)
}

/// The number before a word in the last line.
fn total(stdout: &str, what: &str) -> u64 {
    let words: Vec<_> = stdout.lines().last().unwrap_or_default().split_whitespace().collect();
    let at = words.iter().position(|word| *word == what).unwrap_or_else(|| panic!("no {what} in {stdout}"));
    words[at - 1].parse().expect("a number")
}

#[test]
fn every_type_does_what_its_model_does() {
    let Some(output) = run(&mut fuzz(&["--operations", "1e6"])) else { return };
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}");
    println!("{stdout}");
    assert!(total(&stdout, "operations") >= 1_000_000);
    if stdout.contains("rseq: on") {
        assert!(total(&stdout, "aborts") > 100, "hardly a section was aborted: {stdout}");
    }
}

#[test]
fn so_does_every_type_without_sections() {
    let mut command = fuzz(&["--operations", "3e5"]);
    let Some(output) = run(command.env("GLIBC_TUNABLES", "glibc.pthread.rseq=0")) else { return };
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && stdout.contains("rseq: off"), "{stdout}");
    assert_eq!(total(&stdout, "aborts"), 0, "{stdout}");
}

/// How many CPUs this thread may run on, however much of their time it gets.
fn cpus() -> i32 {
    // SAFETY: all zeros is a valid set, the kernel writes at most so many bytes of it, and its bits are counted.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set);
        libc::CPU_COUNT(&set)
    }
}

/// A section that the kernel does not know of, and a copy that is emptied without a fence.
#[test]
fn what_is_wrong_on_purpose_is_found() {
    for control in ["unarmed", "unfenced"] {
        if control == "unfenced" && cpus() == 1 {
            crate::skipped("with one CPU, emptying a copy interrupts the sections on it, fence or not");
            continue;
        }
        let Some(output) = run(&mut fuzz(&["--control", control, "--seed", "7", "--operations", "1e7"])) else {
            return;
        };
        let stdout = String::from_utf8_lossy(&output.stdout);
        if stdout.contains("rseq: off") {
            return crate::skipped("without rseq there is no section that could be wrong");
        }
        assert_eq!(output.status.code(), Some(1), "{control}: {stdout}");
        assert!(stdout.contains("lost or doubled"), "{stdout}");
        let again = format!("again: fuzz --control {control} --seed 7 --operations 10000000");
        assert!(stdout.contains(&again), "{stdout}");
    }
}

#[test]
fn bad_arguments_are_named() {
    for (args, why) in [
        (&["--type", "queue"][..], "there is no type queue"),
        (&["--seed", "-1"], "-1 is not a number"),
        (&["--operations", "1e99"], "1e99 is not a number"),
        (&["--operations", "0"], "one operation at least"),
        (&["--operations"], "--operations takes a value"),
        (&["--fast"], "unknown argument --fast"),
    ] {
        let output = fuzz(args).output().expect("the fuzzer was built");
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(why), "{args:?}: {output:?}");
    }
    let help = fuzz(&["--help"]).output().expect("the fuzzer was built");
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("per_cpu"));
}
