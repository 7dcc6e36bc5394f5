//! Whether the static suite can run here.

/// Architectures for which `cargo build` here makes static binaries.
const ARCHITECTURES: &[&str] = &["x86_64"];

/// Says why not, where the suite cannot run natively.
pub fn check() -> Result<(), String> {
    supports(std::env::consts::ARCH)
}

fn supports(machine: &str) -> Result<(), String> {
    if ARCHITECTURES.contains(&machine) {
        return Ok(());
    }
    let only = ARCHITECTURES.join(", ");
    Err(format!("this machine is {machine}; the suite runs natively on {only} only: `boot` runs it in guests"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_is_named() {
        assert_eq!(supports("x86_64"), Ok(()));
        assert!(supports("m68k").unwrap_err().starts_with("this machine is m68k;"));
    }
}
