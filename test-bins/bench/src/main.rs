//! Measures the cases and prints lines of JSON; `cargo run --release -- bench` shows them.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use bench::{Case, CaseResult, Settings, cases, measure};
use clap::Parser;
use serde::Serialize;

/// Measures the per-CPU types of rseq-core beside their peers.
#[derive(Debug, Parser)]
struct Args {
    /// Measure only the cases whose names contain one of these
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Numbers of threads, such as 1,2,8
    #[arg(long, value_name = "N,...", value_delimiter = ',', required = true)]
    threads: Vec<usize>,

    /// Rounds with each number of threads
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// About how long a contender runs in a round
    #[arg(long, value_name = "MS")]
    milliseconds: u64,
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(mut args: Args) -> Result<()> {
    args.threads.sort_unstable();
    args.threads.dedup();
    ensure!(args.threads.first() != Some(&0), "0 threads measure nothing: --threads takes numbers from 1");
    let round = Duration::from_millis(args.milliseconds);
    let settings = Settings { threads: args.threads, rounds: args.rounds, round };
    for case in selected(&args.names)? {
        print(&Line::Begins(announcement(case, &settings)))?;
        print(&Line::Case(measure(case, &settings)?))?;
    }
    Ok(())
}

/// A line of JSON on stdout.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    /// What is measured now, for people.
    Begins(String),
    /// What came of it.
    Case(CaseResult),
}

fn print(line: &Line) -> Result<()> {
    Ok(writeln!(io::stdout(), "{}", serde_json::to_string(line)?)?)
}

fn selected(names: &[String]) -> Result<Vec<&'static Case>> {
    let missing = |name: &&String| !cases::ALL.iter().any(|case| case.name.contains(name.as_str()));
    if let Some(name) = names.iter().find(missing) {
        let known: Vec<_> = cases::ALL.iter().map(|case| case.name).collect();
        bail!("no case has {name:?} in its name; there are {}", known.join(", "));
    }
    let wanted = |case: &&Case| names.is_empty() || names.iter().any(|name| case.name.contains(name.as_str()));
    Ok(cases::ALL.iter().filter(wanted).collect())
}

/// What is measured, and for about how long.
fn announcement(case: &Case, settings: &Settings) -> String {
    let (contenders, threads) = (case.contenders.len(), case.threads_of(settings));
    let runs = settings.rounds * (threads.clone().count() * contenders) as u32;
    let seconds = (settings.round * runs).as_secs().max(1);
    let threads: Vec<_> = threads.map(|threads| threads.to_string()).collect();
    let name = case.name;
    format!("{name}: {contenders} contenders, {} threads, about {seconds} s", threads.join(", "))
}
