//! C programs on glibc and musl, linked with the static library.

use std::process::Command;

use crate::build::threads;
use crate::report::{LIBC, OWN, expect, has_rseq, is_there, skipped, text};

#[test]
fn on_glibc_static_pie_threads_are_the_libc_s_or_the_program_s() {
    if !has_rseq() || !is_there("cc", "gcc") {
        return;
    }
    for (flags, name) in [(&["-DLINKED"][..], "glibc"), (&["-DLINKED", "-static-pie"], "glibc-static-pie")] {
        let program = threads("cc", flags, name);
        expect(&text(Command::new(&program).arg("adopted").env("GLIBC_TUNABLES", "glibc.pthread.rseq=1")), LIBC);
        expect(&text(Command::new(&program).arg("own").env("GLIBC_TUNABLES", "glibc.pthread.rseq=0")), OWN);
    }
}

/// The Rust half has no std; `on_musl_threads_are_registered_and_released` has it, built from source, which takes
/// minutes.
#[test]
fn on_musl_the_program_registers_its_threads() {
    if !has_rseq() || !is_there("musl-gcc", "musl-tools") {
        return;
    }
    for (flags, name) in [(&["-DLINKED"][..], "musl"), (&["-DLINKED", "-static"], "musl-static")] {
        let program = threads("musl-gcc", flags, name);
        expect(&text(Command::new(&program).arg("own")), OWN);
        // Nothing registers: there are no sections, and the program says so.
        let output = Command::new(&program).arg("adopted").output().expect("it was built");
        let says = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.code() == Some(1) && says.starts_with("storm: No such process"), "{name}: {says}");
    }
}

#[test]
fn the_programs_are_linked_as_their_names_say() {
    if !is_there("cc", "gcc") || !is_there("file", "file") {
        return;
    }
    let kind = |program| text(Command::new("file").arg("-b").arg(program));
    let pie = kind(threads("cc", &["-DLINKED", "-static-pie"], "glibc-static-pie-file"));
    assert!(pie.contains("static-pie linked"), "{pie}");
    if !is_there("musl-gcc", "musl-tools") {
        return skipped("musl");
    }
    let dynamic = kind(threads("musl-gcc", &["-DLINKED"], "musl-file"));
    assert!(dynamic.contains("ld-musl"), "{dynamic}");
    let fixed = kind(threads("musl-gcc", &["-DLINKED", "-static"], "musl-static-file"));
    assert!(fixed.contains("statically linked"), "{fixed}");
}
