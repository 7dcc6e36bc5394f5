//! The example that a newcomer copies: `rseq-rt/examples/hello`, a package of its own.

use std::process::Command;

use crate::package::{Builds, repository};

/// Builds the example with these options and runs it.
fn hello(options: &[&str], profile: &str, arguments: &[&str]) -> String {
    let builds = Builds::begin();
    let built = builds.cargo(&repository().join("rseq-rt/examples/hello"), &[&["build", "--quiet"], options].concat());
    assert!(built.status.success(), "{options:?}:\n{}", String::from_utf8_lossy(&built.stderr));
    let run = Command::new(builds.target().join(profile).join("hello")).args(arguments).output().expect("it was built");
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
