//! The package of a plugin, whose build script has `dlclose` leave it in memory, and what happens without that.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Builds the package, and runs its program on its plugin.
fn host(features: &[&str]) -> Output {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--target-dir"]).arg(&target).args(features);
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("plugin")).env_remove("RUSTFLAGS");
    let built = cargo.output().expect("cargo starts");
    assert!(built.status.success(), "{cargo:?}:\n{}", String::from_utf8_lossy(&built.stderr));
    let built: PathBuf = target.join("release");
    Command::new(built.join("host")).arg(built.join("libplugin.so")).output().expect("the program was built")
}

#[test]
fn a_plugin_that_stays_in_memory_can_be_closed() {
    let output = host(&[]);
    assert!(output.status.success(), "{output:#?}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("1999 requests counted; the plugin is in memory"), "{stdout}");

    // Without `-z nodelete` the kernel follows a pointer to a section that is not there.
    let output = host(&["--features", "unloadable"]);
    if !matches!(rseq_core::status(), rseq_core::Status::On(_)) {
        return crate::skipped(format_args!("no section is left in a thread: {}", rseq_core::status()));
    }
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{output:#?}");
}
