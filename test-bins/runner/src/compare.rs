//! `compare --peer PROGRAM`: our param_test beside another one that takes the same options.
//!
//! Runs of both alternate, so that whatever else the machine does concerns both, and the ratio of each pair counts. The
//! medians of these ratios are the result: the peer's time over ours, so that above 1 ours does more operations a second.

mod args;
mod modes;
mod time;

pub use args::CompareArgs;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use crate::{compile, workspace};
use modes::Mode;

/// What came of one mode.
#[derive(Debug, Serialize)]
struct Compared {
    mode: String,
    /// Operations a thread, on both sides.
    repetitions: u64,
    /// Median nanoseconds of processor time an operation.
    ours_ns: f64,
    peer_ns: f64,
    /// Median ratios of the pairs.
    cpu_ratio: f64,
    wall_ratio: f64,
    /// The quarter of the pairs with the lowest ratios ends here, and that with the highest begins here.
    cpu_quartiles: (f64, f64),
}

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    pairs: u32,
    threads: u32,
    modes: &'a [Compared],
}

/// Compares, prints, and says by the exit code whether every mode was fast enough.
pub fn main(args: &CompareArgs) -> ExitCode {
    match compare(args) {
        Ok(compared) if args.at_least.is_some_and(|least| compared.iter().any(|one| one.cpu_ratio < least)) => {
            ExitCode::from(1)
        }
        Ok(_) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn compare(args: &CompareArgs) -> Result<Vec<Compared>, String> {
    let ours = match &args.ours {
        Some(path) => path.clone(),
        None => build()?,
    };
    let mut compared = Vec::new();
    for mode in modes::all(args, &ours) {
        let one = measure(&mode, args)?;
        if !args.json {
            line(&one, compared.is_empty()).map_err(|error| error.to_string())?;
        }
        compared.push(one);
    }
    if args.json {
        let report = Report { schema: 1, pairs: args.pairs, threads: args.threads, modes: &compared };
        let text = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?;
        writeln!(io::stdout(), "{text}").map_err(|error| error.to_string())?;
    }
    Ok(compared)
}

fn build() -> Result<PathBuf, String> {
    let binaries = compile::build(&workspace::root()?)?;
    binaries.get("param_test").cloned().ok_or_else(|| "param_test was not built".into())
}

fn measure(mode: &Mode, args: &CompareArgs) -> Result<Compared, String> {
    let repetitions = calibrate(mode, args.milliseconds as f64 / 1e3)?;
    let mut pairs = Vec::new();
    for pair in 0..args.pairs {
        // Who comes second may find a warmer machine.
        pairs.push(if pair % 2 == 0 {
            let ours = mode.ours.time(repetitions)?;
            (ours, mode.peer.time(repetitions)?)
        } else {
            let peer = mode.peer.time(repetitions)?;
            (mode.ours.time(repetitions)?, peer)
        });
    }
    let sorted = |value: &dyn Fn(&(time::Seconds, time::Seconds)) -> f64| {
        let mut values: Vec<_> = pairs.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let cpu = sorted(&|(ours, peer)| peer.cpu / ours.cpu);
    let nanoseconds = 1e9 / (repetitions as f64 * f64::from(args.threads));
    Ok(Compared {
        mode: mode.name.clone(),
        repetitions,
        ours_ns: quantile(&sorted(&|(ours, _)| ours.cpu), 2) * nanoseconds,
        peer_ns: quantile(&sorted(&|(_, peer)| peer.cpu), 2) * nanoseconds,
        cpu_ratio: quantile(&cpu, 2),
        wall_ratio: quantile(&sorted(&|(ours, peer)| peer.wall / ours.wall), 2),
        cpu_quartiles: (quantile(&cpu, 1), quantile(&cpu, 3)),
    })
}

/// The most repetitions that our param_test takes.
const MOST: u64 = u32::MAX as u64;

/// So many repetitions that the peer needs this many seconds for them.
fn calibrate(mode: &Mode, seconds: f64) -> Result<u64, String> {
    let mut repetitions = 100_000;
    while mode.peer.time(repetitions)?.wall < seconds && repetitions < MOST {
        repetitions = MOST.min(repetitions * 2);
    }
    Ok(repetitions)
}

/// The value below which so many quarters of the sorted values are; the lower one of two.
fn quantile(sorted: &[f64], quarters: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * quarters / 4).copied().unwrap_or(f64::NAN)
}

fn line(one: &Compared, first: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if first {
        writeln!(out, "{:<26} {:>8} {:>8}  peer's time / ours", "", "peer", "ours")?;
        writeln!(out, "{:<26} {:>8} {:>8} {:>8}  {:^11} {:>8}", "", "ns", "ns", "CPU", "quartiles", "wall")?;
    }
    let Compared { mode, ours_ns, peer_ns, cpu_ratio, wall_ratio, cpu_quartiles: (low, high), .. } = one;
    writeln!(
        out,
        "{mode:<26} {peer_ns:>8.2} {ours_ns:>8.2} {cpu_ratio:>8.2}  {low:.2}..{high:<5.2} {wall_ratio:>8.2}"
    )?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_value() {
        assert_eq!(quantile(&[1.0, 2.0, 7.0], 2), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 9.0, 9.0], 1), 2.0);
        assert_eq!(quantile(&[4.0], 3), 4.0);
        assert!(quantile(&[], 2).is_nan());
    }

    #[test]
    fn both_sides_get_the_same_options_but_for_the_index() {
        let args = CompareArgs {
            peer: "c".into(),
            peer_mm_cid: Some("c_mm_cid".into()),
            pairs: 1,
            threads: 4,
            milliseconds: 1,
            at_least: None,
            ours: None,
            json: false,
            options: vec!["-y".into()],
        };
        let modes = modes::all(&args, &"ours".into());
        assert_eq!(modes.len(), 16);
        for mode in modes {
            let peer = mode.peer.options;
            assert_eq!(mode.ours.options[..peer.len()], peer);
            let rest = &mode.ours.options[peer.len()..];
            assert_eq!(rest, if mode.name.ends_with("mm_cid") { &["--mm-cid"][..] } else { &[] }, "{}", mode.name);
            assert!(peer.ends_with(&["-t".into(), "4".into(), "-y".into()]), "{peer:?}");
        }
    }
}
