//! The kernel's fields of the area, written by user space: which registrations get them back, and which are killed.
//!
//! The expectations are those of `kernel/rseq.c`. Up to 6.18 every context switch writes all fields. On 6.19 and early
//! 7.0 only a changed ID does. With V2 a 32-byte registration is the first again, and a longer one is killed when an ID
//! changes. rseq debugging kills whatever is found changed.
#![no_std]
#![no_main]

mod codes;
mod cpu_id_start;
mod fields;

use harness::args::Args;
use harness::debug::Debugging;
use harness::generation::Generation;
use harness::ktap::Verdict;
use harness::{ensure, group, note, program, registration, require, skip, tests};
use rseq_core::abi::ORIGINAL_SIZE;
use rseq_rt::process::ExitCode;

use cpu_id_start::{back_after_sleep, back_at_fence, back_in_handler};
use fields::{FIELDS, moves, sleeps};

rseq_rt::entry!(main);

const USAGE: &str = "readonly_test: the kernel's fields, written by user space\n\
usage: readonly_test [--short] [--expect GENERATION]\n  \
  --expect GENERATION  the kernel has to be of this one: legacy, optimised or v2\n\
exit codes: 0 pass, 1 fail, 2 expected failure, 4 skip, 64 usage";

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let wanted = options();
    require!(registration::token());
    let switch = Debugging::open();
    if let Ok(switch) = &switch
        && let Err(errno) = switch.set(false)
    {
        note!("rseq/debug stays as it is: {errno}");
    }
    let generation = require!(Generation::probe());
    note!("registrations of this kernel: {}", generation.name());
    let full = rseq_rt::kernel().registration_len();
    let fields = FIELDS.len() as u32;
    tests! {
        "the kernel's generation" => as_expected(generation, wanted),
        group "32 bytes, asleep, signalled or fenced" {
            "cpu_id_start comes back after a sleep" => back_after_sleep(),
            "cpu_id_start is back in a signal handler" => back_in_handler(),
            "cpu_id_start comes back at a fence" => back_at_fence(),
        },
        group "32 bytes, asleep" { suite * fields => sleeps(suite, ORIGINAL_SIZE, generation) },
        group "32 bytes, moved" { suite * fields => moves(suite, ORIGINAL_SIZE, generation, false) },
        group "the full length, asleep" { suite * fields => sleeps(suite, full, generation) },
        group "the full length, moved" { suite * fields => moves(suite, full, generation, false) },
        suite => match switch.as_ref().map(|switch| switch.set(true)) {
            Ok(Ok(())) => group!(suite, DEBUGGED, { suite * fields => moves(suite, full, generation, true) }),
            Ok(Err(errno)) | Err(&errno) => {
                suite.report(format_args!("{DEBUGGED}"), Err(skip!("no switch debugfs rseq/debug: {errno}")));
            }
        },
    }
}

const DEBUGGED: &str = "rseq debugging on, moved";

/// The generation that has to be found, if the caller knows it.
fn options() -> Option<Generation> {
    let mut wanted = None;
    let mut args = Args::new(rseq_rt::env::args().skip(1), USAGE);
    while let Some(option) = args.next_option() {
        match option {
            "--short" => {}
            "--expect" => {
                let name = args.value(option);
                wanted = Generation::called(name);
                if wanted.is_none() {
                    args.refuse(format_args!("--expect takes legacy, optimised or v2, not '{name}'"));
                }
            }
            other => args.unknown(other),
        }
    }
    wanted
}

/// The tests below judge the kernel by its behaviour, and take one that no longer enforces anything for an older one.
fn as_expected(found: Generation, wanted: Option<Generation>) -> Verdict {
    let wanted = wanted.ok_or_else(|| skip!("--expect was not given"))?;
    if found == Generation::Debugged {
        return Err(skip!("rseq debugging cannot be switched off"));
    }
    ensure!(found == wanted, "it is {}, not {}", found.name(), wanted.name());
    Ok(())
}
