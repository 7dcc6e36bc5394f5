//! `compare --peer PROGRAM`: our param_test, or our C headers and library, beside others that take the same options.
//!
//! Runs of all alternate, so that whatever else the machine does concerns all, and the ratio of each round counts. The
//! medians of these ratios are the result: a peer's time over ours, so that above 1 ours does more operations a second.

mod args;
mod modes;
mod ours;
mod report;
mod time;

pub use args::CompareArgs;

use std::process::ExitCode;

use anyhow::Context;

use crate::exit;
use modes::Mode;
use report::{Against, Compared};
use time::Seconds;

/// Compares, prints, and says by the exit code whether every mode was fast enough.
pub fn main(args: &CompareArgs) -> ExitCode {
    match compare(args) {
        Ok(compared)
            if args.at_least.is_some_and(|least| !compared.iter().all(|one| one.fastest().cpu_ratio >= least)) =>
        {
            ExitCode::from(1)
        }
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => exit::stop(2, error),
    }
}

fn compare(args: &CompareArgs) -> anyhow::Result<Vec<Compared>> {
    let ours = match &args.ours {
        Some(path) => path.clone(),
        None => ours::build(args.code)?,
    };
    let mut compared = Vec::new();
    let modes = modes::all(args, &ours);
    let longest = modes.iter().map(|mode| mode.name.len()).max().unwrap_or_default();
    for mode in modes {
        let one = measure(&mode, args)?;
        if !args.json {
            report::line(&one, compared.is_empty(), longest)?;
        }
        compared.push(one);
    }
    if args.json {
        report::json(args, &compared)?;
    }
    Ok(compared)
}

fn measure(mode: &Mode, args: &CompareArgs) -> anyhow::Result<Compared> {
    let repetitions = calibrate(mode, args.milliseconds as f64 / 1e3)?;
    let mut rounds = Vec::new();
    for round in 0..args.pairs as usize {
        rounds.push(in_turn(mode, repetitions, round)?);
    }
    let nanoseconds = 1e9 / (repetitions as f64 * f64::from(args.threads));
    let ours = sorted(&rounds, |times| times[0].cpu);
    let peers = mode.peers.iter().enumerate().map(|(number, (name, _))| {
        let times = sorted(&rounds, |times| times[number + 1].cpu);
        let cpu = sorted(&rounds, |times| times[number + 1].cpu / times[0].cpu);
        let wall = sorted(&rounds, |times| times[number + 1].wall / times[0].wall);
        Against {
            name: name.clone(),
            ns: quantile(&times, 2) * nanoseconds,
            cpu_ratio: quantile(&cpu, 2),
            wall_ratio: quantile(&wall, 2),
            cpu_quartiles: (quantile(&cpu, 1), quantile(&cpu, 3)),
        }
    });
    Ok(Compared::new(mode.name.clone(), repetitions, quantile(&ours, 2) * nanoseconds, peers.collect()))
}

/// The times of ours and of each peer, in this order; each round begins with the next one, as who comes later may find
/// a warmer machine.
fn in_turn(mode: &Mode, repetitions: u64, round: usize) -> anyhow::Result<Vec<Seconds>> {
    let programs: Vec<_> = [&mode.ours].into_iter().chain(mode.peers.iter().map(|(_, peer)| peer)).collect();
    let mut times = vec![Seconds { wall: f64::NAN, cpu: f64::NAN }; programs.len()];
    for turn in 0..programs.len() {
        let next = (round + turn) % programs.len();
        times[next] = programs[next].time(repetitions)?;
    }
    Ok(times)
}

fn sorted(rounds: &[Vec<Seconds>], value: impl Fn(&[Seconds]) -> f64) -> Vec<f64> {
    let mut values: Vec<_> = rounds.iter().map(|times| value(times)).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The most repetitions that our param_test takes.
const MOST: u64 = u32::MAX as u64;

/// So many repetitions that the first peer needs this many seconds for them.
fn calibrate(mode: &Mode, seconds: f64) -> anyhow::Result<u64> {
    let mut repetitions = 100_000;
    let (_, first) = mode.peers.first().context("there is no peer")?;
    while first.time(repetitions)?.wall < seconds && repetitions < MOST {
        repetitions = MOST.min(repetitions * 2);
    }
    Ok(repetitions)
}

/// The value below which so many quarters of the sorted values are; the lower one of two.
fn quantile(sorted: &[f64], quarters: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * quarters / 4).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::args::Code;
    use super::*;

    fn args() -> CompareArgs {
        let peer = |name: &str| args::Peer { name: name.into(), path: name.into() };
        CompareArgs {
            code: Code::ParamTest,
            peer: vec![peer("c"), peer("d")],
            peer_mm_cid: vec![peer("c_mm_cid")],
            pairs: 1,
            threads: 4,
            milliseconds: 1,
            at_least: None,
            ours: None,
            ours_mm_cid: None,
            json: false,
            options: vec!["-y".into()],
        }
    }

    #[test]
    fn the_median_is_the_middle_value() {
        assert_eq!(quantile(&[1.0, 2.0, 7.0], 2), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 9.0, 9.0], 1), 2.0);
        assert_eq!(quantile(&[4.0], 3), 4.0);
        assert!(quantile(&[], 2).is_nan());
    }

    #[test]
    fn programs_of_c_have_both_indexes_and_the_same_options() {
        for (code, count, first) in [
            (Code::Operations, 18, &["-T", "load_cbne_store", "-i", "cpu_id", "-t", "4", "-y"][..]),
            (Code::Mempool, 5, &["-T", "a", "-t", "4", "-y"]),
        ] {
            let modes = modes::all(&CompareArgs { code, ..args() }, &"ours".into());
            assert_eq!(modes.len(), count);
            assert_eq!(modes[0].ours.options, first);
            for mode in modes {
                let same = |(_, peer): &(String, time::Program)| peer.options == mode.ours.options;
                assert!(mode.peers.len() == 2 && mode.peers.iter().all(same), "{}", mode.name);
            }
        }
    }

    #[test]
    fn all_sides_get_the_same_options_but_for_the_index() {
        let args = args();
        let in_c = CompareArgs { ours_mm_cid: Some("ours_mm_cid".into()), ..args.clone() };
        for mode in modes::all(&in_c, &"ours".into()) {
            let name = if mode.name.ends_with("mm_cid") { "ours_mm_cid" } else { "ours" };
            assert_eq!((mode.ours.path, mode.ours.options), (name.into(), mode.peers[0].1.options.clone()));
        }
        let modes = modes::all(&args, &"ours".into());
        assert_eq!(modes.len(), 16);
        for mode in modes {
            let by_mm_cid = mode.name.ends_with("mm_cid");
            assert_eq!(mode.peers.len(), if by_mm_cid { 1 } else { 2 });
            for (_, peer) in mode.peers {
                let options = peer.options;
                assert_eq!(mode.ours.options[..options.len()], options);
                let rest = &mode.ours.options[options.len()..];
                assert_eq!(rest, if by_mm_cid { &["--mm-cid"][..] } else { &[] }, "{}", mode.name);
                assert!(options.ends_with(&["-t".into(), "4".into(), "-y".into()]), "{options:?}");
            }
        }
    }
}
