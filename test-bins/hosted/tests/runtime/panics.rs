//! Panics that meet another one.

use crate::build::{DEBUG, RELEASE, VARIANTS, run};

#[test]
fn one_of_two_panics_is_heard() {
    for variant in [DEBUG, RELEASE] {
        for attempt in 0..300 {
            let output = run(variant, "panics");
            let says = String::from_utf8_lossy(&output.stderr);
            let heard = output.status.code() == Some(101) && says.matches("one of two").count() == 1;
            assert!(heard, "{}, attempt {attempt}: {output:#?}", variant.name);
        }
    }
}

#[test]
fn a_panic_whose_message_panics_is_heard() {
    for variant in VARIANTS {
        let output = run(*variant, "panicking-display");
        let says = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(101) && says.contains("panics.rs:"), "{}: {output:#?}", variant.name);
    }
}
