//! What the linker scripts keep and refuse, on small objects, by each linker that is here.
#![cfg(all(target_os = "linux", target_pointer_width = "64", not(target_arch = "arm")))]

use std::fs;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use object::{Object, ObjectSection};

/// A live section: the program refers to its descriptor and to nothing else of it.
const DESCRIPTOR: &str =
    ".section __rseq_cs, \"aw\"\n.balign 32\ndescriptor: .long 0, 0\n.quad _start, 8, _start + 8\n";
const POINTER: &str = ".section __rseq_cs_ptr_array, \"aw\"\n.balign 8\n.quad descriptor\n";
const EXIT_POINT: &str = ".section __rseq_exit_point_array, \"aw\"\n.balign 8\n.quad _start, _start + 8\n";
const AREA: &str = ".section .tdata, \"awT\"\n.balign 64\narea: .zero 64\n";
/// The same without a value: no `.tdata`.
const EMPTY_AREA: &str = ".section .tbss, \"awT\", %nobits\n.balign 64\narea: .zero 64\n";
/// What makes an empty `.tdata`.
const TDATA: &str = ".section .tdata.rseq, \"awTR\", %progbits\n";
const PROGRAM: &str = ".section .text._start, \"ax\"\n.globl _start\n_start: .quad descriptor, area\n";

/// A function with a section whose descriptor and pointer are linked to it.
const LINKED: &str = "
.macro section name
.section .text.\\name, \"ax\"
.globl \\name
\\name: .zero 8
.section __rseq_cs, \"awo\", %progbits, .text.\\name
.balign 32
descriptor_\\name: .long 0, 0
.quad \\name, 8, \\name + 8
.section __rseq_cs_ptr_array, \"awo\", %progbits, .text.\\name
.balign 8
.quad descriptor_\\name
.endm
";

const RSEQ: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../linker/rseq.ld");
const STATIC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../linker/static.ld");

/// GNU ld and lld, as far as they are here; the one that Rust brings along has to be.
fn linkers() -> Vec<PathBuf> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc starts");
    let sysroot = PathBuf::from(String::from_utf8_lossy(&sysroot.stdout).trim());
    let own = sysroot.join(format!("lib/rustlib/{}-unknown-linux-gnu/bin/gcc-ld/ld.lld", std::env::consts::ARCH));
    let lld = if own.is_file() || cfg!(target_arch = "x86_64") { own } else { "ld.lld".into() };
    let linkers: Vec<_> = [PathBuf::from("ld.bfd"), lld].into_iter().filter(is_here).collect();
    assert!(!cfg!(target_arch = "x86_64") || linkers.iter().any(|linker| is_lld(linker)), "rustc has no rust-lld");
    assert!(!linkers.is_empty(), "neither GNU ld nor lld is installed");
    linkers
}

fn is_here(linker: &PathBuf) -> bool {
    let found = Command::new(linker).arg("--version").stdout(Stdio::null()).status();
    if let Err(error) = &found {
        // Unlike what eprintln writes, this is seen where the test passes.
        let _ = writeln!(stderr(), "skipped: {}: {error}", linker.display());
    }
    found.is_ok()
}

fn is_lld(linker: &Path) -> bool {
    linker.ends_with("ld.lld")
}

/// Assembles a program of these parts and links it, dropping what is not referred to.
fn link(name: &str, linker: &Path, parts: &[&str], scripts: &[&str]) -> (PathBuf, Output) {
    let stem = linker.file_name().unwrap_or_default().to_string_lossy();
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{stem}"));
    let (source, object) = (output.with_extension("s"), output.with_extension("o"));
    fs::write(&source, parts.concat()).expect("the directory for tests is writable");
    let assembled = Command::new("cc").arg("-c").arg(&source).arg("-o").arg(&object).status().expect("cc starts");
    assert!(assembled.success(), "{}", source.display());
    let mut command = Command::new(linker);
    command.args(["--gc-sections", "-static", "-o"]).args([&output, &object]);
    command.args(scripts.iter().map(|script| format!("-T{script}")));
    let linked = command.output().expect("the linker starts");
    (output, linked)
}

/// Sizes of the three sections; 0 where one is not there.
fn sizes(program: &Path) -> [u64; 3] {
    let data = fs::read(program).expect("it was linked");
    let file = object::File::parse(&*data).expect("it is an ELF file");
    let size = |name| file.section_by_name(name).map_or(0, |section| section.size());
    ["__rseq_cs", "__rseq_cs_ptr_array", "__rseq_exit_point_array"].map(size)
}

#[test]
fn the_arrays_are_dropped_without_the_script_and_kept_with_it() {
    for linker in linkers() {
        let parts = [PROGRAM, AREA, DESCRIPTOR, POINTER, EXIT_POINT];
        for (name, scripts, expected) in [
            ("dropped", &[][..], [32, 0, 0]),
            ("kept", &[RSEQ][..], [32, 8, 16]),
            ("static", &[RSEQ, STATIC], [32, 8, 16]),
        ] {
            let (program, output) = link(name, &linker, &parts, scripts);
            let messages = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{name}, {}: {messages}", linker.display());
            assert_eq!(sizes(&program), expected, "{name}, {}", linker.display());
        }
    }
}

