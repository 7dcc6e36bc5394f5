//! What the commands of `sections.gdb` do to threads that are stopped in sections.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::build::{KEEP, KEPT, Variant, build};
use crate::skipped;

/// With its symbols.
const NAMED: Variant = Variant { name: "named", flags: &[KEEP, "-Cstrip=none"], ..KEPT[0] };

/// Goes to the other one of the two threads.
const OTHER: &str =
    "python next(t for t in gdb.selected_inferior().threads() if t.num not in (1, gdb.selected_thread().num)).switch()";

/// What gdb prints for these commands, with the script; or why it could not run the program.
pub fn gdb(program: &Path, commands: &[&str]) -> Result<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../linker/sections.gdb");
    let mut gdb = Command::new("gdb");
    gdb.env("LC_ALL", "C");
    gdb.args(["-nx", "-batch", "-x", script]).args(commands.iter().flat_map(|command| ["-ex", command]));
    let output = gdb.arg(program).stdin(Stdio::null()).output().context("gdb")?;
    let (printed, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(!errors.contains("ptrace: Operation not permitted"), "gdb may not trace processes here");
    ensure!(!errors.contains("Python scripting is not supported"), "this gdb has no Python");
    Ok(format!("{printed}{errors}"))
}

/// Stops both threads of the program before the store of their sections, then gives these commands, and lets it run to
/// its end without breakpoints. What gdb prints, and how many of the 400 counts the program found; None where gdb does
/// not run.
#[track_caller]
fn both_stopped(commands: &[&str]) -> Option<(String, usize)> {
    let mut all = vec!["set confirm off", "break called", "run", "delete"];
    let find = "python section = next(s for s in rseq_sections() if 'counted' in name_of(s.start))";
    let store =
        "python store = gdb.selected_frame().architecture().disassemble(section.start, section.end - 1)[-1]['addr']";
    let stop = "python gdb.execute(f'break *{store:#x}')";
    all.extend([find, store, stop, "continue", "set scheduler-locking on", OTHER, "continue"]);
    let threads = "[t for t in gdb.selected_inferior().threads() if t.num != 1]";
    let at_store =
        format!("python print('stopped:', [(t.switch(), program_counter())[1] == store for t in {threads}])");
    all.push(&at_store);
    all.extend(commands);
    all.extend(["delete", "set scheduler-locking off", "continue"]);
    let printed = match gdb(&build(["--example", "stopped"], NAMED), &all) {
        Ok(printed) => printed,
        Err(reason) => {
            skipped(format_args!("{reason:#}"));
            return None;
        }
    };
    assert!(printed.contains("stopped: [True, True]"), "the threads did not come to their stores: {printed}");
    // gdb and the program write into one pipe, so that it may stand after half a line of gdb's.
    let found = printed.split_once("added 400, found ").and_then(|(_, rest)| {
        let digits = rest.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(rest.len());
        rest[..digits].parse().ok()
    });
    let found = found.unwrap_or_else(|| panic!("the program printed no counts: {printed}"));
    Some((printed, found))
}

#[test]
fn a_thread_that_is_stopped_in_a_section_counts_exactly() {
    assert!(both_stopped(&[]).is_none_or(|(_, found)| found == 400));
}

/// The control: without the script's commands, a count is lost where the debugger lets a stopped thread run other code,
/// or steps over a breakpoint in the section.
#[test]
fn calls_and_breakpoints_in_sections_lose_counts() {
    let calls = ["thread apply 2 3 print (int)called()"];
    let steps = ["set displaced-stepping on", "continue", OTHER, "continue"];
    for commands in [&calls[..], &steps] {
        let Some((printed, found)) = both_stopped(commands) else { return };
        assert!(found < 400, "{commands:?} lost nothing: {printed}");
    }
}

#[test]
fn a_thread_that_is_moved_to_its_abort_handler_may_be_called_in() {
    let commands = ["rseq-abort all", "rseq-abort", "thread apply 2 3 print (int)called()"];
    let Some((printed, found)) = both_stopped(&commands) else { return };
    let moved =
        printed.lines().filter(|line| line.starts_with("thread ") && line.contains(" to its abort handler, ")).count();
    assert_eq!((moved, found), (2, 400), "{printed}");
    assert!(printed.contains("$2 = 42"), "{printed}");
}

/// In a caller's frame, `$pc` is the address that the frame returns to.
#[test]
fn a_thread_is_moved_also_while_another_frame_is_selected() {
    let Some((printed, found)) = both_stopped(&["up", "rseq-abort", OTHER, "up", "rseq-abort"]) else { return };
    assert_eq!((printed.matches(" to its abort handler, ").count(), found), (2, 400), "{printed}");
}

#[test]
fn a_section_is_run_over_once() {
    let at_end = "python print('after it:', program_counter() == section.end)";
    let again = ["continue", "rseq-next", at_end];
    let commands = [&["rseq-next", at_end, "set scheduler-locking off"][..], &again, &again].concat();
    let Some((printed, found)) = both_stopped(&commands) else { return };
    assert_eq!((printed.matches("after it: True").count(), found), (3, 400), "{printed}");
    assert!(!printed.contains("after it: False"), "{printed}");
}
