//! What a whole run found out.

use std::time::Duration;

use super::size::Size;
use super::tested::Tested;
use crate::ktap::Counts;
use crate::suite::Kind;
use crate::verdict::Status;

/// Everything that a run found out.
#[derive(Debug)]
pub struct Summary {
    /// All runs that took place.
    pub tested: Vec<Tested>,
    /// One row a binary.
    pub rows: Vec<Row>,
    /// Runs that were planned.
    pub planned: usize,
    /// Everything together, the build left out.
    pub elapsed: Duration,
    /// The command line of a run like this one, up to the names of tests.
    pub command: String,
}

impl Summary {
    /// The command that runs what this run was of again, and nothing else.
    pub fn again(&self, run: &Tested) -> String {
        format!("{} {}", self.command, run.planned.entry.name)
    }

    /// Whether not everything ran that was planned.
    pub fn is_cut_short(&self) -> bool {
        self.tested.len() < self.planned
    }

    /// The worst of its runs; a skip only where nothing passed.
    pub fn status(&self) -> Status {
        let mut tests = self.tested.iter().filter(|run| run.planned.entry.kind == Kind::Test).peekable();
        match self.tested.iter().map(|run| run.verdict.status).max() {
            _ if self.is_cut_short() => Status::Failed,
            Some(worst) if worst.is_bad() => Status::Failed,
            _ if tests.peek().is_some() && tests.all(|run| run.verdict.status == Status::Skipped) => Status::Skipped,
            _ => Status::Passed,
        }
    }

    /// All results together.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.rows.iter().for_each(|row| counts.merge(row.counts));
        counts
    }
}

/// One binary, all of its runs together.
#[derive(Debug, Clone)]
pub struct Row {
    /// The binary.
    pub name: String,
    /// How large it is, where it could be read.
    pub size: Option<Size>,
    /// All runs together.
    pub elapsed: Duration,
    /// All results together.
    pub counts: Counts,
    /// The worst of its runs.
    pub status: Status,
}

/// One row for each binary, in the order of their first runs.
pub fn rows(tested: &[Tested], size: impl Fn(&str) -> Option<Size>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for run in tested {
        let name = run.planned.entry.name;
        let position = rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            rows.push(empty(name, size(name), run.verdict.status));
            rows.len() - 1
        });
        add(&mut rows[position], run);
    }
    rows
}

fn empty(name: &str, size: Option<Size>, status: Status) -> Row {
    Row { name: name.into(), size, elapsed: Duration::ZERO, counts: Counts::default(), status }
}

/// A run that failed without a failed result, such as a hang, counts as one failure.
fn add(row: &mut Row, run: &Tested) {
    let mut counts = run.document.as_ref().map(|document| document.counts()).unwrap_or_default();
    if run.verdict.status.is_bad() && counts.failed + counts.xpassed == 0 {
        counts.failed = 1;
    }
    if counts.total() == 0 && run.planned.entry.kind == Kind::Test {
        counts.add(run.verdict.status.outcome());
    }
    row.counts.merge(counts);
    row.elapsed += run.elapsed;
    row.status = row.status.max(run.verdict.status);
}
