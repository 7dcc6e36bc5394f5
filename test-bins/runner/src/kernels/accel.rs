//! KVM on the host, for guests of its own kind.

use std::io::Write;
use std::process::{Command, Stdio};

use clap::ValueEnum;

/// What runs the guests' code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Accel {
    /// KVM for guests of this machine's kind, where it works.
    Auto,
    /// The same, or an error.
    Kvm,
    /// QEMU's emulation, the same on every host.
    #[default]
    Tcg,
}

/// Whether this host's CPUs run kernels of this Debian architecture.
pub fn is_of_host(debian: &str) -> bool {
    match std::env::consts::ARCH {
        "x86_64" => ["amd64", "i386"].contains(&debian),
        "aarch64" => debian == "arm64",
        _ => false,
    }
}

/// Why a QEMU program cannot start this board with KVM here, if it cannot: in its own words. It makes the CPUs, which
/// is where hosts that are guests themselves fail, and runs nothing.
pub fn refuses(qemu: &str, board: &[&str]) -> Option<String> {
    let mut command = Command::new(qemu);
    command.args(board).args(["-cpu", "host", "-accel", "kvm", "-S", "-display", "none", "-nodefaults"]);
    command.args(["-no-user-config", "-serial", "none", "-monitor", "stdio"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let tried = command.spawn().and_then(|mut child| {
        // A QEMU that has ended already says why below.
        let _ = child.stdin.take().map(|mut monitor| monitor.write_all(b"quit\n"));
        child.wait_with_output()
    });
    match tried {
        Err(error) => Some(format!("{qemu}: {error}")),
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let words = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it does not say why");
            let words = words.strip_prefix(&format!("{qemu}: ")).unwrap_or(words);
            Some(words.strip_prefix("error: ").unwrap_or(words).to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_runs_its_own_kind() {
        assert!(is_of_host(if cfg!(target_arch = "x86_64") { "i386" } else { "arm64" }));
        assert!(!is_of_host("s390x") && !is_of_host("armhf"));
        assert!(refuses("no-such-qemu", &[]).unwrap().contains("no-such-qemu: "));
    }
}
