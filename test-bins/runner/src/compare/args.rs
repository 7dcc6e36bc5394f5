//! The arguments of `compare`.

use std::path::PathBuf;

/// What to compare with, and for how long.
#[derive(Debug, clap::Args)]
pub struct CompareArgs {
    /// A param_test by CPU number that takes the kernel's options, such as param_test_benchmark
    #[arg(long, value_name = "PROGRAM")]
    pub peer: PathBuf,

    /// The same by concurrency ID, such as param_test_mm_cid_benchmark
    #[arg(long, value_name = "PROGRAM")]
    pub peer_mm_cid: Option<PathBuf>,

    /// Pairs of runs, ours and the peer's in turn, in each mode
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub pairs: u32,

    /// Threads of each run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub threads: u32,

    /// How long the peer's operations last in each run, at least
    #[arg(long, value_name = "MS", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub milliseconds: u64,

    /// Exit with 1 if a median ratio of processor time is below this
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    pub at_least: Option<f64>,

    /// Our param_test, instead of building it
    #[arg(long, value_name = "PROGRAM")]
    pub ours: Option<PathBuf>,

    /// Print one JSON document on stdout
    #[arg(long)]
    pub json: bool,

    /// Options for both sides, such as -s 1
    #[arg(value_name = "OPTION", last = true)]
    pub options: Vec<String>,
}

/// A number that a ratio can be below.
fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().ok().filter(|ratio: &f64| ratio.is_finite() && *ratio > 0.0);
    ratio.ok_or_else(|| "it is not a positive number".into())
}
