//! Parts in C.

use crate::build::{VARIANTS, expect_success, run};

#[test]
fn constructors_run_before_main() {
    expect_success("constructors");
}

#[test]
fn addresses_below_zero_are_relocated() {
    expect_success("addresses");
}

#[test]
fn threads_have_the_canary_of_main() {
    expect_success("canary");
}

#[test]
fn canaries_differ_from_run_to_run() {
    for variant in VARIANTS {
        let canaries = [(); 2].map(|()| String::from_utf8_lossy(&run(*variant, "canary").stdout).into_owned());
        assert!(canaries[0] != canaries[1], "{}: twice {}", variant.name, canaries[0]);
    }
}

#[test]
fn an_overflow_of_a_frame_is_noticed() {
    for variant in VARIANTS {
        let output = run(*variant, "overflow");
        let says = String::from_utf8_lossy(&output.stderr);
        let noticed = output.status.code() == Some(101) && says.contains("has written beyond its stack frame");
        assert!(noticed, "{}: {output:#?}", variant.name);
    }
}
