//! What a kernel's build needs of this system.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::install::{self, is_program};

/// Programs, and the Debian packages that they come in.
const PROGRAMS: &[Part] = &[
    ("make", "make"),
    ("gcc", "gcc"),
    ("ld", "binutils"),
    ("flex", "flex"),
    ("bison", "bison"),
    ("bc", "bc"),
    ("perl", "perl"),
    ("xz", "xz-utils"),
    ("gzip", "gzip"),
];

/// Headers of libraries for the build's own programs, and their packages.
const HEADERS: &[Part] = &[("gelf.h", "libelf-dev"), ("stdlib.h", "libc6-dev")];

/// Installs what is missing; where that cannot be, says what it is.
pub fn get() -> anyhow::Result<()> {
    let lacking = missing();
    if lacking.is_empty() {
        return Ok(());
    }
    if is_program("apt-get") {
        install::install(&packages(&lacking), None).with_context(|| complaint(&lacking))?;
    }
    let left = missing();
    ensure!(left.is_empty(), complaint(&left));
    Ok(())
}

/// A program or header, and its package.
type Part = (&'static str, &'static str);

fn missing() -> Vec<&'static Part> {
    let programs: Vec<_> = PROGRAMS.iter().filter(|(program, _)| !is_program(program)).collect();
    // Without a compiler nothing can be said of headers.
    let compiler = is_program("gcc");
    let headers: Vec<_> = HEADERS.iter().filter(|(header, _)| !compiler || !has_header(header)).collect();
    programs.into_iter().chain(headers).collect()
}

fn packages(missing: &[&Part]) -> BTreeSet<&'static str> {
    missing.iter().map(|(_, package)| *package).collect()
}

fn complaint(missing: &[&Part]) -> String {
    let names: Vec<_> = missing.iter().map(|(name, _)| *name).collect();
    let packages: Vec<_> = packages(missing).into_iter().collect();
    format!("building a kernel needs {}, missing here (in Debian's {})", names.join(", "), packages.join(", "))
}

fn has_header(name: &str) -> bool {
    let mut gcc = Command::new("gcc");
    gcc.args(["-E", "-x", "c", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut gcc) = gcc.spawn() else { return false };
    let written = gcc.stdin.take().map(|mut stdin| writeln!(stdin, "#include <{name}>"));
    let found = gcc.wait().is_ok_and(|status| status.success());
    found && written.is_some_and(|written| written.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        let text = complaint(&[&("flex", "flex"), &("gelf.h", "libelf-dev"), &("ld", "binutils")]);
        assert!(text.contains("needs flex, gelf.h, ld, missing here"), "{text}");
        assert!(text.ends_with("(in Debian's binutils, flex, libelf-dev)"), "{text}");
    }

    #[test]
    fn headers_are_asked_of_the_compiler() {
        if !is_program("gcc") {
            return crate::skipped("there is no gcc");
        }
        assert!(has_header("stddef.h") && !has_header("no-such-header.h"));
    }
}
