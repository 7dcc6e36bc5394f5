//! Registrations across fork, vfork, clone and exec, and a per-CPU counter that processes share.
#![no_std]
#![no_main]

mod clone_vm;
mod exec_area;
mod family;
mod shared;
mod vfork;

use family::{execute, in_descendant};
use harness::args::Args;
use harness::{program, registration, require, tests};
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

const USAGE: &str = "fork_test: registrations across fork, vfork, clone and exec\n\
usage: fork_test [--short]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

/// The argument of this program when it executes itself.
const AFTER_EXEC: &str = "--after-exec";
const CLONE_VM: &str = "--clone-vm";

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let mut short = false;
    let mut args = Args::new(rseq_rt::env::args().skip(1), USAGE);
    while let Some(option) = args.next_option() {
        match option {
            "--short" => short = true,
            exec_area::MAIN => return exec_area::register_and_execute(),
            exec_area::THREAD => return exec_area::in_thread(),
            exec_area::AFTER => return exec_area::is_untouched(),
            AFTER_EXEC => return family::after_exec(),
            CLONE_VM => return clone_vm::by_hand(),
            other => args.unknown(other),
        }
    }
    let token = require!(registration::token());
    tests! {
        "a forked child keeps the registration" => in_descendant(1, &mut family::kept),
        "so does a child's child" => in_descendant(2, &mut family::kept),
        "sections of a forked child abort" => in_descendant(1, &mut family::sections_abort),
        "sections of a child's child abort" => in_descendant(2, &mut family::sections_abort),
        "exec ends the registration" => execute(c"RSEQ_RT=off", c"--after-exec"),
        "the runtime registers again after exec" => execute(c"RSEQ_RT=extended", c"--after-exec"),
        "nothing writes to where an area was before exec" => execute(c"RSEQ_RT=off", c"--exec-area"),
        "nor where a thread's was that executed" => execute(c"RSEQ_RT=off", c"--exec-area-thread"),
        "a vfork child is not registered, though its area says so" => vfork::is_unregistered(),
        "the core refuses to register in a vfork child" => vfork::is_refused(),
        "registering there by force breaks the parent" => vfork::hazard(),
        "an area of the vfork child's own does not" => vfork::avoided(),
        "a CLONE_VM process registers, works and releases" => execute(c"RSEQ_RT=off", c"--clone-vm"),
        "CLONE_VM processes share an exact counter" => clone_vm::counter(short),
        "a CLONE_VM process starts another" => clone_vm::nested(),
        "a shared counter by cpu_id is exact" => shared::by_cpu_id(short),
        "so is the core's counter, in slots that say they are shared" => shared::by_the_core(short),
        "by mm_cid, which the core refuses there, a shared counter loses" => shared::by_mm_cid(token, short),
    }
}
