//! The per-CPU test over both owners, and one registration a thread, in every way of linking.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use crate::build::{DEFAULT, VARIANTS, Variant, build};
use crate::recorder::{Call, record};

/// glibc's own registration, as most systems have it, and off.
const TUNABLE: &str = "GLIBC_TUNABLES";
const ON: &str = "glibc.pthread.rseq=1";
const OFF: &str = "glibc.pthread.rseq=0";

fn run(program: &Path, args: &[&str], tunable: &str) -> (Output, Vec<Call>) {
    record(Command::new(program).args(args).env(TUNABLE, tunable)).expect("seccomp lets the calls be counted")
}

/// The program's own verdict, and how many threads it had; None where there is no rseq to be tested.
#[track_caller]
fn passed(output: &Output, what: &str) -> Option<usize> {
    let stdout = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(4) {
        crate::skipped(format_args!("{what}: {stdout}"));
        return None;
    }
    assert!(output.status.success(), "{what}: {output:#?}");
    let line = |start: &str| stdout.lines().find_map(|line| line.strip_prefix(start)).map(str::to_owned);
    println!("{what}: {}", line("# added").expect("the counts are shown"));
    line("# threads: ")?.parse().ok()
}

/// The flags of each thread's calls, in their order.
fn by_thread(calls: &[Call]) -> BTreeMap<u32, Vec<u64>> {
    let mut threads = BTreeMap::<u32, Vec<u64>>::new();
    for call in calls {
        threads.entry(call.thread).or_default().push(call.flags);
    }
    threads
}

#[track_caller]
fn assert_each_thread(calls: &[Call], threads: usize, expected: &[u64], what: &str) {
    let found = by_thread(calls);
    assert_eq!(found.len(), threads, "{what}: threads that called rseq(2)");
    for (thread, flags) in found {
        assert_eq!(flags, expected, "{what}: the calls of thread {thread}");
    }
}

/// Whether this glibc registers threads when it is told to, and this kernel lets it; if not, says so.
fn glibc_registers() -> bool {
    let status = Command::new(build(["--bin", "status"], DEFAULT)).env(TUNABLE, ON).output().expect("it was built");
    let said = String::from_utf8_lossy(&status.stdout);
    let registers = said.starts_with("on: the libc");
    if !registers {
        crate::skipped(said);
    }
    registers
}

fn adopts(variant: Variant) {
    let (output, calls) = run(&build(["--bin", "percpu"], variant), &["adopt"], ON);
    let what = format!("{} adopting", variant.name);
    if let Some(threads) = passed(&output, &what) {
        assert_each_thread(&calls, threads, &[0], &what);
    }
}

fn owns(variant: Variant) {
    let (output, calls) = run(&build(["--bin", "percpu"], variant), &["own"], OFF);
    let what = format!("{} registering", variant.name);
    if let Some(threads) = passed(&output, &what) {
        assert_each_thread(&calls, threads, &[0, 1], &what);
    }
}

#[test]
fn each_way_of_linking_adopts_what_glibc_registered() {
    VARIANTS.iter().copied().for_each(adopts);
}

#[test]
fn each_way_of_linking_registers_and_releases_by_itself() {
    VARIANTS.iter().copied().for_each(owns);
}

#[test]
fn a_claim_on_glibcs_threads_is_an_error_and_makes_no_call() {
    if !glibc_registers() {
        return;
    }
    let (output, calls) = run(&build(["--bin", "percpu"], DEFAULT), &["own"], ON);
    assert_eq!(output.status.code(), Some(1), "{output:#?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("the libc has registered"), "{output:#?}");
    assert_eq!(by_thread(&calls).into_values().collect::<Vec<_>>(), [[0]]);
}

#[test]
fn with_nothing_to_adopt_the_program_says_so_and_skips() {
    let (output, calls) = run(&build(["--bin", "percpu"], DEFAULT), &["adopt"], OFF);
    assert_eq!(output.status.code(), Some(4), "{output:#?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("# SKIP neither"), "{output:#?}");
    assert_eq!(calls, []);
}

#[test]
fn a_second_registration_would_be_seen() {
    if !glibc_registers() {
        return;
    }
    let (output, calls) = run(&build(["--bin", "percpu"], DEFAULT), &["adopt", "--register-twice"], ON);
    assert!(String::from_utf8_lossy(&output.stdout).contains("Err(EINVAL (22))"), "{output:#?}");
    assert_eq!(by_thread(&calls).into_values().collect::<Vec<_>>(), [[0, 0]]);
    assert_ne!(calls[0].area, calls[1].area);
}