/// The way that Rust's inline assembly has no words for: arrays that come and go with their functions, without a
/// script.
#[test]
fn what_is_linked_to_its_function_goes_with_it() {
    for linker in linkers() {
        for (name, start, expected) in [("one-linked", "live", [32, 8, 0]), ("both-linked", "live, dead", [64, 16, 0])]
        {
            let program = PROGRAM.replace("descriptor, area", start);
            let (program, output) = link(name, &linker, &[LINKED, "section live\nsection dead\n", &program], &[]);
            assert!(output.status.success(), "{}: {}", linker.display(), String::from_utf8_lossy(&output.stderr));
            assert_eq!(sizes(&program), expected, "{name}, {}", linker.display());
        }
    }
}

#[test]
fn a_section_without_exits_links() {
    for linker in linkers() {
        let (program, output) = link("no-exits", &linker, &[PROGRAM, AREA, DESCRIPTOR, POINTER], &[RSEQ]);
        assert!(output.status.success(), "{}: {}", linker.display(), String::from_utf8_lossy(&output.stderr));
        assert_eq!(sizes(&program), [32, 8, 0]);
    }
}

#[test]
fn without_a_tdata_lld_wants_one_line() {
    for linker in linkers() {
        for (name, area, lld_links) in
            [("no-tdata", EMPTY_AREA, false), ("line", &format!("{TDATA}{EMPTY_AREA}"), true)]
        {
            let (program, output) =
                link(name, &linker, &[PROGRAM, area, DESCRIPTOR, POINTER, EXIT_POINT], &[RSEQ, STATIC]);
            let messages = String::from_utf8_lossy(&output.stderr);
            if lld_links || !is_lld(&linker) {
                assert!(output.status.success(), "{name}, {}: {messages}", linker.display());
                assert_eq!(sizes(&program), [32, 8, 16], "{name}, {}", linker.display());
            } else {
                assert!(messages.contains("unable to insert .tbss after .tdata"), "{name}: {messages}");
            }
        }
    }
}

#[test]
fn what_is_wrong_does_not_link() {
    let unaligned = DESCRIPTOR.replace(".balign 32", ".balign 8");
    let odd = format!("{DESCRIPTOR}.quad 0\n");
    let half = format!("{EXIT_POINT}.quad 0\n");
    let wide = widened(AREA);
    let (beside, also) =
        (AREA.to_owned() + &widened(EMPTY_AREA).replace("area", "other"), PROGRAM.replace("area", "area, other"));
    let twice = format!("{POINTER}.quad descriptor\n");
    let cases: [(&str, [&str; 5], &str); 7] = [
        ("unaligned", [PROGRAM, AREA, &unaligned, POINTER, EXIT_POINT], "is aligned to 32 bytes"),
        ("odd", [PROGRAM, AREA, &odd, POINTER, EXIT_POINT], "something else than descriptors"),
        ("unlisted", [PROGRAM, AREA, DESCRIPTOR, "", EXIT_POINT], "one pointer for each descriptor"),
        ("twice", [PROGRAM, AREA, DESCRIPTOR, &twice, EXIT_POINT], "one pointer for each descriptor"),
        ("half", [PROGRAM, AREA, DESCRIPTOR, POINTER, &half], "something else than pairs"),
        ("wide", [PROGRAM, &wide, DESCRIPTOR, POINTER, EXIT_POINT], "aligned to 64 bytes at most"),
        ("wide-beside", [&also, &beside, DESCRIPTOR, POINTER, EXIT_POINT], "aligned to 64 bytes at most"),
    ];
    for linker in linkers() {
        for (name, parts, expected) in &cases {
            let (_, output) = link(name, &linker, parts, &[RSEQ, STATIC]);
            let messages = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{name} was linked by {}", linker.display());
            assert!(messages.contains(expected), "{name}, {}: {messages}", linker.display());
        }
    }
}

fn widened(area: &str) -> String {
    area.replace(".balign 64", ".balign 256")
}

#[test]
fn what_is_wide_without_a_value_does_not_link() {
    for linker in linkers() {
        // With it, GNU ld would align .tdata like .tbss.
        let tdata = if is_lld(&linker) { TDATA } else { "" };
        let parts = [PROGRAM, tdata, &widened(EMPTY_AREA), DESCRIPTOR, POINTER];
        let (_, output) = link("wide-alone", &linker, &parts, &[RSEQ, STATIC]);
        let messages = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "linked by {}", linker.display());
        assert!(messages.contains("aligned to 64 bytes at most"), "{}: {messages}", linker.display());
    }
}
