//! On this very test program, which has a section of its own, and on ruined copies of it.

use super::*;
use crate::check::image::Image;
use object::{Object, ObjectSection};
use rseq_core::section::operations::load_add_store;
use rseq_core::{KernelRseq, Registration};

/// This program's file; the section in it is run where the libc has registered the thread.
fn program() -> Vec<u8> {
    if let Ok(registration) = Registration::adopt(KernelRseq::SILENT) {
        let (token, mut word) = (registration.token(), 0);
        // SAFETY: the word is a local, the CPU one that the kernel told.
        let _ = unsafe { load_add_store(token, token.cpu_index(), token.cpu_id() as usize, &raw mut word, 1) };
    }
    fs::read("/proc/self/exe").expect("a program can read itself")
}

fn findings(data: &[u8]) -> Result<Vec<String>, String> {
    sections::check(&Image::read(data)?).map(|found| found.findings)
}

/// Where a section's bytes are in the file.
fn offset(data: &[u8], name: &str) -> usize {
    let file = object::File::parse(data).expect("it was linked");
    let section = file.section_by_name(name).unwrap_or_else(|| panic!("{name} is there"));
    section.file_range().expect("it is in the file").0 as usize
}

/// A copy with one byte of a section changed.
fn ruined(name: &str, at: usize) -> Vec<u8> {
    let mut data = program();
    let offset = offset(&data, name);
    data[offset + at] ^= 0x40;
    data
}

#[test]
fn this_program_is_clean() {
    let data = program();
    let image = Image::read(&data).expect("it was linked");
    let found = sections::check(&image).expect("it is whole");
    assert!(found.sections >= 1, "{found:?}");
    assert_eq!(found.findings, Vec::<String>::new());
}

#[test]
fn faults_of_descriptors_are_found() {
    let cases =
        [("__rseq_cs", 0, "version 64"), ("__rseq_cs", 4, "flags 0x40"), ("__rseq_cs", 23, "executable section")];
    for (name, at, expected) in cases {
        let findings = findings(&ruined(name, at)).expect("still readable");
        assert!(findings.iter().any(|finding| finding.contains(expected)), "{expected}: {findings:?}");
    }
}

#[test]
fn a_wrong_signature_is_found() {
    // On x86 three bytes of `ud1` come before it.
    let at = if cfg!(any(target_arch = "x86", target_arch = "x86_64")) { 3 } else { 0 };
    let findings = findings(&ruined("__rseq_failure", at)).expect("still readable");
    assert!(findings.iter().any(|finding| finding.contains("not the signature")), "{findings:?}");
}

#[test]
fn files_that_are_no_programs_are_refused() {
    for data in [&b""[..], b"\x7fELF", &[0x7f; 4096], b"#!/bin/sh\n"] {
        assert!(Image::read(data).is_err(), "{data:?}");
    }
    assert!(check(Path::new("/nonexistent")).is_err());
}

/// Nothing that is done to a file makes the checker panic: every answer is findings or an error.
#[test]
fn ruined_files_are_survived() {
    let whole = program();
    let headers = whole.len().min(4096);
    let mut random = 88_172_645_463_325_252_u64;
    let mut next = move || {
        // Marsaglia's xorshift.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize
    };
    let tables = whole.len() - whole.len().min(64 * 80);
    for round in 0..400 {
        let mut data = whole.clone();
        match round % 4 {
            0 => data.truncate(next() % whole.len()),
            1 => data[next() % 64] = next() as u8,
            2 => (0..8).for_each(|_| data[next() % headers] = next() as u8),
            _ => (0..8).for_each(|_| data[tables + next() % (whole.len() - tables)] = next() as u8),
        }
        let _ = findings(&data);
    }
}
