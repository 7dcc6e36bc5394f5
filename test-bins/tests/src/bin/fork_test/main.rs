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
use harness::ktap::Suite;
use harness::{program, registration};
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

const USAGE: &str = "fork_test: registrations across fork, vfork, clone and exec\n\
usage: fork_test [--short]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

/// What this program is told when it executes itself.
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
    let token = match registration::token() {
        Ok(token) => token,
        Err(unmet) => return Suite::cannot_start(unmet),
    };
    let mut suite = Suite::new(18);
    suite.test("a forked child keeps the registration", &mut || in_descendant(1, &mut family::kept));
    suite.test("so does a child's child", &mut || in_descendant(2, &mut family::kept));
    suite.test("sections of a forked child abort", &mut || in_descendant(1, &mut family::sections_abort));
    suite.test("sections of a child's child abort", &mut || in_descendant(2, &mut family::sections_abort));
    suite.test("exec ends the registration", &mut || execute(c"RSEQ_RT=off", c"--after-exec"));
    suite.test("the runtime registers again after exec", &mut || execute(c"RSEQ_RT=extended", c"--after-exec"));
    suite.test("nothing writes to where an area was before exec", &mut || execute(c"RSEQ_RT=off", c"--exec-area"));
    suite.test("nor where a thread's was that executed", &mut || execute(c"RSEQ_RT=off", c"--exec-area-thread"));
    suite.test("a vfork child is not registered, though its area says so", &mut vfork::is_unregistered);
    suite.test("the core refuses to register in a vfork child", &mut vfork::is_refused);
    suite.test("registering there by force breaks the parent", &mut vfork::hazard);
    suite.test("an area of the vfork child's own does not", &mut vfork::avoided);
    suite.test("a CLONE_VM process registers, works and releases", &mut || execute(c"RSEQ_RT=off", c"--clone-vm"));
    suite.test("CLONE_VM processes share an exact counter", &mut || clone_vm::counter(short));
    suite.test("a CLONE_VM process starts another", &mut clone_vm::nested);
    suite.test("a shared counter by cpu_id is exact", &mut || shared::by_cpu_id(short));
    suite.test("so is the core's counter, in slots that say they are shared", &mut || shared::by_the_core(short));
    suite.test("by mm_cid, which the core refuses there, a shared counter loses", &mut || {
        shared::by_mm_cid(token, short)
    });
    suite.finish()
}
