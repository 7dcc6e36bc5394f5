//! A C program on the kernel's nolibc, from Debian's package linux-source or from the tree that `RSEQ_KERNEL_SOURCE`
//! names.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

use crate::build::{library, run, scratch, source};
use crate::report::{expect, expect_sections, has_rseq, is_there, skipped, text};

const HEADERS: &str = "tools/include/nolibc";

/// The newest archive of the kernel's source in `/usr/src`.
fn archive() -> Option<PathBuf> {
    let names = fs::read_dir("/usr/src").ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_source = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("linux-source-") && name.ends_with(".tar.xz")
    };
    names.filter(is_source).max()
}

/// The headers, unpacked once.
fn headers() -> Option<PathBuf> {
    let place = env::var_os("RSEQ_KERNEL_SOURCE").map(PathBuf::from).or_else(archive)?;
    if place.is_dir() {
        return Some(place.join(HEADERS));
    }
    let directory = scratch().join("kernel");
    let headers = directory.join(HEADERS);
    if !headers.join("nolibc.h").exists() {
        // A run that is killed while it unpacks leaves only this, and not a part of the headers.
        let part = scratch().join("kernel.part");
        for path in [&part, &directory] {
            let _ = fs::remove_dir_all(path);
        }
        fs::create_dir_all(&part).expect("the target directory is writable");
        let mut tar = Command::new("tar");
        tar.arg("-xf").arg(&place).arg("-C").arg(&part);
        run(tar.args(["--strip-components=1", "--wildcards"]).arg(format!("*/{HEADERS}")));
        fs::rename(&part, &directory).expect("the target directory is writable");
    }
    Some(headers)
}

fn compile(file: &str, headers: Option<&Path>) -> PathBuf {
    let object = scratch().join(file).with_extension("o");
    let mut cc = Command::new("cc");
    cc.args(["-Wall", "-Wextra", "-Werror", "-O2", "-ffreestanding", "-fno-stack-protector", "-fno-pie", "-c"]);
    if let Some(headers) = headers {
        cc.arg("-I").arg(headers);
    }
    run(cc.arg(source(file)).arg("-o").arg(&object));
    object
}

/// The program, or None with the reason on stderr.
fn program() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        if !has_rseq() || !is_there("cc", "gcc") {
            return None;
        }
        let Some(headers) = headers() else {
            skipped("no nolibc: install linux-source-6.12 or later, or name a tree by RSEQ_KERNEL_SOURCE");
            return None;
        };
        let library = library("libworlds.a");
        let program = scratch().join("nolibc");
        let mut cc = Command::new("cc");
        cc.args(["-nostdlib", "-static", "-no-pie", "-o"]).arg(&program);
        run(cc.arg(compile("nolibc.c", Some(&headers))).arg(compile("supply.c", None)).arg(library));
        Some(program)
    };
    BUILT.get_or_init(build).as_deref()
}

#[test]
fn without_a_thread_pointer_the_own_area_is_refused_and_c_registers_its_own() {
    let Some(program) = program() else { return };
    let text = text(Command::new(program).arg("bare"));
    assert!(text.contains("own area: 6\n"), "{text}"); // ENXIO
    let why = "off: this thread has no thread pointer: set up static TLS, or register an area of the program's";
    // A counter works by the own area, which is not there.
    expect_sections(&text, &format!("without TLS: {why}"));
}

#[test]
fn with_static_tls_the_core_registers_its_area_and_children_inherit_it() {
    let Some(program) = program() else { return };
    let text = text(Command::new(program).arg("tls"));
    assert!(text.contains("a child: on: this program registers threads"), "{text}");
    assert!(text.contains("released: off: the libc registers no threads"), "{text}");
    expect(&text, "with TLS: on: this program registers threads");
}
