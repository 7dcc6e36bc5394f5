//! Building the library and programs that use it, and running them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::skipped::skipped;

/// Settings that switch glibc's registration on and off.
pub const TUNABLES: [&str; 2] = ["glibc.pthread.rseq=1", "glibc.pthread.rseq=0"];

/// Debian's cross compilers.
pub const CROSS: [&str; 9] = [
    "i686-linux-gnu-gcc",
    "aarch64-linux-gnu-gcc",
    "arm-linux-gnueabihf-gcc",
    "riscv64-linux-gnu-gcc",
    "s390x-linux-gnu-gcc",
    "powerpc64le-linux-gnu-gcc",
    "powerpc64-linux-gnu-gcc",
    "loongarch64-linux-gnu-gcc",
    "mips64el-linux-gnuabi64-gcc",
];

pub fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        skipped(format!("there is no {program}"));
    }
    found
}

#[track_caller]
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}: {text}", output.status);
    output
}

/// Builds the libraries once, and returns their directory.
pub fn libraries() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("library");
        let manifest = package().join("Cargo.toml");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--release", "--package", "rseq-c", "--quiet", "--manifest-path"]).arg(manifest);
        run(cargo.arg("--target-dir").arg(&target));
        let folder = target.join("release");
        fs::copy(folder.join("librseq.so"), folder.join("librseq.so.0")).unwrap();
        folder
    })
}

/// Runs a program with and without glibc's registration. An exit code of 4 is a skip, whose reason it prints.
#[track_caller]
pub fn passes(program: &Path, arguments: [&[&str]; 2]) {
    for (tunable, arguments) in TUNABLES.into_iter().zip(arguments) {
        let mut command = Command::new(program);
        command.args(arguments).env("GLIBC_TUNABLES", tunable).env("LD_LIBRARY_PATH", libraries());
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        match output.status.code() {
            Some(0) => {}
            Some(4) => println!("{}: {text}", program.display()),
            _ => panic!("{} with {tunable}: {}: {text}", program.display(), output.status),
        }
    }
}

pub fn is_cpp(compiler: &str) -> bool {
    compiler.ends_with("++")
}

/// Compiles a program of this package, and returns its path.
pub fn compiled(source: &Path, compiler: &str, flags: &[&str], name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut command = Command::new(compiler);
    command.args(["-Wall", "-Wextra", "-Werror"]).args(flags).arg("-I").arg(package().join("include"));
    if is_cpp(compiler) {
        command.args(["-x", "c++", "-std=c++17"]);
    }
    run(command.arg(source).arg("-o").arg(&program).arg("-L").arg(libraries()).args(["-lrseq", "-lpthread"]));
    program
}
