//! What compilers keep in registers around a system call and around a switch of threads, read from the assembly of
//! rseq-core's example `around_a_call`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::assembles::{Built, build_example, own};
use super::toolchain;

/// A target, with the vector extension that its loops are compiled for.
type Case = (&'static str, &'static str);

/// Linux discards vector state at system calls on these two alone; elsewhere it keeps all of it.
const DISCARDING: [Case; 2] = [("aarch64", "+sve"), ("riscv64", "+v")];
const KEEPING: [Case; 7] = [
    ("x86_64", "+avx512f"),
    ("i686", "+avx2"),
    ("armv7", "+neon"),
    ("s390x", "+vector"),
    ("powerpc64le", "+vsx"),
    ("loongarch64", "+lasx"),
    ("mips64el", "+msa"),
];

/// Lines of a function, without the assembler's directives and comments.
fn function<'t>(assembly: &'t str, name: &str) -> Vec<&'t str> {
    let label = format!("{name}:");
    let body = assembly.lines().map(str::trim).skip_while(|line| !line.starts_with(&label)).skip(1);
    let body = body.take_while(|line| !line.starts_with(".Lfunc_end") && !line.starts_with(".size"));
    body.filter(|line| !line.is_empty() && (!line.starts_with('.') || line.ends_with(':'))).collect()
}

/// How many `asm!` blocks there are: the compiler surrounds each by two comments.
fn blocks(lines: &[&str]) -> usize {
    lines.iter().filter(|line| line.ends_with("APP") && !line.ends_with("NO_APP")).count()
}

/// An instruction: its name and its operands.
fn parts(line: &str) -> (&str, Vec<&str>) {
    let (name, operands) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (name, operands.split([',', ' ', '{', '}', '[', ']', '(', ')']).filter(|part| !part.is_empty()).collect())
}

/// The number of a register such as `z3.s` or `p0/m` whose name begins with one of `kinds`.
fn register(operand: &str, kinds: &[char]) -> Option<(char, u32)> {
    let kind = operand.chars().next().filter(|kind| kinds.contains(kind))?;
    let number = operand[1..].split(['.', '/']).next()?.parse().ok()?;
    Some((kind, number))
}

/// What an instruction reads of the state that the kernel discards, and what it gives a value.
type Effects = (Vec<(char, u32)>, Vec<(char, u32)>);

/// An SVE instruction writes its first operand, unless it is a store. Writing the lower part of a register clears the
/// rest, and reading it alone is harmless, as the kernel keeps 128 bits.
fn sve(line: &str) -> Effects {
    let (name, operands) = parts(line);
    let count = if name.starts_with("st") { 0 } else { 1 + usize::from(name == "ldp") };
    let merges = operands.iter().any(|operand| operand.ends_with("/m"));
    let (written, read) = operands.split_at(count.min(operands.len()));
    let read = read.iter().chain(if merges { written } else { &[] });
    let read = read.filter_map(|operand| register(operand, &['z', 'p'])).collect();
    let written = written.iter().filter_map(|operand| register(operand, &['z', 'p', 'v', 'q', 'd', 's', 'h', 'b']));
    (read, written.map(|(kind, number)| (if kind == 'p' { 'p' } else { 'z' }, number)).collect())
}

/// A vector instruction of RISC-V writes its first operand, unless it is a store, and goes by `vtype`, written as `t0`
/// here.
fn rvv(line: &str) -> Effects {
    let (name, operands) = parts(line);
    if name.starts_with("vset") {
        return (vec![], vec![('t', 0)]);
    }
    let (written, read) =
        operands.split_at(if name.starts_with("vs") && name.ends_with(".v") { 0 } else { 1.min(operands.len()) });
    let mut read: Vec<_> = read.iter().filter_map(|operand| register(operand, &['v'])).collect();
    let written: Vec<_> = written.iter().filter_map(|operand| register(operand, &['v'])).collect();
    if !read.is_empty() || !written.is_empty() {
        read.push(('t', 0));
    }
    (read, written)
}

/// The first instruction on a way from a system call that reads discarded state before it has a new value.
fn stale_read(lines: &[&str], call: &str, effects: fn(&str) -> Effects) -> Option<String> {
    let labels: BTreeMap<_, _> =
        lines.iter().enumerate().filter_map(|(at, line)| Some((line.strip_suffix(':')?, at))).collect();
    let calls = lines.iter().enumerate().filter(|(_, line)| line.starts_with(call)).map(|(at, _)| at + 1);
    let mut todo: Vec<(usize, BTreeSet<(char, u32)>)> = calls.map(|at| (at, BTreeSet::new())).collect();
    let mut seen = BTreeSet::new();
    while let Some((at, mut valid)) = todo.pop() {
        let Some(line) = lines.get(at).filter(|_| seen.insert((at, valid.clone()))) else { continue };
        let (read, written) = effects(line);
        if let Some(stale) = read.iter().find(|register| !valid.contains(register)) {
            return Some(format!("{stale:?} in {line:?}"));
        }
        valid.extend(written);
        let (name, operands) = parts(line);
        if let Some(&target) = operands.last().and_then(|label| labels.get(label)) {
            todo.push((target, valid.clone()));
        }
        if !["b", "j", "ret"].contains(&name) && !line.starts_with(call) {
            todo.push((at + 1, valid));
        }
    }
    None
}

