//! Hosts that refuse system calls, as the profiles of containers do: a test passes, or skips with the reason.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::real::{names, suite_path};

/// What is refused, one at a time.
const CALLS: &[(&str, libc::c_long)] = &[
    ("clone3", libc::SYS_clone3),
    ("clone", libc::SYS_clone),
    ("sched_setaffinity", libc::SYS_sched_setaffinity),
    ("sched_getaffinity", libc::SYS_sched_getaffinity),
    ("membarrier", libc::SYS_membarrier),
    ("ptrace", libc::SYS_ptrace),
    ("perf_event_open", libc::SYS_perf_event_open),
    ("timer_create", libc::SYS_timer_create),
    ("sigaltstack", libc::SYS_sigaltstack),
    ("set_tid_address", libc::SYS_set_tid_address),
    ("getcpu", libc::SYS_getcpu),
    ("prctl", libc::SYS_prctl),
    ("tgkill", libc::SYS_tgkill),
    ("rseq", libc::SYS_rseq),
];

/// What profiles answer.
const ERRORS: &[i32] = &[libc::EPERM, libc::ENOSYS, libc::EACCES, libc::EAGAIN];

/// Those that make the round of all calls in seconds.
const QUICK: &[&str] =
    &["basic_test", "thread_test", "stack_test", "local_test", "sync_test", "node_test", "self_test"];

/// How long one run may take at most.
const DEADLINE: Duration = Duration::from_secs(120);

/// Makes the kernel answer one call with an error from now on, in this process and its children.
fn refuse(call: libc::c_long, error: i32) -> io::Result<()> {
    const LOAD_NUMBER: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jf, k| libc::sock_filter { code, jt: 0, jf, k };
    let mut filter = [
        step(LOAD_NUMBER, 0, 0),
        step(JUMP_IF_EQUAL, 1, call as u32),
        step(RETURN, 0, libc::SECCOMP_RET_ERRNO | error as u32),
        step(RETURN, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the calls take numbers, and one program that lives across them.
    let set = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    };
    if set { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The arguments of a short run.
fn arguments(name: &str) -> &'static [&'static str] {
    match name {
        "probe" | "start_test" => &[],
        "param_test" => &["-T", "s", "-t", "8", "-r", "500"],
        "kvm_rseq_test" => &["--migrations", "500"],
        _ => &["--short"],
    }
}

/// Runs a program under a filter; what is wrong with its outcome.
fn wrong(name: &str, (called, call): (&str, libc::c_long), error: i32) -> Option<String> {
    let mut command = Command::new(suite_path(name));
    command.args(arguments(name)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // SAFETY: between fork and exec the closure makes system calls only.
    unsafe { command.pre_exec(move || refuse(call, error)) };
    let mut child = command.spawn().expect("the program starts");
    let mut output = child.stdout.take().expect("it was asked for");
    let reader = thread::spawn(move || io::read_to_string(&mut output));
    let start = Instant::now();
    let status = loop {
        match child.try_wait().expect("it is our child") {
            Some(status) => break status.to_string(),
            None if start.elapsed() > DEADLINE => {
                child.kill().expect("it is our child");
                child.wait().expect("it is our child");
                break format!("no end within {DEADLINE:?}");
            }
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    let text = reader.join().expect("the reader ends").unwrap_or_default();
    let failed: Vec<_> = text.lines().filter(|line| line.trim_start().starts_with("not ok")).collect();
    // 4 says that all was skipped.
    let is_right = failed.is_empty() && ["exit status: 0", "exit status: 4"].contains(&status.as_str());
    (!is_right).then(|| format!("{name} without {called} (errno {error}): {status}: {failed:?}\n{text}"))
}

/// Runs each program with each call refused by each error.
fn expect_passes_and_skips(names: &[String], errors: &[i32]) {
    let errors = errors.iter().flat_map(|error| CALLS.iter().map(move |call| (*call, *error)));
    let cases: Vec<_> = errors.flat_map(|(call, error)| names.iter().map(move |name| (name, call, error))).collect();
    let (next, found) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(&(name, call, error)) = next.lock().unwrap().next() else { return };
                    let wrong = wrong(name, call, error);
                    found.lock().unwrap().extend(wrong);
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    assert!(found.is_empty(), "{} of {} runs:\n{}", found.len(), cases.len(), found.join("\n"));
}

#[test]
fn a_refused_call_is_a_skip_with_the_reason() {
    names();
    let quick: Vec<_> = QUICK.iter().map(|name| (*name).to_owned()).collect();
    expect_passes_and_skips(&quick, &[libc::ENOSYS]);
}

#[test]
#[ignore = "runs every program 56 times"]
fn every_refused_call_is_a_skip_with_the_reason_in_every_program() {
    let all: Vec<_> = names();
    expect_passes_and_skips(&all, ERRORS);
}
