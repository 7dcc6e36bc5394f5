//! The arguments of `bench`.

use std::path::PathBuf;

/// What to measure, for how long, and where to show it.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// Measure only the cases whose names contain one of these
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// Numbers of threads [default: powers of two up to four times the number of CPUs]
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub threads: Vec<u32>,

    /// Rounds with each number of threads; in each, all contenders run in turn
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rounds: u32,

    /// About how long a contender runs in a round
    #[arg(long, value_name = "MS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub milliseconds: u64,

    /// Exit with 1 if a goal is missed
    #[arg(long)]
    pub goals: bool,

    /// Print one JSON document on stdout
    #[arg(long)]
    pub json: bool,

    /// Where to write the page with the plots [default: bench.html in cargo's target directory]
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Also write tables and plots into rseq-core/docs, from a run of all cases
    #[arg(long, conflicts_with = "names")]
    pub docs: bool,
}

impl BenchArgs {
    /// The numbers of threads that were asked for, or the default on a machine with so many CPUs.
    pub fn threads(&self, cpus: u32) -> Vec<u32> {
        if !self.threads.is_empty() {
            return self.threads.clone();
        }
        (0..u32::BITS).map(|bit| 1 << bit).take_while(|&threads| threads <= 4 * cpus).collect()
    }
}
