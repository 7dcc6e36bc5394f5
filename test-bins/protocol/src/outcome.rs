//! Outcomes of tests, how many there were of each, and kselftest's exit codes.

use core::fmt;

/// Every test passed (kselftest's `KSFT_PASS`).
pub const PASS: u8 = 0;
/// A test failed, or the plan was not fulfilled (`KSFT_FAIL`).
pub const FAIL: u8 = 1;
/// Nothing passed and something failed as it was expected to (`KSFT_XFAIL`).
pub const XFAIL: u8 = 2;
/// Something that was expected to fail passed (`KSFT_XPASS`).
pub const XPASS: u8 = 3;
/// Nothing could be tested here (`KSFT_SKIP`).
pub const SKIP: u8 = 4;

/// The outcome of a test, the worst one last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Passed.
    Pass,
    /// Not run, with a reason.
    Skip,
    /// Failed as expected.
    Xfail,
    /// Passed against expectation: as bad as a failure.
    Xpass,
    /// Failed.
    Fail,
}

impl Outcome {
    /// The meaning of an exit code; `None` where kselftest gives it none.
    pub const fn of_code(code: u8) -> Option<Self> {
        match code {
            PASS => Some(Self::Pass),
            FAIL => Some(Self::Fail),
            XFAIL => Some(Self::Xfail),
            XPASS => Some(Self::Xpass),
            SKIP => Some(Self::Skip),
            _ => None,
        }
    }

    /// Whether a run with this in it must not count as good.
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Fail | Self::Xpass)
    }

    /// The word for it in JSON and in tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Skip => "skip",
            Self::Xfail => "xfail",
            Self::Xpass => "xpass",
            Self::Fail => "fail",
        }
    }
}

/// How many results of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// `ok`.
    pub passed: u64,
    /// `not ok`.
    pub failed: u64,
    /// `# SKIP`.
    pub skipped: u64,
    /// `# XFAIL`.
    pub xfailed: u64,
    /// `# XPASS`.
    pub xpassed: u64,
}

impl Counts {
    /// Counts one more result.
    pub fn add(&mut self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Pass => &mut self.passed,
            Outcome::Fail => &mut self.failed,
            Outcome::Skip => &mut self.skipped,
            Outcome::Xfail => &mut self.xfailed,
            Outcome::Xpass => &mut self.xpassed,
        };
        *count += 1;
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.xfailed += other.xfailed;
        self.xpassed += other.xpassed;
    }

    /// All results together.
    pub fn total(&self) -> u64 {
        self.passed + self.failed + self.skipped + self.xfailed + self.xpassed
    }

    /// The exit code of a program with these results: that of no results is [`SKIP`].
    pub fn exit_code(&self) -> u8 {
        match self {
            Self { failed: 1.., .. } => FAIL,
            Self { xpassed: 1.., .. } => XPASS,
            Self { passed: 1.., .. } => PASS,
            Self { xfailed: 1.., .. } => XFAIL,
            _ => SKIP,
        }
    }
}

/// As KTAP's totals have it.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped, xfailed, xpassed } = self;
        write!(f, "pass:{passed} fail:{failed} xfail:{xfailed} xpass:{xpassed} skip:{skipped} error:0")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_result_gives_the_code_and_a_pass_outweighs_what_is_neither() {
        let code = |outcomes: &[Outcome]| {
            let mut counts = Counts::default();
            outcomes.iter().for_each(|outcome| counts.add(*outcome));
            counts.exit_code()
        };
        assert_eq!(code(&[]), SKIP);
        assert_eq!(code(&[Outcome::Skip, Outcome::Xfail]), XFAIL);
        assert_eq!(code(&[Outcome::Skip, Outcome::Xfail, Outcome::Pass]), PASS);
        assert_eq!(code(&[Outcome::Pass, Outcome::Xpass]), XPASS);
        assert_eq!(code(&[Outcome::Xpass, Outcome::Fail]), FAIL);
    }

    #[test]
    fn one_result_gives_its_own_code() {
        for code in 0..=u8::MAX {
            let Some(outcome) = Outcome::of_code(code) else { continue };
            let mut counts = Counts::default();
            counts.add(outcome);
            assert_eq!((counts.exit_code(), outcome.is_bad()), (code, [FAIL, XPASS].contains(&code)));
        }
        assert_eq!((0..=u8::MAX).filter_map(Outcome::of_code).count(), 5);
    }
}
