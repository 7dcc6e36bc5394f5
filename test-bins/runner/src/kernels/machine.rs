//! What a machine of the catalog is, and QEMU's command line for it.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::accel;
use super::catalog::Kernels;
use super::version::Version;

/// An emulated machine and the kernels that boot on it.
#[derive(Debug)]
pub struct Machine {
    /// For `--arch`, rows and directories.
    pub name: &'static str,
    /// Debian's name of the architecture.
    pub debian: &'static str,
    /// The end of the kernel packages' names.
    pub flavour: &'static str,
    /// QEMU's program.
    pub qemu: &'static str,
    /// The package with that program.
    pub package: &'static str,
    /// QEMU's board and CPU.
    pub board: &'static [&'static str],
    /// The same where guests are to have KVM; empty: no difference.
    pub kvm_board: &'static [&'static str],
    /// The device tree that the board needs, in the kernel's package; kept beside the kernel. Empty: the board makes
    /// its own.
    pub device_tree: &'static str,
    /// How the kernel gets its initramfs.
    pub initramfs: Initramfs,
    /// The serial console's device.
    pub console: &'static str,
    /// More words for the kernel's command line.
    pub append: &'static str,
    /// MiB.
    pub memory: u32,
    /// CPUs that the kernel brings up here.
    pub max_cpus: u32,
    /// Whether it gets on with more CPUs than the host has cores: whether QEMU gives way to the next one where its
    /// kernel waits.
    pub gives_way: bool,
    /// Whether it also does where a program spins, as at x86's `pause`.
    pub spinning_gives_way: bool,
    /// Whether it can have several nodes.
    pub numa: Numa,
    /// With more threads than these QEMU hangs now and then as a CPU is taken offline and back.
    pub hotplug_threads: u32,
    /// Whether its kernels enter by the code that architectures share, of which 6.19's and 7.0's ways to update
    /// registrations are a part.
    pub generic_entry: bool,
    /// KVM's modules, in loading order; without `.ko`.
    pub modules: &'static [&'static str],
    /// The binaries that its kernels run: its own first.
    pub targets: &'static [Target],
    /// Its kernels, oldest first.
    pub kernels: Kernels,
    /// Whether it has other kernels for the boards of another machine, and is chosen by its own name, not by its
    /// architecture's.
    pub variant: bool,
}

/// Whether a machine can have several nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numa {
    /// CPUs and memory are spread over them.
    Cpus,
    /// It has one.
    None,
}

/// How a kernel gets its initramfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initramfs {
    /// From the board.
    Board,
    /// It lies at this physical address, of which a MIPS kernel is told on its command line.
    At(u32),
}

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

/// What binaries are built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The short name.
    pub name: &'static str,
    /// Rust's name.
    pub triple: &'static str,
}

impl Target {
    /// A target by its two names.
    pub const fn new(name: &'static str, triple: &'static str) -> Self {
        Self { name, triple }
    }
}

/// What one guest is started with.
#[derive(Debug, Clone)]
pub struct Hardware {
    /// CPUs asked for.
    pub cpus: u32,
    /// NUMA nodes; 0 or 1 for none.
    pub nodes: u32,
    /// Cores of the host.
    pub cores: u32,
    /// Whether other guests run beside it.
    pub together: bool,
    /// MiB of memory, in place of the machine's own.
    pub memory: Option<u32>,
    /// Whether guests of the host's kind run on its CPUs.
    pub accel: bool,
    /// Whether the guest is to have KVM.
    pub kvm: bool,
    /// The user's words for the kernel's command line.
    pub append: String,
}

impl Hardware {
    /// The most CPUs that are threads of their own: as many as cores, and two on any host.
    fn abreast(&self) -> u32 {
        self.cores.max(2)
    }
}

impl Machine {
    /// Whether its guests run on the host's CPUs, under KVM.
    pub fn is_accelerated(&self, hardware: &Hardware) -> bool {
        hardware.accel && accel::is_of_host(self.debian)
    }

    /// MiB of memory.
    pub fn memory(&self, hardware: &Hardware) -> u32 {
        hardware.memory.unwrap_or(self.memory)
    }

    /// The CPUs that it gets of those asked for.
    pub fn cpus(&self, hardware: &Hardware) -> u32 {
        let any = self.gives_way || self.is_accelerated(hardware);
        let most = if any { self.max_cpus } else { hardware.abreast().min(self.max_cpus) };
        hardware.cpus.min(most)
    }

