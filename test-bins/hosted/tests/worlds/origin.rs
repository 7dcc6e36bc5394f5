//! Another libc-free runtime: origin, with its own start-up.

use std::process::Command;

use crate::build::package;
use crate::report::{OWN, expect, has_rseq, text};

#[test]
fn threads_of_origin_are_registered_by_the_program() {
    if !has_rseq() {
        return;
    }
    let program = package("origin", &[]).join("on-origin");
    expect(&text(&mut Command::new(program)), OWN);
}
