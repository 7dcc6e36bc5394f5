//! A kernel from elsewhere: an image, or the tree that one was built in.

use std::path::{Path, PathBuf};

use anyhow::Context;
use fs_err as fs;
use fs_err::os::unix::fs::symlink;

use super::cache::{KERNEL, Slot, names};
use super::machine::Machine;

/// Where a build leaves images that QEMU's boards boot, by Debian's name of the architecture; the first that is there
/// is taken.
const IMAGES: &[(&str, &[&str])] = &[
    ("amd64", &["arch/x86/boot/bzImage"]),
    ("i386", &["arch/x86/boot/bzImage"]),
    ("arm64", &["arch/arm64/boot/Image"]),
    ("armhf", &["arch/arm/boot/zImage"]),
    ("riscv64", &["arch/riscv/boot/Image"]),
    ("s390x", &["arch/s390/boot/bzImage"]),
    ("ppc64el", &["vmlinux"]),
    ("loong64", &["arch/loongarch/boot/vmlinux.elf", "vmlinux"]),
    ("mips64el", &["vmlinux"]),
];
const RELEASE: &str = "include/config/kernel.release";
const DEVICE_TREES: &str = "arch/mips/boot/dts";

/// A kernel that is not the table's.
#[derive(Debug)]
pub struct Image {
    /// The image.
    pub kernel: PathBuf,
    /// Its release, where its tree says it.
    pub release: Option<String>,
    /// Where its modules are, if it has a tree.
    pub modules: Option<Slot>,
}

impl Image {
    /// An image alone.
    pub fn alone(kernel: &Path) -> Self {
        Self { kernel: kernel.to_owned(), release: None, modules: None }
    }

    /// What was built in `tree` for a machine, gathered by links in the directory `into`, which is made anew.
    pub fn of_tree(tree: &Path, machine: &Machine, into: &Path) -> anyhow::Result<Self> {
        let tree = fs::canonicalize(tree)?;
        let images = IMAGES.iter().find(|(debian, _)| *debian == machine.debian).map_or(&[][..], |(_, paths)| paths);
        let image = images.iter().map(|path| tree.join(path)).find(|path| path.is_file()).with_context(|| {
            format!("{} has no {} for {}: build it first", tree.display(), images.join(" or "), machine.name)
        })?;
        let release = fs::read_to_string(tree.join(RELEASE)).ok().map(|text| text.trim().to_owned());
        let _ = fs::remove_dir_all(into);
        fs::create_dir_all(into.join("mods"))?;
        symlink(image, into.join(KERNEL))?;
        for name in machine.modules {
            if let Some(module) = module(&tree, name) {
                symlink(module, into.join("mods").join(format!("{name}.ko")))?;
            }
        }
        if !machine.device_tree.is_empty() {
            let places = below(&tree.join(DEVICE_TREES));
            let found = places.iter().map(|place| place.join(machine.device_tree)).find(|path| path.is_file());
            let found = found.with_context(|| format!("{} has no {}", tree.display(), machine.device_tree))?;
            symlink(found, into.join(machine.device_tree))?;
        }
        Ok(Self { kernel: into.join(KERNEL), release, modules: Some(Slot::at(into)) })
    }
}

/// A module's file: KVM's are in an architecture's `kvm`, and in `virt`.
fn module(tree: &Path, name: &str) -> Option<PathBuf> {
    let arches = below(&tree.join("arch")).into_iter().map(|arch| arch.join("kvm"));
    let places = arches.chain([tree.join("virt/lib"), tree.join("virt/kvm")]);
    places.map(|place| place.join(format!("{name}.ko"))).find(|path| path.is_file())
}

fn below(directory: &Path) -> Vec<PathBuf> {
    names(directory).iter().map(|name| directory.join(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::catalog::{MACHINES, find};
    use crate::scratch::Scratch;

    #[test]
    fn a_trees_image_release_and_modules_are_found() {
        let scratch = Scratch::new().unwrap();
        let tree = scratch.join("tree");
        for directory in ["arch/x86/boot", "arch/x86/kvm", "virt/lib", "include/config"] {
            fs::create_dir_all(tree.join(directory)).unwrap();
        }
        let missing = Image::of_tree(&tree, find("x86_64").unwrap(), &scratch.join("got")).unwrap_err().to_string();
        assert!(missing.contains("has no arch/x86/boot/bzImage for x86_64"), "{missing}");
        fs::write(tree.join("arch/x86/boot/bzImage"), "image").unwrap();
        fs::write(tree.join(RELEASE), "7.3.0-rc1\n").unwrap();
        fs::write(tree.join("arch/x86/kvm/kvm.ko"), "module").unwrap();
        fs::write(tree.join("virt/lib/irqbypass.ko"), "other").unwrap();
        let image = Image::of_tree(&tree, find("x86_64").unwrap(), &scratch.join("got")).unwrap();
        assert_eq!(fs::read_to_string(&image.kernel).unwrap(), "image");
        assert_eq!(image.release.as_deref(), Some("7.3.0-rc1"));
        let modules = image.modules.unwrap();
        assert_eq!(fs::read_to_string(modules.module("irqbypass").unwrap()).unwrap(), "other");
        assert!(modules.module("kvm").is_some() && modules.module("kvm-amd").is_none());
        assert!(Image::of_tree(&tree, find("s390x").unwrap(), &scratch.join("got")).is_err());
    }

    #[test]
    fn every_machine_has_a_place_for_its_image() {
        for machine in MACHINES {
            assert!(IMAGES.iter().any(|(debian, _)| *debian == machine.debian), "{}", machine.name);
        }
    }
}
