//! The native run: options to binaries, binaries to results, results to an exit code.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, anyhow};
use clap::Args;

use crate::build::{self, Binaries, Linking, Purpose};
use crate::events::{Event, Reporters};
use crate::exit::{self, Stop};
use crate::interrupt::Interrupt;
use crate::native::{Extent, Planned, Size, Summary, Tested, check_supported, plan, rows, test};
use crate::report::{ReportArgs, print_json};
use crate::suite::{Entry, SUITE, select};
use crate::{shell, workspace};

/// What to run here, and how.
#[derive(Debug, Args)]
pub struct NativeArgs {
    /// Run only these tests (complete names, or parts of names)
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// Show the tests and run none
    #[arg(long, conflicts_with_all = ["junit", "html"])]
    pub list: bool,

    /// What is reported
    #[command(flatten)]
    pub report: ReportArgs,

    /// End each test after so many seconds, instead of its own limit
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: Option<u64>,

    /// Run everything N times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub repeat: u32,

    /// Link the programs as static-pie, which the kernel puts where it likes
    #[arg(long, conflicts_with = "bin_dir")]
    pub static_pie: bool,

    /// Run the long grids instead of the short default
    #[arg(long)]
    pub full: bool,

    /// Run what was built before
    #[arg(long)]
    pub no_build: bool,

    /// Run the binaries in DIR, and build nothing
    #[arg(long, value_name = "DIR")]
    pub bin_dir: Option<PathBuf>,
}

/// Does what the options ask for and says how it went.
pub fn main(args: &NativeArgs) -> ExitCode {
    exit::code(run(args))
}

fn run(args: &NativeArgs) -> Result<u8, Stop> {
    let entries = select(SUITE, &args.names).map_err(Stop::usage)?;
    if args.list {
        list(&mut io::stdout().lock(), &entries, args.report.json)?;
        return Ok(0);
    }
    check_supported().map_err(Stop::usage)?;
    let reporters = args.report.native().map_err(Stop::usage)?;
    let binaries = binaries(args, &entries)?;
    let interrupt = Interrupt::watch().context("cannot watch for Ctrl-C")?;
    let json = args.report.json;
    let planned = plan(&entries, Extent { full: args.full, repeat: args.repeat, timeout: args.timeout, json });
    let summary = run_all(args, planned, &binaries, &interrupt, &reporters)?;
    Ok(exit::of_run(summary.status().is_bad(), &interrupt))
}

/// Prints names and what they show, or the whole table as JSON.
fn list(out: &mut dyn Write, entries: &[&Entry], json: bool) -> io::Result<()> {
    if json {
        print_json(out, &entries)?;
    } else {
        let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or_default();
        for entry in entries {
            writeln!(out, "{:<width$}  {}", entry.name, entry.about)?;
        }
    }
    out.flush()
}

fn binaries(args: &NativeArgs, entries: &[&Entry]) -> Result<Binaries, Stop> {
    match &args.bin_dir {
        Some(directory) if !directory.is_dir() => {
            let wanted = "name one with built binaries, such as target/native";
            Err(Stop::Usage(anyhow!("--bin-dir: {} is no directory: {wanted}", directory.display())))
        }
        Some(directory) => Ok(present(directory, entries)),
        None => {
            let root = workspace::root()?;
            let linking = Linking::of(args.static_pie);
            if !args.no_build {
                return Ok(build::build(&root, Purpose::Here, linking)?);
            }
            Ok(present(&linking.target_dir(&root)?.join(Purpose::Here.profile()), entries))
        }
    }
}

fn present(directory: &Path, entries: &[&Entry]) -> Binaries {
    let paths = entries.iter().map(|entry| (entry.name.to_owned(), directory.join(entry.name)));
    // A relative path with a slash is not looked for in PATH, but one without would be.
    let absolute = paths.filter_map(|(name, path)| Some((name, path.canonicalize().ok()?)));
    absolute.collect()
}

fn run_all(
    args: &NativeArgs,
    planned: Vec<Planned>,
    binaries: &Binaries,
    interrupt: &Interrupt,
    reporters: &Reporters,
) -> io::Result<Summary> {
    let (start, count) = (Instant::now(), planned.len());
    reporters.tell(Event::RunBegan(count))?;
    let mut tested: Vec<Tested> = Vec::new();
    for run in planned {
        if interrupt.requested() {
            break;
        }
        let program = binaries.get(run.entry.name).map(|path| path.as_path());
        tested.push(test(run, program, interrupt, reporters)?);
    }
    let rows = rows(&tested, |name| Size::of(binaries.get(name)?));
    let summary = Summary { tested, rows, planned: count, elapsed: start.elapsed(), command: again(args) };
    reporters.tell(Event::RunEnded(&summary))?;
    Ok(summary)
}

/// The command line of a run like this one, up to the names of tests.
fn again(args: &NativeArgs) -> String {
    let mut words = vec!["cargo run --release --".to_owned()];
    words.extend(args.timeout.map(|seconds| format!("--timeout {seconds}")));
    words.extend(args.static_pie.then(|| "--static-pie".into()));
    words.extend(args.full.then(|| "--full".into()));
    words.extend(args.bin_dir.as_ref().map(|directory| format!("--bin-dir {}", shell::word(directory))));
    words.join(" ")
}
