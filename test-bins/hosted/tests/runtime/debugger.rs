//! Under gdb, which puts instructions of its own at the entry of a program, and after it.

use std::process::Command;

use crate::build::{DEBUG, DEBUG_PIE, program};
use crate::skipped;

/// Stops in each thread and goes on, with the instruction at the breakpoint executed elsewhere.
const SCRIPT: [&str; 6] = [
    "set pagination off",
    "set displaced-stepping on",
    "break stop_here",
    "commands\nsilent\nprintf \"stopped\\n\"\nbacktrace\ncontinue\nend",
    "run threads",
    "quit",
];

#[test]
fn threads_start_under_gdb() {
    for variant in [DEBUG, DEBUG_PIE] {
        let script = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.gdb", variant.name));
        std::fs::write(&script, SCRIPT.join("\n")).expect("the directory for tests is writable");
        let mut gdb = Command::new("gdb");
        gdb.args(["-nx", "-batch", "-x"]).arg(&script).arg(program(variant));
        let output = match gdb.env("LC_ALL", "C").output() {
            Ok(output) => output,
            Err(error) => return skipped(format_args!("gdb: {error}")),
        };
        let text = String::from_utf8_lossy(&output.stdout);
        if String::from_utf8_lossy(&output.stderr).contains("ptrace: Operation not permitted") {
            return skipped("gdb may not trace processes here");
        }
        let stops = text.matches("stopped\n").count();
        assert!(stops == 60 && text.contains("exited normally"), "{}: {stops} stops: {output:#?}", variant.name);
        let (ends, frames) = (text.matches("in __rseq_rt_child").count(), text.matches("#1 ").count());
        assert!(
            ends == 60 && frames == 60,
            "{}: {ends} of {frames} backtraces end where a thread begins: {text}",
            variant.name
        );
        assert!(!text.contains("Backtrace stopped") && !text.contains("?? ()"), "{}: {text}", variant.name);
    }
}
