//! The example that a newcomer copies: `rseq-rt/examples/hello`, a package of its own.

use std::path::Path;
use std::process::Command;

/// Builds the example with these options and runs it.
fn hello(options: &[&str], profile: &str, arguments: &[&str]) -> String {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hello");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--target-dir"]).arg(&directory).args(options).env_remove("RUSTFLAGS");
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rseq-rt/examples/hello"));
    let built = cargo.output().expect("cargo starts");
    assert!(built.status.success(), "{cargo:?}:\n{}", String::from_utf8_lossy(&built.stderr));
    let run = Command::new(directory.join(profile).join("hello")).args(arguments).output().expect("it was built");
    assert!(run.status.success(), "{options:?}: {run:#?}");
    String::from_utf8_lossy(&run.stdout).into_owned()
}

#[test]
fn the_example_greets() {
    let ways: [(&[&str], &str); 4] = [
        (&[], "debug"),
        (&["--release"], "release"),
        (&["--profile", "small"], "small"),
        (&["--profile", "small", "--features", "pie"], "small"),
    ];
    for (options, profile) in ways {
        assert_eq!(hello(options, profile, &[]), "Hello, world!\n1 greetings\n", "{options:?}");
        let text = hello(options, profile, &["you", "me"]);
        let greets = ["Hello, you!\n", "Hello, me!\n", "2 greetings\n"].iter().all(|line| text.contains(line));
        assert!(greets, "{options:?}: {text}");
    }
}
