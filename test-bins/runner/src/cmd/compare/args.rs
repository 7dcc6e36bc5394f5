//! The arguments of `compare`.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;

/// The program that each side has, compiled from its own code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Code {
    /// Ours in Rust; the peers' is the kernel's param_test, or librseq's
    #[value(name = "param_test")]
    ParamTest,
    /// rseq-core/c/benches/operations.c, on the C headers; the peers' is the same file on theirs
    Operations,
    /// rseq-core/c/benches/mempool.c, on the C library; the peers' is the same file on librseq
    Mempool,
}

/// What to compare with, and for how long.
#[derive(Debug, Clone, clap::Args)]
pub struct CompareArgs {
    /// What both sides run
    #[arg(long, value_name = "NAME", value_enum, default_value = "param_test")]
    pub code: Code,

    /// A peer's program: of param_test the one by CPU number, such as param_test_benchmark; several times for several
    #[arg(long, value_name = "[NAME=]PROGRAM", required = true)]
    pub peer: Vec<Peer>,

    /// A peer's param_test by concurrency ID, such as param_test_mm_cid_benchmark; other programs have both indexes
    #[arg(long, value_name = "[NAME=]PROGRAM")]
    pub peer_mm_cid: Vec<Peer>,

    /// Rounds of runs, ours and each peer's in turn, in each mode
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub pairs: u32,

    /// Threads of each run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub threads: u32,

    /// How long the first peer's operations last in each run, at least
    #[arg(long, value_name = "MS", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub milliseconds: u64,

    /// Exit with 1 if a median ratio of processor time, to the fastest peer, is below this
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    pub at_least: Option<f64>,

    /// Our program, instead of building it
    #[arg(long, value_name = "PROGRAM")]
    pub ours: Option<PathBuf>,

    /// Ours by concurrency ID where that is a program of its own, as in C
    #[arg(long, value_name = "PROGRAM", requires = "ours")]
    pub ours_mm_cid: Option<PathBuf>,

    /// Print one JSON document on stdout
    #[arg(long)]
    pub json: bool,

    /// Options for both sides, such as -s 1
    #[arg(value_name = "OPTION", last = true)]
    pub options: Vec<String>,
}

/// A program to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// What the report calls it.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
}

impl FromStr for Peer {
    type Err = Infallible;

    /// A path with a name before it, or one alone: its directory is its name then, as the programs of all C suites are
    /// called alike.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.split_once('=') {
            Some((name, path)) if !name.is_empty() && !name.contains('/') => {
                Self { name: name.into(), path: path.into() }
            }
            _ => {
                let path = PathBuf::from(text);
                let directory = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
                Self { name: directory.unwrap_or_else(|| "peer".into()), path }
            }
        })
    }
}

/// A number that a ratio can be below.
fn ratio(text: &str) -> anyhow::Result<f64> {
    let ratio = text.parse().ok().filter(|ratio: &f64| ratio.is_finite() && *ratio > 0.0);
    ratio.context("it is not a positive number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_the_name_given_or_its_directory() {
        for (text, name, path) in [
            ("librseq=/a/b/c", "librseq", "/a/b/c"),
            ("/a/b/c", "b", "/a/b/c"),
            ("/a=b/c", "a=b", "/a=b/c"),
            ("c", "peer", "c"),
            ("=c", "peer", "=c"),
        ] {
            assert_eq!(text.parse(), Ok(Peer { name: name.into(), path: path.into() }), "{text}");
        }
    }
}
