//! The number of instructions of each operation: at most that of librseq's and the kernel's headers, which are equal.

#[path = "../../../tests/skipped/mod.rs"]
mod skipped;

use std::path::Path;
use std::process::Command;

use skipped::skipped;

/// Instructions from the start of a function through its commit to its return, on x86-64, compiled by GCC 12 with -O2,
/// with the headers of librseq and of Linux 7.2's selftests.
const THEIRS: [(&str, usize); 10] = [
    ("load_cbne_store", 10),
    ("lock", 12),
    ("load_add_store", 8),
    ("increment", 8),
    ("load_cbeq_store_add_load_store", 16),
    ("load_add_load_load_add_store", 15),
    ("load_cbne_load_cbne_store", 12),
    ("load_cbne_store_store", 11),
    ("load_cbne_store_store_release", 11),
    ("push", 22),
];

/// The number of instructions from the start of a function to its first return. The exits of its section are after it.
fn instructions(disassembly: &str, function: &str) -> usize {
    let head = format!("<{function}>:");
    let mut body = disassembly.lines().skip_while(|line| !line.ends_with(&head)).skip(1);
    let mut count = 0;
    for line in body.by_ref().take_while(|line| !line.is_empty()) {
        let instruction = line.split_once('\t').map_or("", |(_, text)| text.trim());
        count += 1;
        if instruction.starts_with("ret") {
            return count;
        }
    }
    panic!("{function} does not return: {disassembly}")
}

#[test]
fn no_operation_takes_more_instructions_than_in_librseq_and_in_the_kernel() {
    let is_there = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !cfg!(target_arch = "x86_64") || !is_there("cc") || !is_there("objdump") {
        skipped("needs cc and objdump on x86-64");
        return;
    }
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let object = Path::new(env!("CARGO_TARGET_TMPDIR")).join("counted.o");
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-Wall", "-Wextra", "-Werror", "-fno-pie", "-fcf-protection=none", "-c"]);
    cc.arg("-I").arg(package.join("../include")).arg(package.join("tests/programs/counted.c"));
    let output = cc.arg("-o").arg(&object).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = Command::new("objdump").args(["-d", "--no-show-raw-insn", "-j.text"]).arg(&object).output().unwrap();
    let disassembly = String::from_utf8(output.stdout).unwrap();
    for (name, theirs) in THEIRS {
        for index in ["cpu_id", "mm_cid"] {
            let ours = instructions(&disassembly, &format!("{name}_{index}"));
            assert!(ours <= theirs, "{name} by {index}: {ours} instructions, theirs {theirs}");
        }
    }
}
