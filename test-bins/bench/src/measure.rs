//! From rounds to results.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::rounds::{self, Ran, Times};
use crate::statistics::Quartiles;
use crate::{Case, CaseResult, Contender, ContenderResult, Goal, GoalResult, Limit, Point};

/// How thoroughly to measure.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The numbers of threads, in ascending order.
    pub threads: Vec<usize>,
    /// Rounds with each number of threads.
    pub rounds: u32,
    /// About how long a contender runs in a round.
    pub round: Duration,
}

/// The outcomes of all contenders with one number of threads.
type Measured = (usize, Vec<Ran>);

impl Case {
    /// The numbers of threads with which it runs.
    pub fn threads_of<'a>(&self, settings: &'a Settings) -> impl Iterator<Item = usize> + Clone + 'a {
        let only = self.threads;
        settings.threads.iter().copied().filter(move |threads| only.is_none_or(|only| only.contains(threads)))
    }
}

/// Measures a case with every number of threads.
///
/// # Errors
///
/// That of a contender that lost something, or of the kernel.
pub fn measure(case: &Case, settings: &Settings) -> Result<CaseResult> {
    let run = |threads| Ok((threads, rounds::run(case.contenders, threads, settings).context(case.name)?));
    let measured: Vec<Measured> = case.threads_of(settings).map(run).collect::<Result<_>>()?;
    let contenders = case.contenders.iter().enumerate().map(|(index, contender)| result(contender, index, &measured));
    Ok(CaseResult {
        name: case.name,
        operation: case.operation,
        reference: case.contenders[0].label,
        contenders: contenders.collect(),
        goals: case.goals.iter().map(|goal| judge(case, goal, &measured)).collect(),
    })
}

/// Runs about so many operations of a contender in each of so many threads, and checks that none is lost.
///
/// # Errors
///
/// What was lost, or that it cannot run here.
pub fn exercise(contender: &Contender, threads: usize, operations: u64) -> Result<()> {
    let workload = (contender.make)()?;
    let operations = operations.next_multiple_of(contender.batch);
    std::thread::scope(|scope| crate::crew::Crew::new(scope, threads)?.run(&*workload, operations))?;
    workload.check(operations * threads as u64)
}

fn result(contender: &Contender, index: usize, measured: &[Measured]) -> ContenderResult {
    let points =
        measured.iter().filter_map(|(threads, ran)| point(*threads, ran[index].as_ref().ok()?, ran[0].as_ref().ok()));
    let skipped = measured.iter().find_map(|(_, ran)| ran[index].as_ref().err().map(|reason| format!("{reason:#}")));
    ContenderResult { label: contender.label, ours: contender.ours, skipped, points: points.collect() }
}

fn point(threads: usize, times: &Times, reference: Option<&Times>) -> Option<Point> {
    Some(Point {
        threads,
        operations: times.operations,
        cpu_ns: Quartiles::of(times.cpu.iter().copied())?,
        wall_ns: Quartiles::of(times.wall.iter().copied())?,
        ratio: reference.and_then(|reference| Quartiles::of_ratios(&times.cpu, &reference.cpu)),
    })
}

fn judge(case: &Case, goal: &Goal, measured: &[Measured]) -> GoalResult {
    let (at_most, peer) = match goal.at_most {
        Limit::Nanoseconds(most) => (most, None),
        Limit::Times(most, peer) => (most, Some(peer)),
    };
    let ran = measured.iter().find(|(threads, _)| *threads == goal.threads).map(|(_, ran)| ran);
    let times = |label| {
        let index = case.contenders.iter().position(|contender| contender.label == label)?;
        ran?[index].as_ref().ok()
    };
    let ours = times(goal.contender);
    let quartiles = ours.and_then(|ours| match peer {
        Some(peer) => Quartiles::of_ratios(&ours.cpu, &times(peer)?.cpu),
        None => Quartiles::of(ours.cpu.iter().copied()),
    });
    let measured = quartiles.map(|quartiles| quartiles.median);
    GoalResult { contender: goal.contender, threads: goal.threads, peer, at_most, measured }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmade() -> crate::Made {
        Err(anyhow::anyhow!("not made"))
    }

    const CASE: Case = Case {
        name: "none",
        operation: "nothing",
        contenders: &[Contender::ours("a", unmade), Contender::peer("b", unmade), Contender::peer("c", unmade)],
        goals: &[
            Goal::times("a", 2, 0.5, "b"),
            Goal::times("b", 2, 3.0, "a"),
            Goal::nanoseconds("a", 2, 5.0),
            Goal::times("a", 4, 0.5, "b"),
            Goal::times("a", 2, 0.5, "c"),
        ],
        threads: Some(&[2, 4]),
    };

    fn times(cpu: &[f64]) -> Ran {
        Ok(Times { operations: 1, cpu: cpu.into(), wall: cpu.into() })
    }

    #[test]
    fn goals_are_judged_by_the_rounds_of_both() {
        let measured = [(2, vec![times(&[1.0, 4.0, 2.0]), times(&[4.0, 16.0, 5.0]), unmade().map(|_| unreachable!())])];
        let goals: Vec<_> = CASE.goals.iter().map(|goal| judge(&CASE, goal, &measured).measured).collect();
        assert_eq!(goals, [Some(0.25), Some(4.0), Some(2.0), None, None]);
        let results = [0, 1, 2].map(|index| result(&CASE.contenders[index], index, &measured));
        let ratios = results.each_ref().map(|one| one.points.first().and_then(|point| point.ratio));
        assert_eq!(ratios.map(|ratio| ratio.map(|ratio| ratio.median)), [Some(1.0), Some(4.0), None]);
        assert_eq!(results[2].skipped.as_deref(), Some("not made"));
    }

    #[test]
    fn a_case_may_have_its_own_numbers_of_threads() {
        let settings = Settings { threads: vec![1, 2, 8], rounds: 1, round: Duration::ZERO };
        assert!(CASE.threads_of(&settings).eq([2]));
        assert!(Case { threads: None, ..CASE }.threads_of(&settings).eq([1, 2, 8]));
    }
}
