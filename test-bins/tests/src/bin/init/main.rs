//! The first process of a guest: mounts, loads modules, runs a list of programs, powers off.
//!
//! The runner writes the list and the names of modules; results are KTAP on the console, between marks for the runner.
//! The package `protocol` states all of these.
#![no_std]
#![no_main]

mod child;
mod guest;
mod relay;
mod report;

use harness::args::USAGE;
use harness::sys::file::File;
use harness::sys::process;
use protocol::list::{CAPACITY, LIST, List};
use protocol::name::Pass;
use rseq_rt::eprintln;
use rseq_rt::process::ExitCode;

use report::Report;

rseq_rt::entry!(main);

fn main() -> ExitCode {
    if process::id() != 1 {
        eprintln!("init: this is for the first process of a guest; `boot` of the runner starts it");
        return ExitCode::from(USAGE);
    }
    guest::quiet_console();
    guest::say_release();
    guest::mount_all();
    guest::take_offline();
    guest::load_modules();
    run_list();
    guest::power_off()
}

fn run_list() {
    let mut bytes = [0; CAPACITY];
    let read = File::open(LIST).and_then(|file| file.read(&mut bytes));
    match read.map(List::parse) {
        Ok(Ok(list)) => run_passes(&list),
        Ok(Err(problem)) => report::bail_out(format_args!("/suite: {problem}")),
        Err(errno) => report::bail_out(format_args!("/suite: {errno}")),
    }
}

/// Once with the kernel's own rseq checks off, once with them on, where the kernel has the switch and the list wants
/// it.
fn run_passes(list: &List<'_>) {
    let twice = list.twice && guest::switch_checks(false);
    let again = || list.runs().filter(|run| twice && !run.once);
    let mut report = Report::new((list.runs().count() + again().count()) as u32);
    let mut run = |program, checks, pass| {
        // Set before every program: a killed test may have left them changed. If that fails, a result is missing.
        if !twice || guest::switch_checks(checks) {
            report.run(&program, pass);
        }
    };
    list.runs().for_each(|program| run(program, false, Pass::First));
    again().for_each(|program| run(program, true, Pass::Checked));
    report.finish();
}
