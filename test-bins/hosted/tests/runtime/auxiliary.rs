//! Auxiliary vectors with a hole.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use crate::build::{DEBUG, RELEASE_OWN, RELEASE_PIE, Variant, program};
use crate::skipped;

/// Starts the program with an entry of its auxiliary vector hidden; None where no process may be traced.
fn without(variant: Variant, key: u64) -> Option<Output> {
    let mut command = Command::new(program(variant));
    command.arg("address").stdout(Stdio::piped()).stderr(Stdio::piped());
    // SAFETY: between fork and exec the closure makes one system call only, which takes numbers.
    unsafe {
        command.pre_exec(|| match libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    let child = match command.spawn() {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            skipped(format_args!("ptrace: {error}"));
            return None;
        }
        child => child.expect("the program starts"),
    };
    let pid = child.id() as libc::pid_t;
    let mut status = 0;
    // SAFETY: the call writes one int.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert!(libc::WIFSTOPPED(status), "the program stops at its first instruction");
    hide(pid, key);
    // SAFETY: the calls take numbers; the child is stopped, and traced by this thread.
    assert_eq!(unsafe { libc::ptrace(libc::PTRACE_DETACH, pid, 0, 0) }, 0);
    Some(child.wait_with_output().expect("it ends"))
}

/// Turns the entry into one that says nothing (AT_IGNORE).
fn hide(pid: libc::pid_t, key: u64) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("procfs");
    let after_name = stat.rsplit(") ").next().expect("a name in parentheses");
    // `startstack` is the 28th field; the third one follows the name.
    let mut at: u64 = after_name.split(' ').nth(25).and_then(|field| field.parse().ok()).expect("a number");
    let memory = OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem")).expect("a traced process");
    let word = |at: u64| {
        let mut bytes = [0; 8];
        memory.read_exact_at(&mut bytes, at).expect("the initial stack");
        u64::from_ne_bytes(bytes)
    };
    let argc = word(at);
    at += 8 * (argc + 2);
    while word(at) != 0 {
        at += 8;
    }
    at += 8;
    while word(at) != key {
        assert_ne!(word(at), 0, "no entry {key}");
        at += 16;
    }
    memory.write_all_at(&1_u64.to_ne_bytes(), at).expect("the initial stack");
}

#[test]
fn what_start_up_cannot_do_without_is_named() {
    let cases = [
        (libc::AT_PHDR, "AT_PHDR"),
        (libc::AT_PHNUM, "AT_PHDR"),
        (libc::AT_RANDOM, "AT_RANDOM"),
        (libc::AT_EXECFN, "AT_EXECFN"),
        (libc::AT_PAGESZ, "AT_PAGESZ"),
    ];
    for variant in [DEBUG, RELEASE_PIE] {
        for (key, name) in cases {
            let Some(output) = without(variant, key) else { return };
            let says = String::from_utf8_lossy(&output.stderr);
            let named = output.status.code() == Some(101) && says.contains(name);
            assert!(named, "{} without {name}: {output:#?}", variant.name);
        }
    }
}

#[test]
fn own_start_up_needs_its_headers_only() {
    for key in [libc::AT_RANDOM, libc::AT_EXECFN, libc::AT_PAGESZ] {
        let Some(output) = without(RELEASE_OWN, key) else { return };
        assert!(output.status.success(), "without {key}: {output:#?}");
    }
}

#[test]
fn what_start_up_can_do_without_is_not_missed() {
    for key in [libc::AT_SECURE, libc::AT_HWCAP, libc::AT_SYSINFO_EHDR] {
        let Some(output) = without(DEBUG, key) else { return };
        assert!(output.status.success(), "without {key}: {output:#?}");
    }
}
