//! A library with critical sections is unloaded.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::build::{BFD_DYNAMIC, DEFAULT, Variant, build};

/// Runs `unload` over a library linked as `variant` says; None where there is nothing to adopt.
fn unload(mode: &str, variant: Variant) -> Option<Output> {
    let plugin = build(["--example", "plugin"], variant);
    let output = Command::new(Path::new(env!("CARGO_BIN_EXE_unload"))).arg(mode).arg(plugin).output().unwrap();
    if output.status.code() == Some(4) {
        crate::skipped(format_args!("{}: {}", variant.name, String::from_utf8_lossy(&output.stdout)));
        return None;
    }
    Some(output)
}

#[test]
fn under_a_storm_of_signals_nothing_crashes_and_every_count_is_there() {
    for variant in [DEFAULT, BFD_DYNAMIC] {
        let Some(output) = unload("storm", variant) else { continue };
        assert!(output.status.success(), "{}: {output:#?}", variant.name);
        println!("{}: {}", variant.name, String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn a_prepared_thread_survives_the_first_signal_after_the_unloading() {
    let Some(output) = unload("once", DEFAULT) else { return };
    assert!(output.status.success(), "{output:#?}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("was armed; now 0x0 is") && stdout.contains("survived 1 signal"), "{stdout}");
}

/// What the preparation is for: the kernel follows the pointer to a descriptor that is no longer there.
#[test]
fn an_unprepared_thread_does_not() {
    let Some(output) = unload("forget", DEFAULT) else { return };
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{output:#?}");
    // It says nothing where it is killed at once, as another one takes the CPU.
    let says = stdout.is_empty() || stdout.contains("was armed; now 0x");
    assert!(says && !stdout.contains("survived"), "{stdout}");
}
