//! The examples of READMEs that are no crate's documentation, as a reader would paste them.
//!
//! They are here because no published package can hold them: it has no files of other packages.

#[doc = include_str!("../../../README.md")]
mod repository {}

#[doc = include_str!("../../../linker/README.md")]
mod linker {}

#[doc = include_str!("../../../rseq-rt/heap/README.md")]
mod heap {}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Write, stderr};
    use std::path::Path;
    use std::process::Command;

    /// What runs the examples of other files: `tests/runtime/guide.rs`, and the documentation of rseq-core.
    const ELSEWHERE: [&str; 3] = ["rseq-rt/README.md", "rseq-core/README.md", "rseq-core/docs/manual/"];

    #[test]
    fn the_examples_of_every_page_run() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the package is in the workspace");
        // Root may run this in the clone of another user, which git would refuse to read.
        let mut git = Command::new("git");
        git.args(["-c", "safe.directory=*", "ls-files", "*.md"]).current_dir(root);
        let listed = git.output().map(|output| output.stdout).unwrap_or_default();
        let listed = String::from_utf8_lossy(&listed);
        if listed.is_empty() {
            // Unlike what eprintln writes, this is seen where the test passes.
            let _ = writeln!(stderr(), "skipped: git lists no pages here");
        }
        for page in listed.lines().filter(|page| !ELSEWHERE.iter().any(|elsewhere| page.starts_with(elsewhere))) {
            let text = fs::read_to_string(root.join(page)).expect("it is committed");
            let is_run = include_str!("readmes.rs").contains(&format!("\"../../../{page}\""));
            assert!(is_run || !text.contains("\n```rust"), "{page} has examples that nothing runs: name it here");
        }
    }
}
