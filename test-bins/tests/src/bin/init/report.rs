//! The guest's own KTAP: one result a program, its results nested.

use core::fmt;

use harness::text::Text;
use protocol::ktap::{BAIL_OUT, Directive, Plan, TestLine, VERSION};
use protocol::list::{Kind, Run};
use protocol::mark::Mark;
use protocol::name::{Pass, ResultName};
use protocol::outcome::{Counts, Outcome};
use rseq_rt::println;

use crate::child::{self, End, Ended};
use crate::relay::Relay;

/// Results so far.
pub struct Report {
    plan: u32,
    counts: Counts,
}

/// Says that there is nothing to report, and why.
pub fn bail_out(why: fmt::Arguments<'_>) {
    println!("{VERSION}");
    println!("{BAIL_OUT} {why}");
}

/// A program's outcome, its directive where it is not the outcome's own, and the reason.
type Judged = (Outcome, Option<Directive>, Text<240>);

impl Report {
    /// Prints the version line and the plan.
    pub fn new(plan: u32) -> Self {
        println!("{VERSION}");
        println!("{}", Plan(plan.into()));
        Self { plan, counts: Counts::default() }
    }

    /// Runs a program and prints its result.
    pub fn run(&mut self, run: &Run<'_>, pass: Pass) {
        let mut relay = Relay::new(run.kind);
        let (outcome, directive, reason) = match child::run(run, &mut relay) {
            Ok(ended) => judge(run, &ended, relay.skipped),
            Err(errno) => {
                println!("# cannot start a process: {errno}");
                (Outcome::Fail, None, Text::new())
            }
        };
        let words = run.words().map(|word| word.to_str().unwrap_or("?"));
        let name = ResultName { kind: run.kind, words, pass }.text();
        self.counts.add(outcome);
        println!("{}", TestLine { number: self.counts.total(), name, outcome, directive, reason });
    }

    /// Prints the end, and comments on what went wrong.
    pub fn finish(&self) {
        let plan = u64::from(self.plan);
        let bad = self.counts.failed + self.counts.xpassed + plan - self.counts.total();
        if bad > 0 {
            println!("# {bad} of {plan} programs failed");
        }
    }
}

fn judge(run: &Run<'_>, ended: &Ended, skipped: Option<Text<240>>) -> Judged {
    if run.kind == Kind::Program {
        println!("{}", Mark::<&str>::Code(shell_code(ended.end)));
    }
    let error = |why: fmt::Arguments<'_>| (Outcome::Fail, Some(Directive::Error), Text::of(why));
    let code = match ended.end {
        End::TimedOut => {
            let why = Text::of(format_args!("still running after {} s: killed", run.seconds));
            return (Outcome::Fail, Some(Directive::Timeout), why);
        }
        End::Signal(signal) => return error(format_args!("killed by signal {signal}")),
        End::Code(code) if ended.left_processes => {
            return error(format_args!("exit code {code}, but left processes behind"));
        }
        End::Code(code) => code,
    };
    match (run.kind, Outcome::of_code(code)) {
        (_, Some(Outcome::Pass)) => (Outcome::Pass, None, Text::new()),
        (Kind::Test | Kind::Report, Some(Outcome::Skip)) => {
            (Outcome::Skip, None, skipped.unwrap_or_else(|| Text::of(format_args!("all that it tests"))))
        }
        (Kind::Test, Some(Outcome::Fail)) => (Outcome::Fail, None, Text::new()),
        (Kind::Test, Some(outcome)) => (outcome, None, Text::of(format_args!("see above"))),
        _ => error(format_args!("exit code {code}")),
    }
}

/// The code that a shell would show.
fn shell_code(end: End) -> i32 {
    match end {
        End::Code(code) => code.into(),
        End::Signal(signal) => 128 + signal as i32,
        End::TimedOut => 124,
    }
}
