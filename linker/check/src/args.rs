//! The arguments of `check`.

use std::path::PathBuf;

/// What to check.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Linked ELF files: programs and shared objects
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Print one JSON document on stdout
    #[arg(long)]
    pub json: bool,

    /// Take a store before a section's commit for a fault, too: for code whose sections repeat none
    #[arg(long)]
    pub one_store: bool,
}
