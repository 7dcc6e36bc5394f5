//! KTAP version 1: what every test prints, and the exit code that goes with it.
//!
//! A suite announces its plan first. A test that dies leaves the plan unfulfilled, a suite that is dropped without
//! [`Suite::finish`] prints `Bail out!` and ends the process with 1: neither can pass for success.
//! The format: <https://docs.kernel.org/dev-tools/ktap.html>.

use core::fmt;

use protocol::ktap::{BAIL_OUT, Directive, Plan, SkipAll, TestLine, Totals, VERSION};
use protocol::outcome::{Counts, Outcome};
pub use protocol::outcome::{FAIL, PASS, SKIP, XFAIL, XPASS};
use rseq_core::sys::Errno;
use rseq_rt::println;

use crate::host;
use crate::registration::Registered;
use crate::sys::process;
use crate::text::Text;

/// The reason behind a result; cut at 239 bytes.
pub type Reason = Text<240>;

/// Why a test did not simply pass.
pub enum Unmet {
    /// It failed.
    Fail(Reason),
    /// What it waited for did not come before its deadline: it failed, and nothing is known to be wrong.
    Late(Reason),
    /// It cannot run here.
    Skip(Reason),
    /// It failed in a way that is known and accepted.
    Expected(Reason),
    /// It passed although it is known to fail here.
    Unexpected(Reason),
}

/// What a test returns: `Ok` is a pass.
pub type Verdict = Result<(), Unmet>;

/// A failure with a formatted reason.
#[macro_export]
macro_rules! fail {
    ($($arg:tt)*) => { $crate::ktap::Unmet::Fail($crate::text::Text::of(format_args!($($arg)*))) };
}

/// A failure by a deadline, with a formatted reason.
#[macro_export]
macro_rules! late {
    ($($arg:tt)*) => { $crate::ktap::Unmet::Late($crate::text::Text::of(format_args!($($arg)*))) };
}

/// A skip with a formatted reason.
#[macro_export]
macro_rules! skip {
    ($($arg:tt)*) => { $crate::ktap::Unmet::Skip($crate::text::Text::of(format_args!($($arg)*))) };
}

/// An expected failure with a formatted reason.
#[macro_export]
macro_rules! expected {
    ($($arg:tt)*) => { $crate::ktap::Unmet::Expected($crate::text::Text::of(format_args!($($arg)*))) };
}

/// Returns a failure with the formatted reason unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($arg:tt)*) => { if !$condition { return Err($crate::fail!($($arg)*)); } };
}

/// Returns a failure by a deadline with the formatted reason unless the condition holds.
#[macro_export]
macro_rules! in_time {
    ($condition:expr, $($arg:tt)*) => { if !$condition { return Err($crate::late!($($arg)*)); } };
}

/// Prints a diagnostic line, `# ...`, which belongs to no result.
#[macro_export]
macro_rules! note {
    ($($arg:tt)*) => { $crate::__println!("# {}", format_args!($($arg)*)) };
}

/// Turns an error into a test's failure that names what was tried.
pub trait OrFail<T> {
    /// `what` names the step that must not fail.
    fn or_fail(self, what: &str) -> Result<T, Unmet>;
}

impl<T> OrFail<T> for Result<T, Errno> {
    fn or_fail(self, what: &str) -> Result<T, Unmet> {
        match self {
            Ok(value) => Ok(value),
            Err(errno) => Err(failed(what, errno)),
        }
    }
}

impl<T> OrFail<T> for Option<T> {
    fn or_fail(self, what: &str) -> Result<T, Unmet> {
        match self {
            Some(value) => Ok(value),
            None => Err(missing(what)),
        }
    }
}

/// Apart from [`OrFail`], so that there is one copy of it.
#[cold]
#[inline(never)]
fn failed(what: &str, errno: Errno) -> Unmet {
    crate::fail!("{what}: {errno}")
}

#[cold]
#[inline(never)]
fn missing(what: &str) -> Unmet {
    crate::fail!("{what}")
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
        !self.list && self.only.is_none_or(|part| is_part(part.as_bytes(), name.as_bytes()))
    }
}

/// As `str::contains`, whose search for long needles is three times as large as a suite.
fn is_part(part: &[u8], whole: &[u8]) -> bool {
    part.is_empty() || whole.windows(part.len()).any(|window| window == part)
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

    /// Ends a suite that `unmet` keeps from starting: a skip is [`Suite::skip_all`], everything else a failure.
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
    pub fn test(&mut self, name: &str, run: &mut dyn FnMut() -> Verdict) {
        let verdict = if self.choice.takes(name) { run() } else { Err(crate::skip!("not chosen by {ONLY}")) };
        self.report(format_args!("{name}"), verdict);
    }

    /// Prints the result of a test that has run already.
    ///
    /// A failure is a skip where the host refuses what the tests rest on, see [`host::hindrance`]: the reason names
    /// both.
    pub fn report(&mut self, name: fmt::Arguments<'_>, verdict: Verdict) {
        let verdict = verdict.map_err(|unmet| match (host::hindrance(&unmet), unmet) {
            (Some(host), Unmet::Fail(why) | Unmet::Late(why)) => crate::skip!("{host}: {why}"),
            (_, unmet) => unmet,
        });
        let depth = self.depth;
        if self.choice.list {
            return println!("{:depth$}{name}", "");
        }
        let (outcome, directive, reason) = match &verdict {
            Ok(()) => (Outcome::Pass, None, ""),
            Err(Unmet::Fail(why)) => {
                println!("{:depth$}# {name}: {why}", "");
                (Outcome::Fail, None, "")
            }
            Err(Unmet::Late(why)) => (Outcome::Fail, Some(Directive::Timeout), why.as_str()),
            Err(Unmet::Skip(why)) => (Outcome::Skip, None, why.as_str()),
            Err(Unmet::Expected(why)) => (Outcome::Xfail, None, why.as_str()),
            Err(Unmet::Unexpected(why)) => (Outcome::Xpass, None, why.as_str()),
        };
        self.counts.add(outcome);
        println!("{:depth$}{}", "", TestLine { number: self.counts.total(), name, outcome, directive, reason });
    }

    /// The exit code of the results so far, which are a failure where there are not as many as planned.
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
