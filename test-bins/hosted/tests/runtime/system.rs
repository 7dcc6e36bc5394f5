//! What rseq-rt leaves to rustix.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::build::{DEBUG, RELEASE_OWN, RELEASE_PIE, program};

#[test]
fn the_system_is_reached_through_rustix() {
    for variant in [DEBUG, RELEASE_PIE, RELEASE_OWN] {
        let mut command = Command::new(program(variant));
        command.arg("system").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        child.stdin.take().expect("it was asked for").write_all(b"typed").expect("the program reads");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}: {output:#?}", variant.name);
    }
}
