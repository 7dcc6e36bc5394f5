//! What became of a test, a report, or a cell of the matrix, and why.

mod judge;

pub use judge::{Ending, Reach, guest, report, test};

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::ktap::Outcome;

/// What became of it, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Passed.
    Passed,
    /// Passed, but only when it ran again.
    Flaky,
    /// Not run, or nothing in it could be tested.
    Skipped,
    /// Nothing passed, and something failed as expected.
    ExpectedFailure,
    /// Missed a deadline, and nothing else speaks against it.
    TimedOut,
    /// Failed.
    Failed,
}

impl Status {
    /// The outcome in KTAP and JSON.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Passed | Self::Flaky => Outcome::Pass,
            Self::Skipped => Outcome::Skip,
            Self::ExpectedFailure => Outcome::Xfail,
            Self::TimedOut | Self::Failed => Outcome::Fail,
        }
    }

    /// Whether a report with this in it must not count as good.
    pub const fn is_bad(self) -> bool {
        self.outcome().is_bad()
    }

    /// The word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Flaky => "flaky",
            Self::Skipped => "skipped",
            Self::ExpectedFailure => "xfail",
            Self::TimedOut => "timed out",
            Self::Failed => "failed",
        }
    }
}

/// What became of it, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What became of it.
    pub status: Status,
    /// For a bad one all that speaks against it, for a skip why; else empty.
    pub reasons: Vec<String>,
}

impl Verdict {
    /// Passed: there is nothing to explain.
    pub fn passed() -> Self {
        Self { status: Status::Passed, reasons: Vec::new() }
    }

    /// Not run for this reason.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self { status: Status::Skipped, reasons: vec![reason.into()] }
    }

    /// Failed for this reason.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self { status: Status::Failed, reasons: vec![reason.into()] }
    }

    /// Makes it a failure, for this reason too.
    pub fn fail(&mut self, reason: impl Into<String>) {
        self.status = Status::Failed;
        self.explain(reason);
    }

    /// Adds to the reasons, and leaves the status as it is.
    pub fn explain(&mut self, reason: impl Into<String>) {
        self.reasons.push(reason.into());
    }
}

/// `outcome` as in KTAP, `reasons`, and `timed_out` where deadlines are all that was missed.
impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Verdict", 3)?;
        fields.serialize_field("outcome", self.status.outcome().word())?;
        fields.serialize_field("reasons", &self.reasons)?;
        match self.status {
            Status::TimedOut => fields.serialize_field("timed_out", &true)?,
            _ => fields.skip_field("timed_out")?,
        }
        fields.end()
    }
}
