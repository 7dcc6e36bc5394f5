//! The arguments of `check`.

use std::path::PathBuf;

use crate::rule::Rule;

/// What to check.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Linked ELF files: programs and shared objects
    #[arg(value_name = "FILE", required_unless_present = "explain")]
    pub files: Vec<PathBuf>,

    /// Print one JSON document on stdout
    #[arg(long)]
    pub json: bool,

    /// Take what would be noted for a fault, by its code (several times: these)
    #[arg(long, value_name = "CODE")]
    pub deny: Vec<Rule>,

    /// As --deny RC0312, for code whose sections do not store before their commit
    #[arg(long)]
    pub one_store: bool,

    /// Also find what DynamoRIO does not support: --deny RC0601 to RC0604
    #[arg(long)]
    pub dynamorio: bool,

    /// Print what a code means, its cause and its cure; without a code, of all
    #[arg(long, value_name = "CODE", num_args = 0..=1)]
    pub explain: Option<Option<Rule>>,
}

impl CheckArgs {
    /// The rules that are faults where they would be noted, or not be looked for.
    pub fn denied(&self) -> Vec<Rule> {
        let early = self.one_store.then_some(Rule::EarlyStore);
        let dynamorio = if self.dynamorio { Rule::DYNAMORIO } else { &[] };
        self.deny.iter().chain(dynamorio).copied().chain(early).collect()
    }
}
