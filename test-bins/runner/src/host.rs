//! The machine that measures, and when it does.

use std::fs;
use std::thread::available_parallelism;
use std::time::SystemTime;

use serde::Serialize;

/// What results depend on.
#[derive(Debug, Clone, Serialize)]
pub struct Host {
    /// The processor's model.
    pub cpu: String,
    /// How many CPUs this process may use.
    pub cpus: u32,
    /// The kernel's release.
    pub kernel: String,
    /// The architecture.
    pub arch: &'static str,
    /// The day and time (UTC).
    pub date: String,
}

impl Host {
    /// This machine, now.
    pub fn here() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
        Self {
            cpu: model(&read("/proc/cpuinfo")).unwrap_or("unknown processor").to_owned(),
            cpus: available_parallelism().map_or(1, |cpus| cpus.get() as u32),
            kernel: if kernel.is_empty() { "of unknown release".into() } else { kernel },
            arch: std::env::consts::ARCH,
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        }
    }

    /// The machine in a line.
    pub fn line(&self) -> String {
        let cpus = if self.cpus == 1 { "1 CPU".into() } else { format!("{} CPUs", self.cpus) };
        format!("{}, {cpus}, {}, Linux {}", self.cpu, self.arch, self.kernel)
    }
}

/// The model by `/proc/cpuinfo`, whose keys differ by architecture.
fn model(cpuinfo: &str) -> Option<&str> {
    let value = |key: &str| {
        let mut pairs = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        pairs.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
    };
    ["model name", "Model Name", "Model", "cpu model", "cpu", "uarch"].into_iter().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::model;

    #[test]
    fn models_of_several_architectures() {
        assert_eq!(model("processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD EPYC 9B14\n"), Some("AMD EPYC 9B14"));
        assert_eq!(model("processor\t: 0\ncpu\t\t: POWER9, altivec supported\n"), Some("POWER9, altivec supported"));
        assert_eq!(model("BogoMIPS : 100\n"), None);
    }
}
