//! Entries of the suite to single runs.

use std::fmt;
use std::time::Duration;

use crate::suite::{Entry, Kind};

/// One run of one binary.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The binary.
    pub entry: &'static Entry,
    /// Its arguments.
    pub args: Vec<&'static str>,
    /// Which repetition this is, from 1, and of how many.
    pub round: (u32, u32),
    /// When it counts as hung.
    pub timeout: Duration,
}

/// What the command line says about the runs.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Long grids instead of the short default.
    pub full: bool,
    /// How often everything runs.
    pub repeat: u32,
    /// Seconds, instead of each entry's own.
    pub timeout: Option<u64>,
    /// Reports print JSON.
    pub json: bool,
}

/// All runs, in order.
pub fn plan(entries: &[&'static Entry], extent: Extent) -> Vec<Planned> {
    let rounds = (1..=extent.repeat).map(|round| (round, extent.repeat));
    rounds.flat_map(|round| entries.iter().flat_map(move |entry| runs(entry, extent, round))).collect()
}

fn runs(entry: &'static Entry, extent: Extent, round: (u32, u32)) -> impl Iterator<Item = Planned> {
    let runs = if extent.full { entry.full } else { entry.native };
    let seconds = if extent.full { entry.full_timeout } else { entry.timeout };
    let timeout = Duration::from_secs(extent.timeout.unwrap_or(seconds));
    let report = (entry.kind == Kind::Report && extent.json).then_some("--json");
    entry.with_legacy(runs).map(move |args| {
        let args = args.iter().copied().chain(report).collect();
        Planned { entry, args, round, timeout }
    })
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.entry.name)?;
        self.args.iter().try_for_each(|arg| write!(f, " {arg}"))?;
        match self.round {
            (_, 1) => Ok(()),
            (round, of) => write!(f, " (round {round} of {of})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::SUITE;

    const ONCE: Extent = Extent { full: false, repeat: 1, timeout: None, json: false };

    fn all(extent: Extent) -> Vec<Planned> {
        plan(&SUITE.iter().collect::<Vec<_>>(), extent)
    }

    #[test]
    fn repetitions_come_round_by_round() {
        let once = all(ONCE).len();
        let runs = all(Extent { repeat: 3, ..ONCE });
        assert_eq!(runs.len(), 3 * once);
        assert_eq!((runs[0].round, runs[once].round), ((1, 3), (2, 3)));
        assert!(runs[0].to_string().ends_with(" (round 1 of 3)"));
    }

    #[test]
    fn a_given_timeout_replaces_every_other() {
        let runs = all(Extent { timeout: Some(7), ..ONCE });
        assert!(runs.iter().all(|run| run.timeout == Duration::from_secs(7)));
    }

    #[test]
    fn only_reports_are_asked_for_json() {
        for run in all(Extent { json: true, ..ONCE }) {
            assert_eq!(run.args.contains(&"--json"), run.entry.kind == Kind::Report);
        }
    }
}
