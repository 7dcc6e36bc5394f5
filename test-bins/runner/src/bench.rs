//! `bench [NAME]`: the per-CPU types beside what programs use today.
//!
//! The package `bench` measures; this builds it, runs it and shows what it prints: a table for each case as soon as it
//! is done, then a page with plots, and on demand the tables and plots of the documentation.

mod args;
mod docs;
mod host;
mod measured;
mod number;
mod page;
mod plot;
mod program;
mod table;

pub use args::BenchArgs;

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::workspace;
use host::Host;
use measured::{Case, Document};

/// Measures, shows, and says by the exit code whether goals were met, if that was asked for.
pub fn main(args: &BenchArgs) -> ExitCode {
    match bench(args) {
        Ok(document) if args.goals && missed(&document.cases) => ExitCode::from(1),
        Ok(_) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn missed(cases: &[Case]) -> bool {
    cases.iter().flat_map(|case| &case.goals).any(|goal| goal.met() == Some(false))
}

fn bench(args: &BenchArgs) -> Result<Document, String> {
    let root = workspace::root()?;
    let page = match &args.html {
        Some(path) => path.clone(),
        None => workspace::target_dir(&root)?.join("bench.html"),
    };
    let program = program::build(&root)?;
    let host = Host::here();
    let mut cases = Vec::new();
    program::run(&program, args, host.cpus, |case| {
        if !args.json {
            table::print(&mut io::stdout().lock(), &case).map_err(|error| error.to_string())?;
        }
        cases.push(case);
        Ok(())
    })?;
    let (rounds, milliseconds) = (args.rounds, args.milliseconds);
    let document = Document { schema: 1, host, command: command(), rounds, milliseconds, cases };
    write(&page, &page::html(&document))?;
    if args.json {
        let text = serde_json::to_string_pretty(&document).map_err(|error| error.to_string())?;
        writeln!(io::stdout(), "{text}").map_err(|error| error.to_string())?;
    }
    if let Some(disturbance) = document.disturbance() {
        eprintln!("note: {disturbance}");
    }
    eprintln!("plots: {}", page.display());
    if args.docs {
        eprintln!("documentation: {}", docs::update(&root, &document)?.display());
    }
    Ok(document)
}

/// The command line as somebody would type it.
fn command() -> String {
    let given: Vec<_> = env::args().skip(1).collect();
    format!("cargo run --release -- {}", given.join(" "))
}

fn write(path: &PathBuf, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
