//! Compiling a program of the kernel's, with our headers before its own folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;

use super::programs::Program;
use crate::c::library;
use crate::kernels::machine::Target;
use crate::process::succeed;

/// What programs are compiled from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The workspace.
    pub root: &'a Path,
    /// The kernel's tree.
    pub tree: &'a Path,
}

impl Sources<'_> {
    /// Whether the tree has the program: older ones have fewer.
    pub fn has(&self, program: &Program) -> bool {
        let is_there = self.selftests().join(program.source).is_file();
        if !is_there {
            note!("{}: not in this tree", program.name);
        }
        is_there
    }

    fn selftests(&self) -> PathBuf {
        self.tree.join("tools/testing/selftests")
    }
}

/// A C compiler, and the library that it links with.
pub struct Compiler {
    /// Its name.
    pub name: String,
    /// How it links.
    pub flags: &'static [&'static str],
    /// The folder of the library.
    pub libraries: PathBuf,
}

impl Compiler {
    /// This machine's, for programs that find the shared object.
    pub fn native(libraries: &Path) -> Self {
        Self { name: "cc".into(), flags: &["-g"], libraries: libraries.to_owned() }
    }

    /// The name of the compiler of static programs for a target, as Debian's packages have it.
    pub fn name_for(target: &Target) -> String {
        let triple = target.triple.replace("-unknown", "").replace("riscv64gc", "riscv64").replace("armv7", "arm");
        format!("{triple}-gcc")
    }

    /// The compiler of static programs for a target. They are linked to fixed addresses: the tests' own code takes the
    /// register that position-independent code on s390x needs, and GNU ld warns where it leaves PowerPC's TOC as it is.
    pub fn of_static(target: &Target, libraries: PathBuf) -> Self {
        let flags: &[_] = match target.name {
            "powerpc64le" => &["-static", "-fno-pie", "-no-pie", "-s", "-Wl,--no-toc-optimize"],
            _ => &["-static", "-fno-pie", "-no-pie", "-s"],
        };
        Self { name: Self::name_for(target), flags, libraries }
    }
}

/// Compiles a program into a folder, as its Makefile does.
pub fn build(program: &Program, sources: &Sources<'_>, compiler: &Compiler, folder: &Path) -> anyhow::Result<PathBuf> {
    let include = library::include(sources.root);
    let selftests = sources.selftests();
    let source = selftests.join(program.source);
    let output = folder.join(program.name);
    let mut cc = Command::new(&compiler.name);
    cc.arg("-I").arg(include.join("kernel")).arg("-I").arg(include).args(["-O2", "-w"]).args(compiler.flags);
    cc.arg("-I").arg(source.parent().unwrap_or(sources.tree)).arg("-I").arg(&selftests);
    cc.arg("-I").arg(sources.tree.join("tools/include"));
    // The system's header may be older than the test.
    let linux = folder.join("uapi/linux");
    fs::create_dir_all(&linux)?;
    if fs::copy(sources.tree.join("include/uapi/linux/membarrier.h"), linux.join("membarrier.h")).is_ok() {
        cc.arg("-I").arg(folder.join("uapi"));
    }
    cc.args(program.define.split_whitespace()).arg(&source).arg("-o").arg(&output);
    cc.arg("-L").arg(&compiler.libraries).args(["-lrseq", "-lpthread", "-ldl"]);
    succeed(&mut cc)?;
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::select;

    #[test]
    fn compilers_are_called_as_in_debian() {
        let targets = select::targets();
        let name = |target: &str| Compiler::name_for(targets.iter().find(|known| known.name == target).unwrap());
        assert_eq!(name("x86_64"), "x86_64-linux-gnu-gcc");
        assert_eq!(name("armv7"), "arm-linux-gnueabihf-gcc");
        assert_eq!(name("riscv64"), "riscv64-linux-gnu-gcc");
        assert_eq!(name("mips64r6el"), "mipsisa64r6el-linux-gnuabi64-gcc");
    }
}
