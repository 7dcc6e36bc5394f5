//! KTAP version 1: the output of every test, and its exit code.
//!
//! A suite prints its plan first. A test that dies leaves the plan unfulfilled, and a suite that is dropped without
//! [`Suite::finish`] prints `Bail out!` and ends the process with 1: neither can pass for success.
//! The format: <https://docs.kernel.org/dev-tools/ktap.html>.

use core::fmt;

use protocol::ktap::{BAIL_OUT, Directive, Plan, SkipAll, TestLine, Totals, VERSION};
use protocol::outcome::{Counts, Outcome};
pub use protocol::outcome::{FAIL, PASS, SKIP, XFAIL, XPASS};
use rseq_rt::println;

use crate::host;
use crate::registration::Registered;
use crate::sys::process;
use crate::text::{self, Text};
pub use crate::verdict::{OrFail, Reason, Unmet, Verdict};

/// Prints a diagnostic line, `# ...`, which belongs to no result.
#[macro_export]
macro_rules! note {
    ($($arg:tt)*) => { $crate::__println!("# {}", format_args!($($arg)*)) };
}

/// The options that choose tests, which every program takes.
pub const LIST: &str = "--list";
/// The value is a part of a test's name.
pub const ONLY: &str = "--only";

/// Which tests run.
#[derive(Clone, Copy)]
struct Choice {
    /// None: their names are printed.
    list: bool,
    /// Those whose names contain this; without it, all.
    only: Option<&'static str>,
}

impl Choice {
    /// What the command line says.
    fn read() -> Self {
        let mut choice = Self { list: false, only: None };
        let mut args = rseq_rt::env::args().skip(1);
        while let Some(option) = args.next() {
            match option {
                LIST => choice.list = true,
                ONLY => choice.only = args.next(),
                _ => {}
            }
        }
        choice
    }

    fn all(self) -> Self {
        Self { only: None, ..self }
    }

    /// Whether the test of this name is to run.
    fn takes(self, name: &str) -> bool {
        !self.list && self.only.is_none_or(|part| text::contains(name.as_bytes(), part.as_bytes()))
    }
}

/// A plan of tests and the results so far.
#[must_use]
pub struct Suite {
    plan: u32,
    depth: usize,
    counts: Counts,
    choice: Choice,
    finished: bool,
}

impl Suite {
    /// Prints the version line, the plan of `plan` results, and how this program is registered.
    pub fn new(plan: u32) -> Self {
        let suite = Self::at(0, plan, Choice::read());
        if let Ok(Registered { length, .. }) = Registered::by_runtime() {
            crate::note!("registered: {length} bytes");
        }
        suite
    }

    /// Reports that nothing can be tested here and returns the exit code that says so.
    pub fn skip_all(reason: fmt::Arguments<'_>) -> u8 {
        println!("{VERSION}");
        println!("{}", SkipAll(reason));
        SKIP
    }

    /// Ends a suite that cannot start: a skip is [`Suite::skip_all`], everything else a failure.
    pub fn cannot_start(unmet: Unmet) -> u8 {
        match unmet {
            Unmet::Skip(why) => Self::skip_all(format_args!("{why}")),
            other => {
                let mut suite = Self::new(1);
                suite.report(format_args!("start"), Err(other));
                suite.finish()
            }
        }
    }

    fn at(depth: usize, plan: u32, choice: Choice) -> Self {
        if choice.list {
            return Self { plan, depth, counts: Counts::default(), choice, finished: false };
        }
        println!("{:depth$}{VERSION}", "");
        println!("{:depth$}{}", "", Plan(plan.into()));
        Self { plan, depth, counts: Counts::default(), choice, finished: false }
    }

    /// The suite itself, or the one that a reference leads to.
    pub fn by_ref(&mut self) -> &mut Self {
        self
    }

    /// Runs one test, if it is chosen, and prints its result.
    // Inlined, there would be a copy for each test.
    #[inline(never)]
    pub fn test(&mut self, name: &str, run: &mut dyn FnMut() -> Verdict) {
        let verdict = if self.choice.takes(name) { run() } else { Err(crate::skip!("not chosen by {ONLY}")) };
        self.report(format_args!("{name}"), verdict);
    }

    /// Prints the result of a test that has run already.
    ///
    /// A failure becomes a skip if the host refuses what the tests need, see [`host::hindrance`]: the reason then names
    /// both.
    pub fn report(&mut self, name: fmt::Arguments<'_>, verdict: Verdict) {
        let verdict = verdict.map_err(|unmet| match (host::hindrance(&unmet), unmet) {
            (Some(host), Unmet::Fail(why) | Unmet::TimedOut(why)) => crate::skip!("{host}: {why}"),
            (_, unmet) => unmet,
        });
        let depth = self.depth;
        if self.choice.list {
            return println!("{:depth$}{name}", "");
        }
        let (outcome, directive, why) = match &verdict {
            Ok(()) => (Outcome::Pass, None, None),
            Err(Unmet::Fail(why)) => {
                println!("{:depth$}# {name}: {why}", "");
                (Outcome::Fail, None, None)
            }
            Err(Unmet::TimedOut(why)) => (Outcome::Fail, Some(Directive::Timeout), Some(why)),
            Err(Unmet::Skip(why)) => (Outcome::Skip, None, Some(why)),
            Err(Unmet::Expected(why)) => (Outcome::Xfail, None, Some(why)),
            Err(Unmet::Unexpected(why)) => (Outcome::Xpass, None, Some(why)),
        };
        let reason = why.map_or("", Text::as_str);
        self.counts.add(outcome);
        println!("{:depth$}{}", "", TestLine { number: self.counts.total(), name, outcome, directive, reason });
    }

    /// The exit code of the results so far; a failure if there are not as many as planned.
    fn exit_code(&self) -> u8 {
        if self.counts.total() == u64::from(self.plan) { self.counts.exit_code() } else { FAIL }
    }

    /// Runs `plan` nested tests; their worst result is the result of `name`.
    pub fn group(&mut self, name: &str, plan: u32, run: &mut dyn FnMut(&mut Suite)) {
        let choice = if self.choice.takes(name) { self.choice.all() } else { self.choice };
        if self.choice.list {
            self.report(format_args!("{name}"), Ok(()));
        }
        let mut inner = Suite::at(self.depth + 2, plan, choice);
        run(&mut inner);
        inner.finished = true;
        if self.choice.list {
            return;
        }
        let verdict = match inner.exit_code() {
            PASS => Ok(()),
            SKIP => Err(crate::skip!("all {plan} parts were skipped")),
            XFAIL => Err(Unmet::Expected(Text::of(format_args!("see above")))),
            XPASS => Err(Unmet::Unexpected(Text::of(format_args!("see above")))),
            _ => Err(crate::fail!("planned {plan}, {}", inner.counts)),
        };
        self.report(format_args!("{name}"), verdict);
    }

    /// Prints the totals and returns the exit code of the whole.
    pub fn finish(mut self) -> u8 {
        self.finished = true;
        if self.choice.list {
            return PASS;
        }
        let total = self.counts.total();
        if total != u64::from(self.plan) {
            println!("# planned {} results but gave {total}", self.plan);
        }
        println!("{}", Totals(self.counts));
        self.exit_code()
    }
}

impl Drop for Suite {
    fn drop(&mut self) {
        if !self.finished {
            println!("{BAIL_OUT} the suite ended before its totals");
            process::exit(FAIL);
        }
    }
}
