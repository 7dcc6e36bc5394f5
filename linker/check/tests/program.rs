//! The program: exit codes and output, on this test itself, which has a section.

mod elf;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use elf::{ARCHES, Plan};
use rseq_check::Rule;
use rseq_core::Registration;
use rseq_core::ops::librseq::load_add_store;

fn run(arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rseq-check")).args(arguments).output().expect("it starts")
}

fn code(arguments: &[&Path]) -> Option<i32> {
    run(arguments).status.code()
}

fn written(name: &str, plan: &Plan) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, plan.file()).expect("the directory is there");
    path
}

#[test]
fn the_exit_code_tells() {
    let clean = written("clean", &Plan::right(&ARCHES[0]));
    let faulty = written("faulty", &Plan { version: 1, ..Plan::right(&ARCHES[1]) });
    let text = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    assert_eq!(code(&[&clean]), Some(0));
    assert_eq!(code(&[&clean, &faulty]), Some(1));
    for unreadable in [text, Path::new("/nonexistent"), Path::new("/"), Path::new("/dev/zero")] {
        assert_eq!(code(&[&faulty, unreadable]), Some(2), "{}", unreadable.display());
    }
    assert_eq!(code(&[]), Some(2));
    assert_eq!(code(&[Path::new("--dynamorio"), &clean]), Some(1), "its branch goes by flags from outside");
    // A file of holes.
    let long = Path::new(env!("CARGO_TARGET_TMPDIR")).join("long");
    fs::File::create(&long).and_then(|file| file.set_len((4 << 30) + 1)).expect("the directory is there");
    let output = run(&[&long]);
    fs::remove_file(&long).expect("it was there");
    assert!(String::from_utf8_lossy(&output.stderr).contains("are too many"), "{output:?}");
}

#[test]
fn an_answer_that_is_lost_is_a_failure() {
    let clean = written("clean-lost", &Plan::right(&ARCHES[0]));
    let code = |arguments: &[&Path], full: bool| {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let full = full.then(|| fs::File::options().write(true).open("/dev/full").expect("a full device"));
        let stdout = full.map_or_else(|| writer.into(), Stdio::from);
        let command = Command::new(env!("CARGO_BIN_EXE_rseq-check")).args(arguments).stdout(stdout).output();
        command.expect("it starts").status.code()
    };
    for arguments in [&[&*clean][..], &[Path::new("--json"), &clean], &["--explain", "RC0101"].map(Path::new)] {
        assert_eq!(code(arguments, true), Some(2), "{arguments:?}");
        assert_eq!(code(arguments, false), Some(0), "a reader that went away: {arguments:?}");
    }
    let nobody_listens = Command::new(env!("CARGO_BIN_EXE_rseq-check"))
        .arg("/nonexistent")
        .stderr(fs::File::options().write(true).open("/dev/full").expect("a full device"))
        .status();
    assert_eq!(nobody_listens.expect("it starts").code(), Some(2));
}

/// Without sections nothing is said to be clean.
#[test]
fn a_file_without_sections_has_nothing_to_check() {
    let output = run(&[Path::new(env!("CARGO_BIN_EXE_rseq-check"))]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("0 sections") && text.trim_end().ends_with(": nothing to check"), "{text}");
    let clean = written("clean-words", &Plan::right(&ARCHES[0]));
    assert!(String::from_utf8_lossy(&run(&[&clean]).stdout).trim_end().ends_with(": clean"));
}

#[test]
fn json_says_what_the_text_says() {
    let faulty = written("faulty-json", &Plan { version: 1, ..Plan::right(&ARCHES[2]) });
    let output = run(&[Path::new("--json"), &faulty]);
    assert_eq!(output.status.code(), Some(1));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!(document[0]["machine"], "aarch64");
    assert_eq!(document[0]["sections"].as_array().map(Vec::len), Some(1));
    let finding = &document[0]["findings"][0];
    let [code, message] = ["code", "message"].map(|field| finding[field].as_str().expect("a finding"));
    assert_eq!(code, "RC0202");
    assert!(String::from_utf8_lossy(&run(&[&faulty]).stdout).contains(&format!("{code} {message}")));
}

/// The README begins with these two files.
#[test]
fn the_readme_shows_a_run() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shown");
    fs::create_dir_all(&directory).expect("the directory above is there");
    let without_lists = Plan { arrays: false, ..Plan::right(&ARCHES[0]) };
    fs::write(directory.join("program"), without_lists.file()).expect("it is there");
    let wrong_version = Plan { version: 1, ..Plan::right(&ARCHES[2]) };
    fs::write(directory.join("plugin.so"), wrong_version.file()).expect("it is there");
    let mut command = Command::new(env!("CARGO_BIN_EXE_rseq-check"));
    let output = command.args(["program", "plugin.so"]).current_dir(directory).output().expect("it starts");
    let shown = format!("```text\n$ rseq-check program plugin.so\n{}```\n", String::from_utf8_lossy(&output.stdout));
    assert!(include_str!("../README.md").contains(&shown), "README.md does not show:\n{shown}");
}

