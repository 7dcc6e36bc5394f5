//! `kvm/rseq_test`, which needs a library of the kernel's selftests, and includes `../rseq/rseq.c` as text: it is
//! compiled by a link to it, next to which that name is a file of ours.

use std::env::consts::ARCH;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::library;
use super::{at, succeed};

/// Flags of the selftests' own Makefile, and headers of the tree where the system's are older.
const FLAGS: [&str; 14] = [
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
    "-march=x86-64-v2",
];

/// Builds the test from a tree. Only for x86-64.
pub fn build(tree: &Path, root: &Path, scratch: &Path) -> Result<PathBuf, String> {
    if ARCH != "x86_64" {
        return Err("kvm/rseq_test is built for x86-64 only".into());
    }
    let folder = scratch.join("kvm");
    let kvm = tree.join("tools/testing/selftests/kvm");
    let _ = fs::remove_dir_all(&folder);
    let links = [
        (kvm.join("rseq_test.c"), "kvm/rseq_test.c"),
        (library::include(root).join("kernel/rseq.c"), "rseq/rseq.c"),
        (tree.join("tools/include/uapi/linux/kvm.h"), "include/linux/kvm.h"),
        (tree.join("tools/arch/x86/include/uapi/asm/kvm.h"), "include/asm/kvm.h"),
    ];
    for (to, name) in links {
        let from = folder.join(name);
        let parent = from.parent().unwrap_or(&folder);
        at(parent, fs::create_dir_all(parent))?;
        at(&from, symlink(to, &from))?;
    }
    let objects = objects(tree, &kvm, &folder)?;
    let output = scratch.join("rseq_test");
    let mut cc = compiler(tree, &kvm, &folder);
    cc.arg("-I").arg(library::include(root).join("kernel")).arg("-I").arg(library::include(root));
    cc.arg("-I").arg(kvm.join("../rseq")).arg(folder.join("kvm/rseq_test.c")).args(objects).arg("-no-pie");
    cc.arg("-L").arg(scratch.join("lib")).args(["-lrseq", "-lpthread", "-o"]).arg(&output);
    succeed(&mut cc)?;
    Ok(output)
}

/// The library of the kernel's selftests of KVM.
fn objects(tree: &Path, kvm: &Path, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut objects = Vec::new();
    for part in ["lib", "lib/x86"] {
        let path = kvm.join(part);
        for entry in at(&path, fs::read_dir(&path))? {
            let source = at(&path, entry)?.path();
            let name = source.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if ![".c", ".S"].iter().any(|end| name.ends_with(end)) {
                continue;
            }
            let object = folder.join(format!("{}-{name}.o", part.replace('/', "-")));
            let mut cc = compiler(tree, kvm, folder);
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

fn compiler(tree: &Path, kvm: &Path, folder: &Path) -> Command {
    let mut cc = Command::new("cc");
    cc.args(FLAGS);
    for include in [
        tree.join("tools/include"),
        tree.join("tools/arch/x86/include"),
        folder.join("include"),
        kvm.join("include"),
        kvm.join("include/x86"),
        kvm.join("lib"),
        kvm.join(".."),
    ] {
        cc.arg("-I").arg(include);
    }
    cc
}
