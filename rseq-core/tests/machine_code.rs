//! What the compiler makes of the operations on x86-64: how long the fast paths are, and that nothing can panic.

#![cfg(target_arch = "x86_64")]

mod package;

use package::CORE;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Builds `examples/every_operation.rs` as a release that unwinds or aborts, whatever the profile says, and returns its
/// rlib. It is the library of a package here: cargo would build what tests depend on for an example.
fn every_operation(panic: &str) -> PathBuf {
    static PACKAGE: OnceLock<PathBuf> = OnceLock::new();
    let manifest =
        format!("[lib]\npath = \"{CORE}/examples/every_operation.rs\"\n\n[lints.rust]\nmissing_docs = \"warn\"\n\n");
    let package = PACKAGE.get_or_init(|| package::write("machine_code", &manifest, "fn main() {}"));
    let target_dir = package.join(panic);
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--lib", "--target-dir"])
        .arg(&target_dir)
        .current_dir(package)
        .env_remove("RUSTFLAGS")
        .env("CARGO_PROFILE_RELEASE_PANIC", panic)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the example does not build");
    target_dir.join("release/libmachine_code.rlib")
}

/// The newest rlib of rseq-core itself, beside that of the package.
fn rseq_core(example: &Path) -> PathBuf {
    let deps = fs::read_dir(example.with_file_name("deps")).expect("cargo made the directory");
    let files = deps.map(|file| file.expect("an entry"));
    let name = |file: &fs::DirEntry| file.file_name().to_string_lossy().into_owned();
    let ours = files.filter(|file| name(file).starts_with("librseq_core-") && name(file).ends_with(".rlib"));
    let newest = ours.max_by_key(|file| file.metadata().and_then(|metadata| metadata.modified()).expect("a time"));
    newest.expect("the example depends on it").path()
}

fn tool(name: &str, args: &[&str], library: &Path) -> String {
    let output = Command::new(name).args(args).arg(library).output();
    let output = output.unwrap_or_else(|error| panic!("{name} of binutils, which the C linker comes with: {error}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn listing() -> String {
    tool("objdump", &["-d", "--no-show-raw-insn", "-M", "intel"], &every_operation("abort"))
}

/// Instructions of a function, without its return.
fn instructions(listing: &str, function: &str) -> Vec<String> {
    let head = format!("<{function}>:");
    let body = listing.split(&head).nth(1).unwrap_or_else(|| panic!("{function} is not in the listing"));
    body.lines()
        .skip(1)
        .take_while(|line| !line.trim().is_empty())
        .filter_map(|line| line.split_once('\t').map(|(_, text)| text.trim().to_owned()))
        .filter(|text| !text.starts_with("ret") && !text.starts_with("nop") && !text.starts_with("R_X86_64"))
        .collect()
}

#[test]
fn fast_paths_are_as_short_as_promised() {
    let listing = listing();
    let promised = [
        ("probe_load_add_store", 5),
        ("probe_load_add_store_mm_cid", 5),
        ("probe_load_add_store_adopted", 5),
        ("probe_this_cpu_add_unchecked", 5),
        ("probe_this_cpu_add", 7),
        ("probe_this_cpu_inc", 7),
    ];
    for (function, most) in promised {
        let instructions = instructions(&listing, function);
        assert!(instructions.last().is_some_and(|last| last.starts_with("add ")), "{function}: {instructions:#?}");
        assert!(instructions.len() <= most, "{function} has more than {most}: {instructions:#?}");
    }
}

/// The index of an own area is one load; with its address in a slice of words, two instructions.
#[test]
fn an_own_index_is_one_load() {
    let listing = listing();
    for (function, length) in [("probe_cpu_id", 1), ("probe_slot", 2), ("probe_slot_mm_cid", 2)] {
        let instructions = instructions(&listing, function);
        assert!(instructions[0].contains("PTR fs:"), "{function}: {instructions:#?}");
        assert_eq!(instructions.len(), length, "{function}: {instructions:#?}");
    }
}

/// An adopted area is found by one load and the thread pointer, and known to be registered by one comparison.
#[test]
fn an_adopted_area_is_found_by_one_load() {
    let listing = listing();
    let mut instructions = instructions(&listing, "probe_current_add");
    instructions.retain(|text| !text.starts_with("push"));
    let armed = instructions.iter().position(|text| text.starts_with("mov    QWORD PTR"));
    // The word, by the GOT as long as it is not linked: mov, mov, test, je; sar, mov, add; mov, cmp, ja; the section's
    // lea. And what is returned, twice.
    assert!(armed.is_some_and(|armed| armed <= 4 + 3 + 3 + 1 + 2), "{instructions:#?}");
    assert!(!instructions.iter().take(armed.unwrap_or(0)).any(|text| text.starts_with("call")), "{instructions:#?}");
}

/// A counter is its section, two loads of what it goes by, and the result: the slow path stores nothing before it is
/// taken.
#[test]
fn counters_are_as_short_as_promised() {
    let listing = listing();
    for function in ["probe_counter_add", "probe_counter_increment"] {
        let instructions = instructions(&listing, function);
        let commit = instructions.iter().position(|text| text.starts_with("add ") && text.contains("QWORD PTR [r"));
        assert!(commit.is_some_and(|commit| commit < 7 + 3), "{function}: {instructions:#?}");
    }
}

/// Both ways through a guard and its work: where nothing is enabled, 4 instructions are the guard's (2 with an adopted
/// area); with a request and no grant, 10 (8).
#[test]
fn a_slice_guard_is_as_short_as_promised() {
    let listing = listing();
    for (function, find_area) in [("probe_slice", 2), ("probe_slice_adopted", 0)] {
        let instructions = instructions(&listing, function);
        let place = |start: &str| instructions.iter().position(|text| text.starts_with(start));
        assert_eq!(place("test "), Some(find_area), "{function}: {instructions:#?}");
        // test, je, cmp, je; the work; mov, the work, mov, cmp, jne; jmp to the yield.
        assert!(instructions.len() <= find_area + 4 + 1 + 5 + 1, "{function}: {instructions:#?}");
        assert!(!instructions.iter().any(|text| text.starts_with("call")), "{function}: {instructions:#?}");
    }
}

#[test]
fn no_operation_can_panic() {
    for panic in ["abort", "unwind"] {
        let operations = every_operation(panic);
        for library in [rseq_core(&operations), operations] {
            let symbols = tool("nm", &["-C"], &library);
            assert!(
                symbols.contains("probe_this_cpu_pop") || symbols.contains("Registration"),
                "nm shows names:\n{symbols}"
            );
            let panics: Vec<_> =
                symbols.lines().filter(|line| line.contains("panic") && !is_pad(panic, line)).collect();
            assert!(panics.is_empty(), "{panic}, {library:?}: {panics:#?}");
        }
    }
}

/// What the compiler puts into callers that own something, as it does not know that a function of another crate never
/// unwinds.
fn is_pad(panic: &str, symbol: &str) -> bool {
    panic == "unwind" && symbol.ends_with("U core::panicking::panic_in_cleanup")
}
