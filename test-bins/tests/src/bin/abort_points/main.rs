//! Every abort point, forced: at each instruction of each critical section of `rseq-core`, from the first that arms it
//! to the one after the commit, a breakpoint makes the kernel look at the thread exactly there, once and twice in an
//! operation.
//!
//! The sections are those of this file's own `__rseq_cs`. One that no case runs is a failure.
#![no_std]
#![no_main]
// Assembly for MIPS is unstable Rust.
#![cfg_attr(any(target_arch = "mips64", target_arch = "mips64r6"), feature(asm_experimental_arch))]

mod controls;
mod steps;

use harness::args::Args;
use harness::forced::claims::{By, Claims};
use harness::forced::scene::Stage;
use harness::forced::{self, operations};
use harness::ktap::{Suite, Verdict};
use harness::{ensure, fail, program, require, tests};
use rseq_core::{Area, ByCpu, OwnArea, Registration, Token};
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

const USAGE: &str = "abort_points: an abort forced at every instruction of every section\n\
usage: abort_points [--legacy]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let mut args = Args::new(rseq_rt::env::args().skip(1), USAGE);
    if let Some(option) = args.next_option() {
        args.unknown(option);
    }
    let (token, stage) = require!(forced::prepare());
    let adopted = Registration::adopt().map_err(|error| fail!("adopting the registration: {error}"));
    let adopted = require!(adopted);
    let mut claims = Claims::default();
    tests! {
        "a thread that changes its CPU" => stage.needs_two_cpus(),
        "every operation has a case" => have_cases(),
        suite * 2 * operations::count() => by_index(suite, &stage, &mut claims, token, "own area"),
        // The text of a step is one for both areas and indexes, which the operations have shown.
        suite * steps::count() => {
            let by = By { stage: &stage, name: "cpu_id", area: "own area" };
            by.all(suite, &mut claims, Some(token), steps::steps());
        },
        suite * 2 * operations::count() => {
            by_index(suite, &stage, &mut claims, adopted.token(), "adopted area");
        },
        suite * controls::CONTROLS => controls::run(suite, &stage, token, &mut |section| {
            claims.take(section);
        }),
        "every section of this file has a case" => {
            claims.note();
            claims.are_all(token.by_mm_cid().is_some(), env!("TEST_BINS_PROFILE"))
        },
    }
}

fn by_index<'r, A: Area>(suite: &mut Suite, stage: &Stage, claims: &mut Claims, token: Token<'r, A>, area: &str) {
    By { stage, name: "cpu_id", area }.all(suite, claims, Some(token), operations::operations());
    By { stage, name: "mm_cid", area }.all(suite, claims, token.by_mm_cid(), operations::operations());
}

/// The sections of an operation that is never called are in no binary, so their absence would not be noticed there.
fn have_cases() -> Verdict {
    let cases = || operations::operations::<OwnArea, ByCpu>().chain(steps::steps());
    let has_none = |name: &&str| cases().all(|case| case.operation() != *name);
    let orphan = operations::names().chain(steps::names()).find(has_none);
    ensure!(orphan.is_none(), "none for {}", orphan.unwrap_or(""));
    Ok(())
}
