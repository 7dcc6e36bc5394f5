//! A run of a binary that is over.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use super::plan::Planned;
use crate::ktap::Document;
use crate::verdict::Verdict;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By `exit` with this code.
    Code(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// Still running at its deadline, and killed.
    TimedOut,
    /// Killed because the user wanted an end.
    Interrupted,
}

impl End {
    /// A program that ended by itself just before it was killed counts as what it did.
    pub fn of(status: ExitStatus, killed: Option<Self>) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => killed.unwrap_or(Self::Signal(signal.unwrap_or_default())),
        }
    }
}

/// A run that is over.
#[derive(Debug)]
pub struct Tested {
    /// What ran.
    pub planned: Planned,
    /// How it ended; `None` where it did not start.
    pub end: Option<End>,
    /// From start to end.
    pub elapsed: Duration,
    /// What it printed, for a test.
    pub document: Option<Document>,
    /// What it printed, for a report.
    pub text: Vec<String>,
    /// The last lines of its stderr.
    pub stderr: Vec<String>,
    /// Whether that is good.
    pub verdict: Verdict,
}
