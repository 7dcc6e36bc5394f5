//! Whether the static suite can run here.

use anyhow::ensure;

/// Architectures for which `cargo build` here makes static binaries.
const ARCHITECTURES: &[&str] = &["x86_64"];

/// Fails where the suite cannot run natively.
pub fn check() -> anyhow::Result<()> {
    supports(std::env::consts::ARCH)
}

fn supports(machine: &str) -> anyhow::Result<()> {
    let only = ARCHITECTURES.join(", ");
    ensure!(
        ARCHITECTURES.contains(&machine),
        "this machine is {machine}; the suite runs natively on {only} only: `boot` runs it in guests"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_is_named() {
        supports("x86_64").unwrap();
        assert!(supports("m68k").unwrap_err().to_string().starts_with("this machine is m68k;"));
    }
}
