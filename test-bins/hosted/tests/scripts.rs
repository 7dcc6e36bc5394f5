//! What the linker scripts keep and refuse, on small objects, by each linker that is here.
#![cfg(all(target_os = "linux", target_pointer_width = "64", not(target_arch = "arm")))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use object::{Object, ObjectSection};

/// A live section: the program refers to its descriptor and to nothing else of it.
const DESCRIPTOR: &str =
    ".section __rseq_cs, \"aw\"\n.balign 32\ndescriptor: .long 0, 0\n.quad _start, 8, _start + 8\n";
const POINTER: &str = ".section __rseq_cs_ptr_array, \"aw\"\n.balign 8\n.quad descriptor\n";
const EXIT_POINT: &str = ".section __rseq_exit_point_array, \"aw\"\n.balign 8\n.quad _start, _start + 8\n";
const AREA: &str = ".section .tdata, \"awT\"\n.balign 64\narea: .zero 64\n";
const PROGRAM: &str = ".section .text._start, \"ax\"\n.globl _start\n_start: .quad descriptor, area\n";

const RSEQ: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../linker/rseq.ld");
const STATIC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../linker/static.ld");

/// GNU ld and lld, as far as they are here.
fn linkers() -> Vec<PathBuf> {
    let rust_lld = Command::new("rustc").args(["--print", "sysroot"]).output().ok().map(|output| {
        let root = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        root.join(format!("lib/rustlib/{}-unknown-linux-gnu/bin/gcc-ld/ld.lld", std::env::consts::ARCH))
    });
    let lld = rust_lld.filter(|path| path.is_file()).unwrap_or_else(|| "ld.lld".into());
    let is_here = |linker: &PathBuf| {
        let here = Command::new(linker).arg("--version").stdout(Stdio::null()).status().is_ok();
        if !here {
            eprintln!("skipped: {} is not installed", linker.display());
        }
        here
    };
    [PathBuf::from("ld.bfd"), lld].into_iter().filter(is_here).collect()
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

#[test]
fn a_section_without_exits_links() {
    for linker in linkers() {
        let (program, output) = link("no-exits", &linker, &[PROGRAM, AREA, DESCRIPTOR, POINTER], &[RSEQ]);
        assert!(output.status.success(), "{}: {}", linker.display(), String::from_utf8_lossy(&output.stderr));
        assert_eq!(sizes(&program), [32, 8, 0]);
    }
}

#[test]
fn what_is_wrong_does_not_link() {
    let unaligned = DESCRIPTOR.replace(".balign 32", ".balign 8");
    let odd = format!("{DESCRIPTOR}.quad 0\n");
    let half = format!("{EXIT_POINT}.quad 0\n");
    let wide = AREA.replace(".balign 64", ".balign 128");
    let twice = format!("{POINTER}.quad descriptor\n");
    let cases: [(&str, [&str; 5], &str); 6] = [
        ("unaligned", [PROGRAM, AREA, &unaligned, POINTER, EXIT_POINT], "is aligned to 32 bytes"),
        ("odd", [PROGRAM, AREA, &odd, POINTER, EXIT_POINT], "something else than descriptors"),
        ("unlisted", [PROGRAM, AREA, DESCRIPTOR, "", EXIT_POINT], "one pointer for each descriptor"),
        ("twice", [PROGRAM, AREA, DESCRIPTOR, &twice, EXIT_POINT], "one pointer for each descriptor"),
        ("half", [PROGRAM, AREA, DESCRIPTOR, POINTER, &half], "something else than pairs"),
        ("wide", [PROGRAM, &wide, DESCRIPTOR, POINTER, EXIT_POINT], "aligned to 64 bytes at most"),
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