/// The directory with what cargo made of the example.
fn example((name, feature): Case) -> Option<PathBuf> {
    let feature = format!("-Ctarget-feature={feature}");
    let last = [&feature, "-Ccodegen-units=1", "--emit=asm,link"];
    match build_example(own(name), "around_a_call", &[], &last) {
        Built::Skipped => None,
        Built::In(directory) => Some(directory),
    }
}

/// The newest file of a name like this: cargo leaves older ones.
fn newest(directory: &Path, start: &str, end: &str) -> PathBuf {
    let files = fs::read_dir(directory).expect("cargo made the directory").map(|file| file.expect("an entry"));
    let name = |file: &DirEntry| file.file_name().to_string_lossy().into_owned();
    let files = files.filter(|file| name(file).starts_with(start) && name(file).ends_with(end));
    let newest = files.max_by_key(|file| file.metadata().and_then(|metadata| metadata.modified()).expect("a time"));
    newest.unwrap_or_else(|| panic!("no {start}*{end} in {directory:?}")).path()
}

fn assembly(directory: &Path) -> String {
    fs::read_to_string(newest(&directory.join("deps"), "around_a_call-", ".s")).expect("it is text")
}

/// Links a shared object from the example and what it needs of rseq-core: the own area for one.
fn link_shared(directory: &Path) {
    let core = newest(&directory.join("deps"), "librseq_core-", ".rlib");
    let mut linker = Command::new(toolchain::linker().expect("a linker is where the compiler is"));
    linker.args(["-flavor", "gnu", "-shared", "--whole-archive"]).arg(directory.join("libaround_a_call.rlib"));
    linker.args(["--no-whole-archive"]).arg(core).arg("-o").arg(directory.join("around_a_call.so"));
    let output = linker.output().expect("the linker starts");
    assert!(output.status.success(), "{directory:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "builds core for nine architectures, which takes minutes"]
fn nothing_is_kept_in_registers_that_linux_discards() {
    for (case, call, effects, vector) in
        [(DISCARDING[0], "svc", sve as fn(&str) -> Effects, "ptrue"), (DISCARDING[1], "ecall", rvv, "vsetvli")]
    {
        let Some(directory) = example(case) else { continue };
        let assembly = assembly(&directory);
        let lines = function(&assembly, "probe_vectors");
        assert!(lines.iter().any(|line| line.starts_with(call)), "{case:?}: no system call in {lines:#?}");
        assert!(lines.iter().any(|line| line.starts_with(vector)), "{case:?}: no vectorised loop in {lines:#?}");
        assert_eq!(stale_read(&lines, call, effects), None, "{case:?}: {lines:#?}");
    }
}

#[test]
#[ignore = "builds core for nine architectures, which takes minutes"]
fn the_thread_pointer_is_read_again_after_a_switch_and_own_areas_link_everywhere() {
    for case in DISCARDING.into_iter().chain(KEEPING) {
        let Some(directory) = example(case) else { continue };
        link_shared(&directory);
        let assembly = assembly(&directory);
        let lines = function(&assembly, "probe_switch");
        assert_eq!(blocks(&lines), 4, "{case:?}: {lines:#?}");
    }
}

#[test]
fn a_mask_from_before_the_call_is_stale() {
    let lines = ["ptrue p0.s", ".L1:", "svc #0", "uaddv d1, p0, z1.s", "b.ne .L1", "ret"];
    assert!(stale_read(&lines, "svc", sve).is_some_and(|read| read.contains("'p', 0")));
    let lines = [".L1:", "svc #0", "ptrue p0.s", "movi v1.2d, #0", "uaddv d1, p0, z1.s", "b.ne .L1", "ret"];
    assert_eq!(stale_read(&lines, "svc", sve), None);
}

#[test]
fn a_value_is_stale_on_the_way_that_gives_it_none() {
    let lines = ["svc #0", "b.eq .L1", "mov z0.s, #90", ".L1:", "eor z4.d, z4.d, z0.d", "ret"];
    assert!(stale_read(&lines, "svc", sve).is_some());
}

#[test]
fn vtype_is_stale_too() {
    assert!(stale_read(&["ecall", "vle32.v v8, (a0)", "ret"], "ecall", rvv).is_some());
    assert_eq!(stale_read(&["ecall", "vsetvli a0, zero, e32", "vle32.v v8, (a0)", "ret"], "ecall", rvv), None);
}
