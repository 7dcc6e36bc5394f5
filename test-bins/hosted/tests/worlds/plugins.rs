//! The shared object in programs that load it: in C, in a namespace of its own, and in Python.

use std::process::Command;

use crate::build::{library, source, threads};
use crate::report::{LIBC, OWN, expect, has_rseq, is_there, text};

/// Who registers threads: the library, or glibc.
const OWNERS: [(&str, &str, &str); 2] =
    [("adopted", "glibc.pthread.rseq=1", LIBC), ("own", "glibc.pthread.rseq=0", OWN)];

fn host(owner: &str, tunable: &str, namespace: &str) -> Command {
    let mut command = Command::new(threads("cc", &[], &format!("host-{owner}-{namespace}")));
    command.arg(owner).arg(library("libworlds.so")).arg(namespace).env("GLIBC_TUNABLES", tunable);
    command
}

#[test]
fn a_program_in_c_loads_the_library() {
    if !has_rseq() || !is_there("cc", "gcc") {
        return;
    }
    for (owner, tunable, status) in OWNERS {
        expect(&text(&mut host(owner, tunable, "base")), status);
    }
}

/// A namespace has a libc of its own, and shares the dynamic linker, which has the symbols that say where areas are.
/// The library finds the registration that the program's libc made, and that of threads that the namespace's libc made.
#[test]
fn in_another_namespace_the_library_finds_the_registration() {
    if !has_rseq() || !is_there("cc", "gcc") {
        return;
    }
    for namespace in ["new", "new-threads"] {
        for (owner, tunable, status) in OWNERS {
            expect(&text(&mut host(owner, tunable, namespace)), status);
        }
    }
}

#[test]
fn threads_of_python_count_by_the_library() {
    if !has_rseq() || !is_there("python3", "python3") {
        return;
    }
    let mut python = Command::new("python3");
    python.arg(source("plugin.py")).arg(library("libworlds.so")).env("GLIBC_TUNABLES", OWNERS[0].1);
    expect(&text(&mut python), LIBC);
}
