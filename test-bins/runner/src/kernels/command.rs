//! QEMU's command line for a machine.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::hardware::Hardware;
use super::machine::{Initramfs, Machine};

/// What one guest boots.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// The kernel.
    pub kernel: &'a Path,
    /// The initramfs.
    pub initramfs: &'a Path,
    /// The initramfs's length in bytes.
    pub length: usize,
}

impl Machine {
    /// QEMU's command line.
    pub fn command(&self, hardware: &Hardware, files: &Files<'_>) -> Command {
        let mut command = Command::new(self.qemu);
        let board = if hardware.kvm && !self.kvm_board.is_empty() { self.kvm_board } else { self.board };
        let cpus = self.cpus(hardware);
        let accelerated = self.is_accelerated(hardware);
        // KVM has the host's CPU, whatever the board names.
        command.args(board).args(["-cpu", "host"].iter().filter(|_| accelerated)).arg("-smp").arg(cpus.to_string());
        let accel = match self.threads(hardware) {
            _ if accelerated => "kvm",
            1 => "tcg,thread=single",
            _ => "tcg,thread=multi",
        };
        command.args(["-accel", accel, "-m"]).arg(self.memory(hardware).to_string());
        command.args(["-display", "none", "-nodefaults", "-no-user-config", "-no-reboot", "-monitor", "none"]);
        command.args(["-serial", "stdio"]).args(self.nodes(hardware));
        command.arg("-kernel").arg(files.kernel);
        if !self.device_tree.is_empty() {
            command.arg("-dtb").arg(files.kernel.with_file_name(self.device_tree));
        }
        let place = match self.initramfs {
            Initramfs::Board => {
                command.arg("-initrd").arg(files.initramfs);
                String::new()
            }
            Initramfs::At(address) => {
                command.arg("-device").arg(loader(files.initramfs, address));
                format!("rd_start={:#x} rd_size={}", UNMAPPED + u64::from(address), files.length)
            }
        };
        command.arg("-append").arg(self.words(&place, hardware));
        command
    }

    fn words(&self, place: &str, hardware: &Hardware) -> String {
        let console = format!("console={}", self.console);
        let words = [console.as_str(), "panic=-1 quiet loglevel=3", place, self.append, &hardware.append];
        words.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join(" ")
    }

    fn nodes(&self, hardware: &Hardware) -> Vec<OsString> {
        let nodes = hardware.nodes;
        if nodes <= 1 {
            return Vec::new();
        }
        let (cpus, all) = (self.cpus(hardware), self.memory(hardware));
        let each = match all / nodes / BLOCK * BLOCK {
            0 => all / nodes,
            blocks => blocks,
        };
        let mut words = Vec::new();
        for node in 0..nodes {
            // QEMU wants all of it on nodes: the last one takes what cannot be shared.
            let memory = if node + 1 == nodes { all - node * each } else { each };
            let (first, last) = (node * cpus / nodes, (node + 1) * cpus / nodes - 1);
            words.extend(["-object".to_owned(), format!("memory-backend-ram,id=m{node},size={memory}M")]);
            words.extend(["-numa".to_owned(), format!("node,nodeid={node},memdev=m{node},cpus={first}-{last}")]);
        }
        words.into_iter().map(OsString::from).collect()
    }
}

/// MiB of which a node of PowerPC's board has a multiple.
const BLOCK: u32 = 256;

/// Where a 64-bit MIPS kernel sees the first half GiB of memory, cached and unmapped.
const UNMAPPED: u64 = 0xffff_ffff_8000_0000;

