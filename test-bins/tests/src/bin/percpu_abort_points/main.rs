//! Every abort point of the per-CPU types, forced, over the area that they use, [`Ambient`]: their own sections, and
//! the operations of `rseq_core::ops`, some of which they use. `abort_points` does the same for the operations over
//! other areas.
#![no_std]
#![no_main]
// Assembly for MIPS is unstable Rust.
#![cfg_attr(any(target_arch = "mips64", target_arch = "mips64r6"), feature(asm_experimental_arch))]

mod control;
mod layout;
mod ring;
mod stack;
mod words;

use harness::args::Args;
use harness::forced::case::Case;
use harness::forced::claims::{By, Claims};
use harness::forced::{self, breakpoint, operations};
use harness::ktap::Verdict;
use harness::{ensure, fail, program, require, tests};
use rseq_core::{Ambient, Area, ByCpu, Index, ensure_registered};
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

const USAGE: &str = "percpu_abort_points: an abort forced at every instruction of the per-CPU types' sections\n\
usage: percpu_abort_points [--legacy]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

/// How many sections the types have.
const SECTIONS: usize = stack::SECTIONS + ring::SECTIONS + words::SECTIONS;

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let mut args = Args::new(rseq_rt::env::args().skip(1), USAGE);
    if let Some(option) = args.next_option() {
        args.unknown(option);
    }
    let (_, stage) = require!(forced::prepare());
    let mut claims = Claims::default();
    let by = By { stage: &stage, name: "cpu_id", area: "ambient area" };
    tests! {
        "a thread that changes its CPU" => stage.needs_two_cpus(),
        "every section has a case" => have_cases(),
        "the ambient area is this thread's" => is_ambient(),
        suite * SECTIONS as u32 => by.all(suite, &mut claims, Some(Ambient::token()), cases()),
        suite * operations::count() => {
            by.all(suite, &mut claims, Some(Ambient::token()), operations::operations());
        },
        suite * control::CONTROLS => control::run(suite, &stage, &mut |section| {
            claims.take(section);
        }),
        "every section of this file has a case" => {
            claims.note();
            claims.are_all(true, env!("TEST_BINS_PROFILE"))
        },
    }
}

fn cases<'r, A: Area, I: Index>() -> impl Iterator<Item = Case<'r, A, I>> {
    stack::cases().into_iter().chain(ring::cases()).chain(words::cases())
}

/// The sections of a type that is never called are in no binary, so their absence would not be noticed there.
fn have_cases() -> Verdict {
    let has_none = |(of, name): &(&str, &str)| {
        cases::<Ambient, ByCpu>().all(|case| case.name.strip_prefix(of).is_none_or(|rest| rest.trim_start() != *name))
    };
    let orphan = stack::names().chain(ring::names()).chain(words::names()).find(has_none);
    let (of, name) = orphan.unwrap_or_default();
    ensure!(orphan.is_none(), "none for {name} of a {of}");
    Ok(())
}

/// Descriptors are read from the own area, which is the runtime's, and so is the ambient one.
fn is_ambient() -> Verdict {
    ensure_registered().map_err(|cause| fail!("{cause}"))?;
    let [ambient, own] = [Ambient.pointer(), rseq_core::OwnArea.pointer()];
    ensure!(ambient == own, "the ambient area is at {ambient:?}, the runtime's at {own:?}");
    ensure!(breakpoint::rseq_cs() == 0 || Ambient::token().is_registered(), "this thread is not registered");
    Ok(())
}
