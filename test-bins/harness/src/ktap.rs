//! KTAP version 1: what every test prints, and the exit code that goes with it.
//!
//! A suite announces its plan first. A test that dies leaves the plan unfulfilled, a suite that is dropped without
//! [`Suite::finish`] prints `Bail out!` and ends the process with 1: neither can pass for success.
//! The format: <https://docs.kernel.org/dev-tools/ktap.html>.

use core::fmt;

use rseq_core::sys::Errno;
use rseq_rt::println;

use crate::registration::Registered;
use crate::sys::process;
use crate::text::Text;

/// The reason behind a result; cut at 239 bytes.
pub type Reason = Text<240>;

/// Every test passed (kselftest's KSFT_PASS).
pub const PASS: u8 = 0;
/// A test failed, or the plan was not fulfilled (KSFT_FAIL).
pub const FAIL: u8 = 1;
/// Nothing passed and something failed as it was expected to (KSFT_XFAIL).
pub const XFAIL: u8 = 2;
/// Something that was expected to fail passed (KSFT_XPASS).
pub const XPASS: u8 = 3;
/// Nothing could be tested here (KSFT_SKIP).
pub const SKIP: u8 = 4;

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

/// What became of a test, in the order of the totals line.
#[derive(Clone, Copy)]
enum Kind {
    Pass,
    Fail,
    Xfail,
    Xpass,
    Skip,
}

impl Kind {
    fn is_bad(self) -> bool {
        matches!(self, Self::Fail | Self::Xpass)
    }
}

/// How many results of each [`Kind`] there were.
#[derive(Clone, Copy, Default)]
struct Tally([u32; 5]);

impl Tally {
    fn count(&mut self, kind: Kind) {
        let Self(counts) = self;
        counts[kind as usize] += 1;
    }

    fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    fn exit_code(&self, plan: u32) -> u8 {
        let [pass, fail, xfail, xpass, skip] = self.0;
        match () {
            () if fail > 0 || self.total() != plan => FAIL,
            () if xpass > 0 => XPASS,
            () if pass > 0 => PASS,
            () if xfail > 0 => XFAIL,
            () if skip > 0 => SKIP,
            () => PASS,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [pass, fail, xfail, xpass, skip] = self.0;
        write!(f, "pass:{pass} fail:{fail} xfail:{xfail} xpass:{xpass} skip:{skip} error:0")
    }
}

/// A plan of tests and the results so far.
#[must_use]
pub struct Suite {
    plan: u32,
    depth: usize,
    tally: Tally,
    finished: bool,
}

impl Suite {
    /// Prints the version line, the plan of `plan` results, and how this program is registered.
    pub fn new(plan: u32) -> Self {
        let suite = Self::at(0, plan);
        if let Ok(Registered { length, .. }) = Registered::by_runtime() {
            crate::note!("registered: {length} bytes");
        }
        suite
    }

    /// Reports that nothing can be tested here and returns [`SKIP`].
    pub fn skip_all(reason: fmt::Arguments<'_>) -> u8 {
        println!("KTAP version 1");
        println!("1..0 # SKIP {reason}");
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

    fn at(depth: usize, plan: u32) -> Self {
        println!("{:depth$}KTAP version 1", "");
        println!("{:depth$}1..{plan}", "");
        Self { plan, depth, tally: Tally::default(), finished: false }
    }

    /// Runs one test and prints its result.
    pub fn test(&mut self, name: &str, run: &mut dyn FnMut() -> Verdict) {
        let verdict = run();
        self.report(format_args!("{name}"), verdict);
    }

    /// Prints the result of a test that has run already.
    pub fn report(&mut self, name: fmt::Arguments<'_>, verdict: Verdict) {
        let depth = self.depth;
        let (kind, directive, why) = match &verdict {
            Ok(()) => (Kind::Pass, "", None),
            Err(Unmet::Fail(why)) => {
                println!("{:depth$}# {name}: {why}", "");
                (Kind::Fail, "", None)
            }
            Err(Unmet::Late(why)) => (Kind::Fail, " # TIMEOUT ", Some(why)),
            Err(Unmet::Skip(why)) => (Kind::Skip, " # SKIP ", Some(why)),
            Err(Unmet::Expected(why)) => (Kind::Xfail, " # XFAIL ", Some(why)),
            Err(Unmet::Unexpected(why)) => (Kind::Xpass, " # XPASS ", Some(why)),
        };
        self.tally.count(kind);
        let (not, number) = (if kind.is_bad() { "not " } else { "" }, self.tally.total());
        let why = why.map_or("", Text::as_str);
        println!("{:depth$}{not}ok {number} {name}{directive}{why}", "");
    }

    /// Runs `plan` nested tests; their worst result is the result of `name`.
    pub fn group(&mut self, name: &str, plan: u32, run: &mut dyn FnMut(&mut Suite)) {
        let mut inner = Suite::at(self.depth + 2, plan);
        run(&mut inner);
        inner.finished = true;
        let verdict = match inner.tally.exit_code(plan) {
            PASS => Ok(()),
            SKIP => Err(crate::skip!("all {plan} parts were skipped")),
            XFAIL => Err(Unmet::Expected(Text::of(format_args!("see above")))),
            XPASS => Err(Unmet::Unexpected(Text::of(format_args!("see above")))),
            _ => Err(crate::fail!("planned {plan}, {}", inner.tally)),
        };
        self.report(format_args!("{name}"), verdict);
    }

    /// Prints the totals and returns the exit code of the whole.
    pub fn finish(mut self) -> u8 {
        self.finished = true;
        if self.tally.total() != self.plan {
            println!("# planned {} results but gave {}", self.plan, self.tally.total());
        }
        println!("# Totals: {}", self.tally);
        self.tally.exit_code(self.plan)
    }
}

impl Drop for Suite {
    fn drop(&mut self) {
        if !self.finished {
            println!("Bail out! the suite ended before its totals");
            process::exit(FAIL);
        }
    }
}
