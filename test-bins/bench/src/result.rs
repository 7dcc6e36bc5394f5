//! What came of a case, as the command prints it.

use serde::Serialize;

use crate::statistics::Quartiles;

/// All that was measured of a case.
#[derive(Debug, Serialize)]
pub struct CaseResult {
    /// The case's name.
    pub name: &'static str,
    /// What one operation does.
    pub operation: &'static str,
    /// The label of the contender that ratios are multiples of.
    pub reference: &'static str,
    /// In the order of the case's table.
    pub contenders: Vec<ContenderResult>,
    /// In the order of the case's table.
    pub goals: Vec<GoalResult>,
}

/// All that was measured of a contender.
#[derive(Debug, Serialize)]
pub struct ContenderResult {
    /// Its label.
    pub label: &'static str,
    /// Whether it is of this project.
    pub ours: bool,
    /// Why it did not run.
    pub skipped: Option<String>,
    /// In ascending order of the numbers of threads.
    pub points: Vec<Point>,
}

/// A contender with one number of threads.
#[derive(Debug, Serialize)]
pub struct Point {
    /// The number of threads.
    pub threads: usize,
    /// Operations of each thread in a round.
    pub operations: u64,
    /// Nanoseconds of thread CPU time an operation.
    pub cpu_ns: Quartiles,
    /// Nanoseconds by the clock an operation of any thread: 1e9 over this is the throughput.
    pub wall_ns: Quartiles,
    /// CPU time as a multiple of the reference's in the same round, if that ran.
    pub ratio: Option<Quartiles>,
}

/// What became of a goal.
#[derive(Debug, Serialize)]
pub struct GoalResult {
    /// The label of the contender.
    pub contender: &'static str,
    /// The number of threads.
    pub threads: usize,
    /// The label of the contender that the goal is a multiple of; without one it is in nanoseconds.
    pub peer: Option<&'static str>,
    /// The goal.
    pub at_most: f64,
    /// The median, if both ran with this number of threads.
    pub measured: Option<f64>,
}
