//! What a guest is started with, and what its machine gives it of that.

use super::accel;
use super::machine::{Machine, Numa};

/// What one guest is started with.
#[derive(Debug, Clone, Default)]
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
}
