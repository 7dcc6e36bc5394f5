//! The arguments of `suites`.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::{Args, Parser};

use super::programs::{PROGRAMS, Program};
use super::source;
use crate::kernels::select::Choice;

/// Seconds for each program.
pub const TIMEOUT: u64 = 600;

/// Which programs, and how long each may take.
#[derive(Debug, Parser)]
pub struct SuitesArgs {
    /// Build the kernel's selftests of rseq and membarrier from a tree, or from an archive of Debian's package
    /// linux-source; without DIR from the newest such archive in /usr/src
    #[arg(long, value_name = "DIR", num_args = 0..=1, required_unless_present = "programs")]
    pub kernel_source: Option<Option<PathBuf>>,

    /// Run the programs in DIR, which were linked with librseq.so.0, on ours
    #[arg(long, value_name = "DIR", conflicts_with_all = ["kernel_source", "arch", "kernel", "cell", "all", "check"])]
    pub programs: Option<PathBuf>,

    /// Run only programs with this in their names
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// Loops of each of param_test's tests (default: 1000; in a guest 100)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub loops: Option<u32>,

    /// End a program after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,

    /// Where to boot them, built as static programs for each architecture, in place of running them here
    #[command(flatten)]
    pub guests: Guests,
}

/// Cells of the boot matrix.
#[derive(Debug, Args)]
pub struct Guests {
    /// Which cells
    #[command(flatten)]
    pub choice: Choice,

    /// All architectures on all kernels
    #[arg(long, conflicts_with_all = ["arch", "kernel", "cell"])]
    pub all: bool,

    /// Build for the cells' architectures and check the critical sections, and boot none
    #[arg(long)]
    pub check: bool,

    /// Guests at a time (default: what cores and memory allow)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub jobs: Option<u32>,

    /// Boot a cell again for programs that missed a deadline and nothing else, up to so many times
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub retries: u32,
}

impl Guests {
    /// Whether there are any.
    pub fn is_any(&self) -> bool {
        self.all || !self.choice.is_empty()
    }
}

impl SuitesArgs {
    /// The programs that are asked for. A name that none has is an error.
    pub fn wanted(&self) -> anyhow::Result<Vec<&'static Program>> {
        self.check_names(&PROGRAMS.iter().map(|program| program.name).collect::<Vec<_>>())?;
        let unnamed = |program: &Program| self.names.is_empty() && !program.by_name;
        Ok(PROGRAMS.iter().filter(|program| unnamed(program) || self.is_named(program.name)).collect())
    }

    /// Whether one of the names is a part of this one.
    pub fn is_named(&self, program: &str) -> bool {
        self.names.iter().any(|name| program.contains(name))
    }

    /// Whether each of the names is a part of one of these.
    pub fn check_names(&self, programs: &[&str]) -> anyhow::Result<()> {
        for name in &self.names {
            let is_known = programs.iter().any(|program| program.contains(name));
            ensure!(is_known, "no program has '{name}' in its name: there are {}", programs.join(", "));
        }
        Ok(())
    }

    /// The tree that they are built from.
    pub fn tree(&self, scratch: &Path) -> anyhow::Result<PathBuf> {
        source::tree(self.kernel_source.iter().flatten().next().map(PathBuf::as_path), &scratch.join("kernel"))
    }
}
