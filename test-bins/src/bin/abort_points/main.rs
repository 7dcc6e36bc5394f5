//! Every abort point, forced: at each instruction of each critical section of `rseq-core`, from the first that arms it to the
//! one behind the commit, a breakpoint makes the kernel look at the thread exactly there, once and twice in an operation.
//!
//! The sections are those of this file's own `__rseq_cs`. One that no case runs is a failure.
#![no_std]
#![no_main]
// Assembly for MIPS is unstable Rust.
#![cfg_attr(any(target_arch = "mips64", target_arch = "mips64r6"), feature(asm_experimental_arch))]

mod arch;
mod breakpoint;
mod cases;
mod controls;
mod run;
mod scene;
mod sections;
mod steps;

use rseq_core::{Area, ByCpu, Index, OwnArea, Registration, Token};
use rseq_rt::process::ExitCode;
use test_bins::args::Args;
use test_bins::ktap::{OrFail, Suite, Unmet, Verdict};
use test_bins::{ensure, fail, note, program, registration, skip};

use crate::cases::Case;
use crate::run::{Tally, Trial};
use crate::scene::Stage;
use crate::sections::Section;

rseq_rt::entry!(main);

const USAGE: &str = "abort_points: an abort forced at every instruction of every section\n\
usage: abort_points [--legacy]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

/// The most sections that this file may have.
const MOST: usize = 256;

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let mut args = Args::new(rseq_rt::env::args().skip(1), USAGE);
    if let Some(option) = args.next_option() {
        args.unknown(option);
    }
    let (token, stage) = match prepare() {
        Ok(prepared) => prepared,
        Err(unmet) => return Suite::cannot_start(unmet),
    };
    let mut suite = Suite::new((4 * cases::OPERATIONS + steps::STEPS) as u32 + controls::CONTROLS + 3);
    let mut claims = Claims::default();
    suite.report(format_args!("a thread that changes its CPU"), stage.needs_two_cpus());
    suite.report(format_args!("every operation has a case"), have_cases());
    by_index(&mut suite, &stage, &mut claims, token, "own area");
    // The text of a step is one for both areas and indexes, which the operations have shown.
    By { stage: &stage, name: "cpu_id", area: "own area" }.all(&mut suite, &mut claims, Some(token), steps::steps());
    match Registration::adopt() {
        Ok(adopted) => by_index(&mut suite, &stage, &mut claims, adopted.token(), "adopted area"),
        Err(error) => suite.report(format_args!("adopted area"), Err(fail!("{error}"))),
    }
    controls::run(&mut suite, &stage, token, &mut |section| {
        claims.take(section);
    });
    note!(
        "in all: {} sections, {} points, {} events, {} aborts",
        claims.operations,
        claims.sum.points,
        claims.sum.events,
        claims.sum.aborts
    );
    suite.report(format_args!("every section of this file has a case"), claims.are_all(token.by_mm_cid().is_some()));
    suite.finish()
}

fn prepare() -> Result<(test_bins::index::Here, Stage), Unmet> {
    let token = registration::token()?;
    sections::make_writable()?;
    breakpoint::handle().or_fail("sigaction")?;
    Ok((token, Stage::new()?))
}

fn by_index<'r, A: Area>(suite: &mut Suite, stage: &Stage, claims: &mut Claims, token: Token<'r, A>, area: &str) {
    By { stage, name: "cpu_id", area }.all(suite, claims, Some(token), cases::operations());
    By { stage, name: "mm_cid", area }.all(suite, claims, token.by_mm_cid(), cases::operations());
}

/// The sections of an operation that nobody calls are in no binary, so that nobody would miss them there.
fn have_cases() -> Verdict {
    let has_none = |name: &&str| cases::cases::<OwnArea, ByCpu>().all(|case| case.operation() != *name);
    let orphan = cases::names_of_all().find(has_none);
    ensure!(orphan.is_none(), "none for {}", orphan.unwrap_or(""));
    Ok(())
}

/// One index in one kind of area.
struct By<'t> {
    stage: &'t Stage,
    name: &'t str,
    area: &'t str,
}

impl By<'_> {
    /// All of some cases.
    fn all<'r, A: Area, I: Index>(
        &self,
        suite: &mut Suite,
        claims: &mut Claims,
        token: Option<Token<'r, A, I>>,
        cases: impl IntoIterator<Item = Case<'r, A, I>>,
    ) {
        for case in cases {
            let trial = token.map(|token| Trial { case: &case, stage: self.stage, token });
            let verdict = match trial {
                Some(trial) => self.one(&trial, claims),
                None => Err(skip!("this kernel has no mm_cid (Linux 6.3)")),
            };
            suite.report(format_args!("{} by {}, {}", case.name, self.name, self.area), verdict);
        }
    }

    fn one<A: Area, I: Index>(&self, trial: &Trial<'_, '_, A, I>, claims: &mut Claims) -> Verdict {
        let section = trial.find()?;
        let is_new = claims.take(&section);
        let tally = trial.every_point(&section)?.map_err(|fault| fail!("{fault}"))?;
        let Tally { points, inside, events, aborts, repeated } = tally;
        let (operation, index, area) = (trial.case.name, self.name, self.area);
        note!(
            "{operation:<32} {index} {area:<12} {points:3} points, {inside:3} inside, {events:4} events, {aborts:4} aborts, \
             {repeated} repeated"
        );
        if is_new {
            claims.add(&tally);
        }
        Ok(())
    }
}

/// The sections that a case has run.
struct Claims {
    descriptors: [usize; MOST],
    count: usize,
    /// Those that are no controls.
    operations: u32,
    sum: Tally,
}

impl Default for Claims {
    fn default() -> Self {
        Self { descriptors: [0; MOST], count: 0, operations: 0, sum: Tally::default() }
    }
}

impl Claims {
    /// Whether it is the first case to run this section.
    fn take(&mut self, section: &Section) -> bool {
        let address = section.descriptor as usize;
        let is_new = !self.descriptors[..self.count].contains(&address) && self.count < MOST;
        if is_new {
            self.descriptors[self.count] = address;
            self.count += 1;
        }
        is_new
    }

    fn add(&mut self, tally: &Tally) {
        self.operations += 1;
        self.sum.points += tally.points;
        self.sum.events += tally.events;
        self.sum.aborts += tally.aborts;
    }

    fn are_all(&self, has_mm_cid: bool) -> Verdict {
        if !has_mm_cid {
            return Err(skip!("this kernel has no mm_cid (Linux 6.3), so the sections by it did not run"));
        }
        let has_case = |descriptor: &usize| self.descriptors[..self.count].contains(descriptor);
        let orphan =
            sections::descriptors().map(|descriptor| descriptor as usize).find(|descriptor| !has_case(descriptor));
        ensure!(orphan.is_none(), "no case runs the section of the descriptor at {:#x}", orphan.unwrap_or(0));
        Ok(())
    }
}
