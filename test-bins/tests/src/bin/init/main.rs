//! The first process of a guest: mounts, loads modules, runs a list of programs, powers off.
//!
//! `/suite` is the list, `/modules` the modules; both are fields that end with a NUL byte, written by the runner (its
//! `payload` module states the format). Results are KTAP on the console; lines that start with `# guest: ` are for the
//! runner: `note TEXT`, `code N` (a user's program ended) and `done`.
#![no_std]
#![no_main]

mod child;
mod list;
mod machine;
mod relay;
mod report;

use harness::args::USAGE;
use harness::sys::process;
use rseq_rt::eprintln;
use rseq_rt::process::ExitCode;

use list::List;
use report::Report;

rseq_rt::entry!(main);

/// Bytes of the list and of the module names.
const ROOM: usize = 64 * 1024;

fn main() -> ExitCode {
    if process::id() != 1 {
        eprintln!("init: this is for the first process of a guest; `boot` of the runner starts it");
        return ExitCode::from(USAGE);
    }
    machine::quiet_console();
    machine::mount_all();
    machine::load_modules();
    run_list();
    machine::power_off()
}

fn run_list() {
    let mut room = [0; ROOM];
    match List::read(&mut room) {
        Ok(list) => run_passes(&list),
        Err(problem) => report::bail_out(format_args!("/suite: {problem}")),
    }
}

/// Once with the kernel's own rseq checks off, once with them on, where the kernel has the switch and the list wants it.
fn run_passes(list: &List<'_>) {
    let twice = list.twice && machine::switch_checks(false);
    let again = || list.runs().filter(|run| twice && !run.once);
    let mut report = Report::new((list.runs().count() + again().count()) as u32);
    let mut run = |program, checks, pass| {
        // Each time, for a test that was killed may have left them as they were then. Without it, a result is missing.
        if !twice || machine::switch_checks(checks) {
            report.run(&program, pass);
        }
    };
    list.runs().for_each(|program| run(program, false, ""));
    again().for_each(|program| run(program, true, " (rseq debug on)"));
    report.finish();
}
