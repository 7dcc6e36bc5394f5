//! What the program `bench` prints, a line of JSON for each case, and the document that is made of it.

use serde::{Deserialize, Serialize};

use crate::host::Host;

/// Everything that one run of the command found out.
#[derive(Debug, Serialize)]
pub struct Document {
    /// The version of this form.
    pub schema: u32,
    /// Where and when.
    pub host: Host,
    /// The command line.
    pub command: String,
    /// Rounds with each number of threads.
    pub rounds: u32,
    /// About how long a contender ran in a round.
    pub milliseconds: u64,
    /// In the order in which they ran.
    pub cases: Vec<Case>,
}

/// Above this part of the time, other programs hardly disturb.
const UNDISTURBED: f64 = 0.9;

impl Document {
    /// What to say if other programs took CPUs from the threads: these met less often then.
    ///
    /// It goes by the references, which never sleep, with numbers of threads that have a CPU each.
    pub fn disturbance(&self) -> Option<String> {
        let references = self.cases.iter().filter_map(|case| case.contenders.first());
        let points = references.flat_map(|reference| &reference.points).filter(|point| point.threads <= self.host.cpus);
        let share = points.map(Point::share).fold(1.0, f64::min);
        (share < UNDISTURBED).then(|| {
            format!(
                "Other programs ran meanwhile: threads with a CPU each ran {:.0} % of the time, so that they met less \
                 often. Figures of contended contenders are lower than on an idle machine.",
                share * 100.0
            )
        })
    }
}

/// A case: contenders that do the same thing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    /// What one operation does.
    pub operation: String,
    /// The label of the contender that ratios are multiples of.
    pub reference: String,
    pub contenders: Vec<Contender>,
    pub goals: Vec<Goal>,
}

/// A contender and its points, in ascending order of threads.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contender {
    pub label: String,
    /// Whether it is of this project.
    pub ours: bool,
    /// Why it did not run.
    pub skipped: Option<String>,
    pub points: Vec<Point>,
}

/// What an operation takes with one number of threads.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    pub threads: u32,
    /// Operations of each thread in a round.
    pub operations: u64,
    /// Nanoseconds of thread CPU time.
    pub cpu_ns: Quartiles,
    /// Nanoseconds by the clock, of all threads together.
    pub wall_ns: Quartiles,
    /// CPU time as a multiple of the reference's in the same round.
    pub ratio: Option<Quartiles>,
}

/// A median and the quartiles around it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quartiles {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

/// A goal and what was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    pub contender: String,
    pub threads: u32,
    /// What `at_most` is a multiple of; without one it is in nanoseconds.
    pub peer: Option<String>,
    pub at_most: f64,
    pub measured: Option<f64>,
}

impl Case {
    /// The numbers of threads, in ascending order.
    pub fn threads(&self) -> Vec<u32> {
        let mut threads: Vec<_> = self.points().map(|point| point.threads).collect();
        threads.sort_unstable();
        threads.dedup();
        threads
    }

    /// The points of all contenders.
    pub fn points(&self) -> impl Iterator<Item = &Point> {
        self.contenders.iter().flat_map(|contender| &contender.points)
    }
}

impl Point {
    /// The part of the time by the clock in which its threads ran.
    fn share(&self) -> f64 {
        self.cpu_ns.median / (self.wall_ns.median * f64::from(self.threads))
    }
}

impl Contender {
    /// The point with so many threads.
    pub fn with(&self, threads: u32) -> Option<&Point> {
        self.points.iter().find(|point| point.threads == threads)
    }
}

impl Goal {
    /// Whether it is met; None if it was not measured.
    pub fn met(&self) -> Option<bool> {
        self.measured.map(|measured| measured <= self.at_most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Its types are not these, since the command does not link the peers.
    #[test]
    fn what_the_program_prints_is_read() {
        let case = &bench::cases::ALL[0];
        let settings = bench::Settings { threads: vec![1, 2], rounds: 3, round: Duration::from_micros(100) };
        let printed = serde_json::to_string(&bench::measure(case, &settings).unwrap()).unwrap();
        let read: Case = serde_json::from_str(&printed).unwrap();
        assert_eq!((read.name.as_str(), read.reference.as_str()), (case.name, case.contenders[0].label));
        assert_eq!((read.contenders.len(), read.goals.len()), (case.contenders.len(), case.goals.len()));
        assert_eq!(read.threads(), [1, 2]);
        assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::from_str::<serde_json::Value>(&printed).unwrap());
    }

    #[test]
    fn threads_that_other_programs_disturbed_are_noticed() {
        let host = Host { cpu: "x".into(), cpus: 2, kernel: "6.1".into(), arch: "x", date: "today".into() };
        let cases = vec![crate::bench::printed::sample::case(&[1, 2, 4])];
        let mut document = Document { schema: 1, host, command: "bench".into(), rounds: 1, milliseconds: 1, cases };
        let point = |document: &mut Document, index: usize, share: f64| {
            let point = &mut document.cases[0].contenders[0].points[index];
            point.wall_ns.median = point.cpu_ns.median / f64::from(point.threads) / share;
        };
        for index in 0..3 {
            point(&mut document, index, 0.95);
        }
        // Four threads on two CPUs.
        point(&mut document, 2, 0.5);
        assert_eq!(document.disturbance(), None);
        point(&mut document, 1, 0.62);
        assert!(document.disturbance().is_some_and(|text| text.contains(" 62 % of the time")));
    }

    #[test]
    fn a_goal_is_met_up_to_its_limit() {
        let goal = |measured| Goal { contender: "a".into(), threads: 1, peer: None, at_most: 2.0, measured };
        assert_eq!([Some(2.0), Some(2.1), None].map(|measured| goal(measured).met()), [Some(true), Some(false), None]);
    }
}