/// QEMU's device that fills memory from a file; a comma would part its options.
fn loader(file: &Path, address: u32) -> OsString {
    let mut words = OsString::from("loader,file=");
    words.push(file.to_string_lossy().replace(',', ",,"));
    words.push(format!(",addr={address:#x},force-raw=on"));
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::catalog::{self, MACHINES};

    fn machine(name: &str) -> &'static Machine {
        catalog::find(name).unwrap()
    }

    fn line(name: &str, hardware: &Hardware) -> String {
        let files = Files { kernel: "k/K".as_ref(), initramfs: "I,J".as_ref(), length: 7 };
        let command = machine(name).command(hardware, &files);
        command.get_args().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    fn hardware(cpus: u32, nodes: u32) -> Hardware {
        Hardware { cpus, nodes, cores: 4, ..Hardware::default() }
    }

    #[test]
    fn cpus_and_memory_are_spread_over_the_nodes() {
        let line = line("x86_64", &hardware(5, 2));
        assert!(line.contains("-numa node,nodeid=0,memdev=m0,cpus=0-1"), "{line}");
        assert!(line.contains("-numa node,nodeid=1,memdev=m1,cpus=2-4"), "{line}");
        assert!(line.contains("id=m1,size=256M") && line.contains("-smp 5"), "{line}");
    }

    #[test]
    fn nodes_have_all_of_the_memory() {
        let sizes = |name: &str, nodes, memory| {
            let line = line(name, &Hardware { memory, ..hardware(4, nodes) });
            let sizes = line.split("size=").skip(1).map(|rest| rest.split('M').next().unwrap().parse().unwrap());
            sizes.collect::<Vec<u32>>()
        };
        assert_eq!(sizes("x86_64", 3, None), [170, 170, 172]);
        assert_eq!(sizes("x86_64", 4, Some(1023)), [255, 255, 255, 258]);
        assert_eq!(sizes("powerpc64le", 3, None), [256, 256, 512]);
        assert_eq!(sizes("powerpc64le", 4, None), [256; 4]);
    }

    #[test]
    fn what_a_board_cannot_do_is_said_or_cut() {
        assert!(machine("s390x").refuses(&hardware(4, 2)).unwrap().contains("no NUMA"));
        assert!(machine("x86_64").refuses(&hardware(1, 2)).unwrap().contains("as many CPUs"));
        assert_eq!(machine("x86_64").refuses(&hardware(2, 2)), None);
        assert!(line("mips64el", &hardware(4, 0)).contains("-smp 1 "));
    }

    #[test]
    fn more_cpus_than_cores_share_a_thread_and_may_come_and_go() {
        for (cpus, threads, hotplugs) in
            [(1, "single", true), (2, "multi", true), (4, "multi", false), (5, "single", true)]
        {
            let hardware = hardware(cpus, 0);
            assert!(line("s390x", &hardware).contains(&format!("-accel tcg,thread={threads} ")), "{cpus}");
            assert_eq!(machine("s390x").hotplugs(&hardware), hotplugs, "{cpus}");
            assert_eq!(machine("s390x").threads(&hardware), if threads == "multi" { cpus } else { 1 });
        }
        assert!(!machine("mips64r6el").hotplugs(&hardware(2, 0)));
        assert!(machine("mips64r6el").hotplugs(&hardware(1, 0)));
        assert!(line("armv7", &hardware(8, 0)).contains("-smp 4 -accel tcg,thread=multi "));
        let together = Hardware { together: true, ..hardware(2, 0) };
        assert!(line("x86_64", &together).contains("-smp 2 -accel tcg,thread=single "));
        assert!(
            line("s390x", &together).contains("-smp 2 -accel tcg,thread=multi "),
            "programs that spin do not give way"
        );
    }

    #[test]
    fn guests_of_the_hosts_kind_get_its_cpus() {
        let hardware = Hardware { accel: true, memory: Some(64), ..hardware(8, 0) };
        let own = line(std::env::consts::ARCH, &hardware);
        assert!(own.contains(" -cpu host -smp 8 -accel kvm -m 64 "), "{own}");
        let other = line("s390x", &hardware);
        assert!(other.contains("-accel tcg,thread=single -m 64 "), "{other}");
        assert!(!machine("s390x").is_accelerated(&hardware) && machine(std::env::consts::ARCH).hotplugs(&hardware));
    }

    #[test]
    fn the_kernel_gets_its_console_and_the_users_words() {
        let with = Hardware { append: "rseq_debug=1 x=y".into(), kvm: true, ..hardware(2, 0) };
        let line = line("aarch64", &with);
        assert!(line.contains("virtualization=on"), "{line}");
        assert!(line.contains("-kernel k/K -initrd I,J -append"), "{line}");
        assert!(line.ends_with("-append console=ttyAMA0 panic=-1 quiet loglevel=3 rseq_debug=1 x=y"), "{line}");
    }

    #[test]
    fn kernels_for_x86_do_not_check_an_emulated_timer() {
        let names = MACHINES.iter().filter(|machine| ["amd64", "i386"].contains(&machine.debian));
        for name in names.map(|machine| machine.name) {
            assert!(line(name, &hardware(2, 0)).ends_with(" no_timer_check"), "{name}");
        }
    }

    #[test]
    fn a_board_without_firmware_gets_device_tree_and_initramfs_by_other_ways() {
        let line = line("mips64r6el", &hardware(2, 0));
        assert!(line.contains("-dtb k/boston.dtb -device loader,file=I,,J,addr=0x8000000,force-raw=on"), "{line}");
        assert!(line.contains("rd_start=0xffffffff88000000 rd_size=7 ") && !line.contains("-initrd"), "{line}");
    }
}
