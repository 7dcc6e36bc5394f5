//! The guest's own KTAP: one result a program, its results nested.

use core::fmt;

use harness::ktap::{FAIL, PASS, SKIP, XFAIL, XPASS};
use harness::text::Text;
use rseq_rt::println;

use crate::child::{self, End, Ended};
use crate::list::{Kind, Run};
use crate::relay::Relay;

/// Results so far.
pub struct Report {
    plan: u32,
    number: u32,
    bad: u32,
}

/// Says that there is nothing to report, and why.
pub fn bail_out(why: fmt::Arguments<'_>) {
    println!("KTAP version 1");
    println!("Bail out! {why}");
}

impl Report {
    /// Prints the version line and the plan.
    pub fn new(plan: u32) -> Self {
        println!("KTAP version 1");
        println!("1..{plan}");
        Self { plan, number: 0, bad: 0 }
    }

    /// Runs a program and prints its result.
    pub fn run(&mut self, run: &Run<'_>, pass: &str) {
        let mut relay = Relay::new(run.kind);
        let name = name(run, pass);
        match child::run(run, &mut relay) {
            Ok(ended) => self.ended(run, &name, &ended, relay.skipped.as_ref()),
            Err(errno) => {
                println!("# cannot start a process: {errno}");
                self.result(false, &name, format_args!(""));
            }
        }
    }

    /// Prints the end, and comments on what went wrong.
    pub fn finish(&self) {
        if self.bad > 0 || self.number != self.plan {
            println!("# {} of {} programs failed", self.bad + self.plan - self.number, self.plan);
        }
    }

    fn ended(&mut self, run: &Run<'_>, name: &Text<160>, ended: &Ended, skipped: Option<&Text<240>>) {
        if run.kind == Kind::Program {
            println!("# guest: code {}", shell_code(ended.end));
        }
        let why = skipped.map_or("all that it tests", Text::as_str);
        match (run.kind, ended.end) {
            (_, End::TimedOut) => {
                self.result(false, name, format_args!(" # TIMEOUT still running after {} s: killed", run.seconds));
            }
            (_, End::Signal(signal)) => self.result(false, name, format_args!(" # ERROR killed by signal {signal}")),
            (_, End::Code(code)) if ended.left_processes => {
                self.result(false, name, format_args!(" # ERROR exit code {code}, but left processes behind"));
            }
            (_, End::Code(PASS)) => self.result(true, name, format_args!("")),
            (Kind::Test | Kind::Report, End::Code(SKIP)) => self.result(true, name, format_args!(" # SKIP {why}")),
            (Kind::Test, End::Code(XFAIL)) => self.result(true, name, format_args!(" # XFAIL see above")),
            (Kind::Test, End::Code(XPASS)) => self.result(false, name, format_args!(" # XPASS see above")),
            (Kind::Test, End::Code(FAIL)) => self.result(false, name, format_args!("")),
            (_, End::Code(code)) => self.result(false, name, format_args!(" # ERROR exit code {code}")),
        }
    }

    fn result(&mut self, good: bool, name: &Text<160>, directive: fmt::Arguments<'_>) {
        self.number += 1;
        self.bad += u32::from(!good);
        println!("{} {} {}{directive}", if good { "ok" } else { "not ok" }, self.number, name.as_str());
    }
}

/// The program's name with its arguments, after the variables that are set for it; of a user's program only the name, for its
/// arguments may be anything.
fn name(run: &Run<'_>, pass: &str) -> Text<160> {
    let mut name = Text::new();
    for word in run.assignments() {
        name.push(format_args!("{} ", word.to_str().unwrap_or("?")));
    }
    for (number, word) in run.command().enumerate() {
        let word = word.to_str().unwrap_or("?");
        match number {
            0 => name.push(format_args!("{}", word.rsplit('/').next().unwrap_or(word))),
            _ if run.kind == Kind::Program => {}
            _ => name.push(format_args!(" {word}")),
        }
    }
    name.push(format_args!("{pass}"));
    name
}

/// The code that a shell would show.
fn shell_code(end: End) -> u32 {
    match end {
        End::Code(code) => code.into(),
        End::Signal(signal) => 128 + signal,
        End::TimedOut => 124,
    }
}
