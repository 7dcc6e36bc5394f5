//! What a machine of the catalog is.

use super::version::Version;

/// Kernel versions and the suites that hold them, tried in order.
pub type Kernels = &'static [(&'static str, &'static [&'static str])];

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

impl Machine {
    /// What registrations are to the distribution's kernel of this line (of 7.0 the last one: the first had not got
    /// V2).
    pub fn generation(&self, line: &str) -> &'static str {
        match Version::of(line) {
            line if !self.generic_entry || line < Version::of("6.19") => "legacy",
            line if line < Version::of("7.0") => "optimised",
            _ => "v2",
        }
    }
}