/// A real program, position-independent as the host's compiler makes them.
#[test]
fn this_program_is_clean() {
    if let Ok(registration) = Registration::adopt() {
        let (token, mut word) = (registration.token(), 0);
        // SAFETY: the word is a local, the kernel returned the CPU's number.
        let _ = unsafe { load_add_store(token, token.cpu_id() as usize, &raw mut word, 1) };
    }
    let own = std::env::current_exe().expect("a program knows its file");
    let checked = rseq_check::check(&own, &[Rule::EarlyStore]).expect("it can be read");
    assert!(!checked.sections.is_empty(), "{checked:?}");
    assert_eq!(checked.findings, []);
}

/// `load_add_store` as assembly in a shared library.
#[cfg(target_arch = "x86_64")]
const SECTION: &str = "
    .globl add
add:
1:  addq $1, (%rdi)
2:  ret
    .byte 0x0f, 0xb9, 0x3d
    .long 0x53053053
4:  ret
    .pushsection __rseq_cs, \"aw\"
    .balign 32
5:  .long 0, 0
    .quad 1b, 2b - 1b, 4b
    .popsection
    .pushsection __rseq_cs_ptr_array, \"aw\"
    .quad 5b
    .popsection
";

/// A shared library with a section that begins with these instructions.
#[cfg(target_arch = "x86_64")]
fn library(name: &str, begins: &str) -> Vec<u8> {
    let [source, library] =
        ["s", "so"].map(|kind| Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.{kind}")));
    fs::write(&source, SECTION.replace("1: ", &format!("1: {begins}\n"))).expect("the directory is there");
    let linked = Command::new("cc").args(["-shared", "-nostdlib", "-o"]).args([&library, &source]).status();
    assert!(linked.expect("the compiler that links Rust is there").success());
    fs::read(&library).expect("it was linked")
}

/// DynamoRIO may not be asked to keep flags, unless the section sets them itself.
#[cfg(target_arch = "x86_64")]
#[test]
fn flags_that_a_section_sets_are_no_input() {
    for (name, begins, expected) in [
        ("flags-none", "", &[][..]),
        ("flags-own", "cmpq %rsi, (%rdi); sete %al", &[]),
        ("flags-foreign", "sete %al", &[Rule::OtherInput]),
    ] {
        let checked = rseq_check::check_data(name, &library(name, begins), Rule::DYNAMORIO).expect("it can be read");
        assert_eq!(checked.findings.iter().map(|finding| finding.rule).collect::<Vec<_>>(), expected, "{checked:?}");
    }
}

/// Packed relocations (RELR) say where the loader adds, and the file holds what to.
#[cfg(target_arch = "x86_64")]
#[test]
fn packed_relocations_leave_the_descriptor_readable() {
    let [source, library] = ["relr.s", "relr.so"].map(|name| Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
    fs::write(&source, SECTION).expect("the directory is there");
    let options = ["-shared", "-nostdlib", "-Wl,-z,pack-relative-relocs", "-o"];
    let linked = Command::new("cc").args(options).args([&library, &source]).status();
    assert!(linked.expect("the compiler that links Rust is there").success());
    let data = fs::read(&library).expect("it was linked");
    assert!(data.windows(9).any(|bytes| bytes == b".relr.dyn"), "this linker packs no relocations");
    let checked = rseq_check::check_data("relr", &data, &[Rule::EarlyStore]).expect("it can be read");
    assert_eq!((checked.sections.len(), checked.findings), (1, vec![]));
}

/// Android's packing leaves the file without the addresses, which are in the relocations.
#[cfg(target_arch = "x86_64")]
#[test]
fn relocations_packed_as_androids_are_read() {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().expect("the compiler is in PATH").stdout;
    let sysroot = String::from_utf8(sysroot).expect("it is a path");
    let lld = Path::new(sysroot.trim()).join("lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld");
    let [source, object, library] =
        ["android.s", "android.o", "android.so"].map(|name| Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
    fs::write(&source, SECTION).expect("the directory is there");
    let assembled = Command::new("cc").arg("-c").arg(&source).arg("-o").arg(&object).status();
    assert!(assembled.expect("the compiler that links Rust is there").success());
    let options = ["-flavor", "gnu", "-shared", "--pack-dyn-relocs=android", "-o"];
    let linked = Command::new(lld).args(options).args([&library, &object]).status();
    assert!(linked.expect("the toolchain has its linker").success());
    let mut data = fs::read(&library).expect("it was linked");
    let at = data.windows(4).position(|bytes| bytes == b"APS2").expect("this linker packs relocations");
    let checked = rseq_check::check_data("android", &data, &[Rule::PackedRelocations]).expect("it can be read");
    assert_eq!((checked.sections.len(), checked.findings), (1, vec![]));
    // Another list, which comes before and cannot be read: the symbols.
    let headers = u64::from_le_bytes(data[0x28..0x30].try_into().expect("eight bytes")) as usize;
    let mut two_lists = data.clone();
    two_lists[headers + 64 + 4..][..4].copy_from_slice(&0x6000_0002_u32.to_le_bytes());
    let checked = rseq_check::check_data("android", &two_lists, &[]).expect("it can be read");
    assert!(checked.notes.iter().any(|note| note.rule == Rule::PackedRelocations), "{checked:?}");
    data[at] = b'B';
    let checked = rseq_check::check_data("android", &data, &[]).expect("it can be read");
    assert!(checked.notes.iter().any(|note| note.rule == Rule::PackedRelocations), "{checked:?}");
    assert!(!checked.findings.is_empty(), "without relocations, the descriptor leads nowhere");
}
