//! The native run: options to binaries, binaries to results, results to an exit code.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use super::cli::NativeArgs;
use super::list;
use crate::build::{self, Binaries, Linking};
use crate::interrupt::Interrupt;
use crate::native::{Extent, Planned, Sink, Size, Tested, check_supported, plan, test};
use crate::report::{KtapSink, LiveSink, QuietSink, Summary, print_json, print_summary};
use crate::suite::{Entry, SUITE, select};
use crate::workspace;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
/// What shells report for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Why there is no result.
#[derive(Debug)]
enum Stop {
    /// The command line makes no sense here.
    Usage(String),
    /// Something that is needed did not work.
    Failed(String),
    /// Nobody reads our output any more, or it cannot be written.
    Output(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Does what the options ask for and says how it went.
pub fn main(args: &NativeArgs) -> ExitCode {
    let (code, message) = match run(args) {
        Ok(code) => return ExitCode::from(code),
        Err(Stop::Usage(message)) => (USAGE, message),
        Err(Stop::Failed(message)) => (FAILED, message),
        Err(Stop::Output(error)) if error.kind() == ErrorKind::BrokenPipe => return ExitCode::from(FAILED),
        Err(Stop::Output(error)) => (FAILED, format!("cannot write the results: {error}")),
    };
    // With stderr closed too there is nobody left to tell.
    let _ = writeln!(io::stderr(), "error: {message}");
    ExitCode::from(code)
}

fn run(args: &NativeArgs) -> Result<u8, Stop> {
    let entries = select(SUITE, &args.names).map_err(Stop::Usage)?;
    if args.list {
        list::print(&mut io::stdout().lock(), &entries, args.json)?;
        return Ok(0);
    }
    check_supported().map_err(Stop::Usage)?;
    let binaries = binaries(args, &entries)?;
    let interrupt = Interrupt::watch().map_err(|error| Stop::Failed(format!("cannot watch for Ctrl-C: {error}")))?;
    let extent = Extent { full: args.full, repeat: args.repeat, timeout: args.timeout, json: args.json };
    let planned = plan(&entries, extent);
    let summary = run_all(planned, &binaries, &interrupt, args.json)?;
    finish(&summary, args.json)?;
    Ok(exit_code(&summary, &interrupt))
}

fn binaries(args: &NativeArgs, entries: &[&Entry]) -> Result<Binaries, Stop> {
    match &args.bin_dir {
        Some(directory) if !directory.is_dir() => {
            Err(Stop::Usage(format!("--bin-dir: {} is no directory", directory.display())))
        }
        Some(directory) => Ok(present(directory, entries)),
        None => {
            let root = workspace::root().map_err(Stop::Failed)?;
            let linking = Linking::of(args.static_pie);
            if !args.no_build {
                return build::build(&root, linking).map_err(Stop::Failed);
            }
            Ok(present(&linking.target_dir(&root).map_err(Stop::Failed)?.join("suite"), entries))
        }
    }
}

fn present(directory: &Path, entries: &[&Entry]) -> Binaries {
    let paths = entries.iter().map(|entry| (entry.name.to_owned(), directory.join(entry.name)));
    // A relative path with a slash is not looked for in PATH, but one without would be.
    let absolute = paths.filter_map(|(name, path)| Some((name, path.canonicalize().ok()?)));
    absolute.collect()
}

fn run_all(planned: Vec<Planned>, binaries: &Binaries, interrupt: &Interrupt, json: bool) -> Result<Summary, Stop> {
    let start = Instant::now();
    let mut sink = sink(json);
    let count = planned.len();
    sink.plan(count)?;
    let mut tested: Vec<Tested> = Vec::new();
    for run in planned {
        if interrupt.requested() {
            break;
        }
        let program = binaries.get(run.entry.name).map(|path| path.as_path());
        tested.push(test(run, program, interrupt, sink.as_mut())?);
    }
    let size = |name: &str| Size::of(binaries.get(name)?);
    Ok(Summary::new(tested, count, start.elapsed(), size))
}

fn sink(json: bool) -> Box<dyn Sink> {
    match () {
        () if json && io::stderr().is_terminal() => Box::new(LiveSink::new(io::stderr())),
        () if json => Box::new(QuietSink),
        () if io::stdout().is_terminal() => Box::new(LiveSink::new(io::stdout())),
        () => Box::new(KtapSink::new(io::stdout())),
    }
}

fn finish(summary: &Summary, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match json {
        true => print_json(&mut out, summary),
        false if out.is_terminal() => {
            writeln!(out)?;
            print_summary(&mut out, "", summary)
        }
        false => {
            if summary.is_cut_short() {
                writeln!(out, "Bail out! ended early")?;
            }
            print_summary(&mut out, "# ", summary)
        }
    }
}

fn exit_code(summary: &Summary, interrupt: &Interrupt) -> u8 {
    match summary.status().is_bad() {
        _ if interrupt.requested() => INTERRUPTED,
        true => FAILED,
        false => 0,
    }
}