    /// The threads of QEMU's that its CPUs are. In one thread for all of them, a CPU that waits for a lock gives way to
    /// the one that is next; in threads of which the host runs a few at a time, a queue of CPUs hardly moves. What the
    /// whole suite takes two cores, in seconds a cell:
    ///
    /// | | alone, two threads | one of two guests, two threads each | one of two guests, one thread each |
    /// |---|---|---|---|
    /// | x86_64 6.12 | 66 | 75 | 46 |
    /// | aarch64 6.1 | 62 | 66 | 106 |
    /// | s390x 6.1 and 6.12 | | 69 | 167, and tests that time out |
    pub fn threads(&self, hardware: &Hardware) -> u32 {
        let cpus = self.cpus(hardware);
        let is_crowded = cpus > hardware.abreast() || hardware.together && self.spinning_gives_way;
        if is_crowded && !self.is_accelerated(hardware) { 1 } else { cpus }
    }

    /// Whether a CPU that was taken offline comes back each time.
    pub fn hotplugs(&self, hardware: &Hardware) -> bool {
        self.is_accelerated(hardware) || self.threads(hardware) <= self.hotplug_threads
    }

    /// What registrations are to the distribution's kernel of this line (of 7.0 the last one: the first had not got
    /// V2).
    pub fn generation(&self, line: &str) -> &'static str {
        match Version::of(line) {
            line if !self.generic_entry || line < Version::of("6.19") => "legacy",
            line if line < Version::of("7.0") => "optimised",
            _ => "v2",
        }
    }

    /// Why it cannot be like this, if it cannot.
    pub fn refuses(&self, hardware: &Hardware) -> Option<String> {
        if hardware.nodes <= 1 {
            return None;
        }
        match self.numa {
            Numa::None => Some(format!("{} has no NUMA nodes in QEMU", self.name)),
            Numa::Cpus if hardware.nodes > self.cpus(hardware) => {
                Some(format!("{} nodes need as many CPUs", hardware.nodes))
            }
            Numa::Cpus => None,
        }
    }

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
        let (cpus, memory) = (self.cpus(hardware), self.memory(hardware) / nodes);
        let mut words = Vec::new();
        for node in 0..nodes {
            let (first, last) = (node * cpus / nodes, (node + 1) * cpus / nodes - 1);
            words.extend(["-object".to_owned(), format!("memory-backend-ram,id=m{node},size={memory}M")]);
            words.extend(["-numa".to_owned(), format!("node,nodeid={node},memdev=m{node},cpus={first}-{last}")]);
        }
        words.into_iter().map(OsString::from).collect()
    }
}

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
    use crate::kernels::catalog::MACHINES;

    fn machine(name: &str) -> &'static Machine {
        MACHINES.iter().find(|machine| machine.name == name).unwrap()
    }

    fn line(name: &str, hardware: &Hardware) -> String {
        let files = Files { kernel: "k/K".as_ref(), initramfs: "I,J".as_ref(), length: 7 };
        let command = machine(name).command(hardware, &files);
        command.get_args().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    fn hardware(cpus: u32, nodes: u32) -> Hardware {
        Hardware {
            cpus,
            nodes,
            cores: 4,
            together: false,
            memory: None,
            accel: false,
            kvm: false,
            append: String::new(),
        }
    }

    #[test]
    fn cpus_and_memory_are_spread_over_the_nodes() {
        let line = line("x86_64", &hardware(5, 2));
        assert!(line.contains("-numa node,nodeid=0,memdev=m0,cpus=0-1"), "{line}");
        assert!(line.contains("-numa node,nodeid=1,memdev=m1,cpus=2-4"), "{line}");
        assert!(line.contains("id=m1,size=256M") && line.contains("-smp 5"), "{line}");
    }

    #[test]
    fn registrations_are_of_the_kernels_generation() {
        let generations =
            ["6.1", "6.18", "6.19", "7.0", "7.3", "7.2-slice"].map(|line| machine("x86_64").generation(line));
        assert_eq!(generations, ["legacy", "legacy", "optimised", "v2", "v2", "v2"]);
        assert_eq!(machine("armv7").generation("7.2"), "legacy");
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
