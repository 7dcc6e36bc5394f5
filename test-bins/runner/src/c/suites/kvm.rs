//! `kvm/rseq_test`, which needs a library of the kernel's selftests, and includes `../rseq/rseq.c` as text: it is
//! compiled by a link to it, next to which that name is a file of ours.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use fs_err::os::unix::fs::symlink;
use fs_err::{self as fs, File};

use super::compile::{Compiler, Sources};
use crate::c::library;
use crate::process::succeed;

/// Flags of the selftests' own Makefile.
const FLAGS: [&str; 13] = [
    "-O2",
    "-g",
    "-w",
    "-std=gnu99",
    "-U_FORTIFY_SOURCE",
    "-fno-builtin-memcmp",
    "-fno-builtin-memcpy",
    "-fno-builtin-memset",
    "-fno-builtin-strnlen",
    "-fno-stack-protector",
    "-fno-PIE",
    "-fno-strict-aliasing",
    "-DCONFIG_64BIT",
];

/// An architecture that the selftests of KVM have this test for.
struct Arch {
    /// The target of the compiler.
    target: &'static str,
    /// The kernel's name.
    kernel: &'static str,
    /// Flags of its own.
    flags: &'static [&'static str],
}

const ARCHES: [Arch; 3] = [
    Arch { target: "x86_64", kernel: "x86", flags: &["-march=x86-64-v2"] },
    Arch { target: "aarch64", kernel: "arm64", flags: &[] },
    Arch { target: "riscv64", kernel: "riscv", flags: &[] },
];

/// Whether the test can be built for a target. QEMU emulates no virtualization of s390x, which has it too.
pub fn has(target: &str) -> bool {
    ARCHES.iter().any(|arch| arch.target == target)
}

/// Builds the test for a target into a folder.
pub fn build(sources: &Sources<'_>, target: &str, compiler: &Compiler, scratch: &Path) -> anyhow::Result<PathBuf> {
    let arch = ARCHES.iter().find(|arch| arch.target == target);
    let arch = arch.with_context(|| format!("kvm/rseq_test is not for {target}"))?;
    let (tree, include) = (sources.tree, library::include(sources.root));
    let folder = scratch.join("kvm");
    let kvm = tree.join("tools/testing/selftests/kvm");
    let _ = fs::remove_dir_all(&folder);
    let links = [
        (kvm.join("rseq_test.c"), "kvm/rseq_test.c"),
        (include.join("kernel/rseq.c"), "rseq/rseq.c"),
        (tree.join("tools/include/uapi/linux/kvm.h"), "include/linux/kvm.h"),
        (tree.join(format!("arch/{}/include/uapi/asm/kvm.h", arch.kernel)), "include/asm/kvm.h"),
    ];
    for (to, name) in links {
        let from = folder.join(name);
        let parent = from.parent().unwrap_or(&folder);
        fs::create_dir_all(parent)?;
        symlink(to, &from)?;
    }
    if arch.kernel == "arm64" {
        system_registers(tree, &folder.join("include/asm/sysreg-defs.h"))?;
    }
    let cc = || command(arch, compiler, tree, &folder);
    let objects = objects(arch, &cc, &kvm, &folder)?;
    let output = scratch.join("rseq_test");
    let mut cc = cc();
    cc.arg("-I").arg(include.join("kernel")).arg("-I").arg(include);
    cc.arg("-I").arg(kvm.join("../rseq")).arg(folder.join("kvm/rseq_test.c")).args(objects);
    // The selftests have string functions of their own, with the names of a static libc's.
    cc.args(compiler.flags).args(["-no-pie", "-Wl,-z,muldefs"]).arg("-L").arg(&compiler.libraries);
    cc.args(["-lrseq", "-lpthread", "-ldl", "-o"]).arg(&output);
    succeed(&mut cc)?;
    Ok(output)
}

/// Writes the header that the kernel makes from its table of system registers.
fn system_registers(tree: &Path, header: &Path) -> anyhow::Result<()> {
    let tools = tree.join("arch/arm64/tools");
    let mut awk = Command::new("awk");
    awk.arg("-f").arg(tools.join("gen-sysreg.awk")).arg(tools.join("sysreg"));
    Ok(succeed(awk.stdout(File::create(header)?.into_file()))?)
}

/// The library of the kernel's selftests of KVM.
fn objects(arch: &Arch, cc: &dyn Fn() -> Command, kvm: &Path, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut objects = Vec::new();
    for part in ["lib", &format!("lib/{}", arch.kernel)] {
        let path = kvm.join(part);
        for entry in fs::read_dir(&path)? {
            let source = entry?.path();
            let name = source.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if ![".c", ".S"].iter().any(|end| name.ends_with(end)) {
                continue;
            }
            let object = folder.join(format!("{}-{name}.o", part.replace('/', "-")));
            let mut cc = cc();
            cc.args(["-D_GNU_SOURCE", "-c"]).arg(&source).arg("-o").arg(&object);
            if name == "string_override.c" {
                cc.arg("-ffreestanding");
            }
            succeed(&mut cc)?;
            objects.push(object);
        }
    }
    Ok(objects)
}

/// The compiler with the selftests' flags, and headers of the tree where the system's are older.
fn command(arch: &Arch, compiler: &Compiler, tree: &Path, folder: &Path) -> Command {
    let kvm = tree.join("tools/testing/selftests/kvm");
    let mut cc = Command::new(&compiler.name);
    cc.args(FLAGS).args(arch.flags);
    for include in [
        tree.join("tools/include"),
        tree.join(format!("tools/arch/{}/include", arch.kernel)),
        folder.join("include"),
        kvm.join("include"),
        kvm.join("include").join(arch.kernel),
        kvm.join("lib"),
        kvm.join(".."),
    ] {
        cc.arg("-I").arg(include);
    }
    cc
}
