//! `bench [NAME]`: the per-CPU types beside what programs use today.
//!
//! The package `bench` measures; this builds it, runs it and shows what it prints: a table for each case as soon as it
//! is done, then a page with plots, and on demand the tables and plots of the documentation.

mod args;
mod docs;
mod measured;
mod number;
mod page;
mod plot;
mod printed;
mod program;

pub use args::BenchArgs;

use std::env;
use std::io;
use std::process::ExitCode;

use crate::host::Host;
use crate::report::{Kept, print_json};
use crate::{exit, shell, workspace};
use measured::{Case, Document};

/// Measures, shows, and says by the exit code whether goals were met, if that was asked for.
pub fn main(args: &BenchArgs) -> ExitCode {
    match bench(args) {
        Ok(document) if args.goals && missed(&document.cases) => ExitCode::from(1),
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => exit::stop(2, error),
    }
}

fn missed(cases: &[Case]) -> bool {
    cases.iter().flat_map(|case| &case.goals).any(|goal| goal.met() == Some(false))
}

fn bench(args: &BenchArgs) -> anyhow::Result<Document> {
    let root = workspace::root()?;
    let page = match &args.html {
        Some(path) => path.clone(),
        None => workspace::target_dir(&root)?.join("bench.html"),
    };
    // Before minutes of measuring.
    let mut page = Kept::open(&page, &[])?;
    let program = program::build(&root)?;
    let host = Host::here();
    let mut cases = Vec::new();
    program::run(&program, args, host.cpus, |case| {
        if !args.json {
            printed::print(&mut io::stdout().lock(), &case)?;
        }
        cases.push(case);
        Ok(())
    })?;
    let (rounds, milliseconds) = (args.rounds, args.milliseconds);
    let document = Document { schema: 1, host, command: command(), rounds, milliseconds, cases };
    if args.json {
        print_json(&mut io::stdout(), &document)?;
    }
    page.replace(&page::html(&document))?;
    if let Some(disturbance) = document.disturbance() {
        note!("note: {disturbance}");
    }
    note!("plots: {}", page.path().display());
    if args.docs {
        note!("documentation: {}", docs::update(&root, &document)?.display());
    }
    Ok(document)
}

/// The command line as a user would type it.
fn command() -> String {
    let given: Vec<_> = env::args_os().skip(1).map(shell::word).collect();
    format!("cargo run --release -- {}", given.join(" "))
}
