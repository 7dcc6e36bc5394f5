//! The generated headers match the source of the operations.

use std::path::Path;
use std::process::Command;
use std::{fs, io};

#[test]
fn headers_are_what_the_generator_writes() -> io::Result<()> {
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("include");
    let _ = fs::remove_dir_all(&fresh);
    let status = Command::new(env!("CARGO_BIN_EXE_rseq-c-headers")).arg(&fresh).status()?;
    assert!(status.success(), "{status}");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../include");
    let mut compared = 0;
    for folder in ["rseq", "rseq/arch", "kernel"] {
        for entry in fs::read_dir(fresh.join(folder))? {
            let path = entry?.path();
            if path.is_file() {
                let own = kept.join(path.strip_prefix(&fresh).expect("it is in there"));
                let is_same = fs::read(&own).is_ok_and(|kept| fs::read(&path).is_ok_and(|fresh| kept == fresh));
                assert!(is_same, "{} differs: cargo run --release -- headers", own.display());
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 20, "nine architectures, seven of the kernel's names, and four for all");
    Ok(())
}
