//! One run of one binary, from start to verdict.

use std::collections::VecDeque;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use super::plan::Planned;
use crate::interrupt::Interrupt;
use crate::ktap::{Document, Parser, Splitter};
use crate::process::{self, Finished, Follow, Stream};
use crate::suite::Kind;
use crate::verdict::{self, Ending, Reach, Verdict};

/// Lines of stderr kept for the report; older ones go.
const MAX_STDERR: usize = 20;
/// Lines kept of a report's text.
const MAX_REPORT: usize = 1000;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By `exit` with this code.
    Code(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// Still running at its deadline, and killed.
    TimedOut,
    /// Killed because the user wanted an end.
    Interrupted,
}

impl End {
    /// A program that ended by itself just before it was killed counts as what it did.
    fn of(status: ExitStatus, killed: Option<Self>) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => killed.unwrap_or(Self::Signal(signal.unwrap_or_default())),
        }
    }
}

/// A run that is over.
#[derive(Debug)]
pub struct Tested {
    /// What ran.
    pub planned: Planned,
    /// How it ended; `None` where it did not start.
    pub end: Option<End>,
    /// From start to end.
    pub elapsed: Duration,
    /// What it printed, for a test.
    pub document: Option<Document>,
    /// What it printed, for a report.
    pub text: Vec<String>,
    /// The last lines of its stderr.
    pub stderr: Vec<String>,
    /// Whether that is good.
    pub verdict: Verdict,
}

/// Who wants to see what happens while it happens.
pub trait Sink {
    /// So many runs will follow.
    fn plan(&mut self, runs: usize) -> io::Result<()>;
    /// A run starts.
    fn begin(&mut self, planned: &Planned) -> io::Result<()>;
    /// The running binary printed a line.
    fn line(&mut self, planned: &Planned, stream: Stream, text: &str) -> io::Result<()>;
    /// The running binary has run for so long and has so many results.
    fn tick(&mut self, planned: &Planned, elapsed: Duration, results: usize) -> io::Result<()>;
    /// A run is over.
    fn end(&mut self, tested: &Tested) -> io::Result<()>;
}

/// Runs `program` as planned. An error is the sink's; what goes wrong with the program is a verdict.
pub fn test(
    planned: Planned,
    program: Option<&Path>,
    interrupt: &Interrupt,
    sink: &mut dyn Sink,
) -> io::Result<Tested> {
    sink.begin(&planned)?;
    let tested = match program {
        Some(program) => run(planned, program, interrupt, sink)?,
        None => not_started(planned, "the binary is missing: it was not built, or is not in --bin-dir".into()),
    };
    sink.end(&tested)?;
    Ok(tested)
}

fn run(planned: Planned, program: &Path, interrupt: &Interrupt, sink: &mut dyn Sink) -> io::Result<Tested> {
    let mut command = Command::new(program);
    command.args(&planned.args);
    let mut reader = Reader::new(&planned, interrupt, sink);
    let run = process::follow(command, &mut reader);
    reader.finish()?;
    let Reader { parser, text, stderr, failed, .. } = reader;
    if let Some(error) = failed {
        return Err(error);
    }
    let finished = match run {
        Ok(finished) => finished,
        Err(error) => return Ok(not_started(planned, format!("cannot run {}: {error}", program.display()))),
    };
    let end = End::of(finished.status, finished.stopped);
    let ending = ending(end, &finished);
    let document = (planned.entry.kind == Kind::Test).then(|| parser.finish());
    let verdict = match &document {
        Some(document) => verdict::test(&ending, document),
        None => verdict::report(&ending, readable(&planned, &text)),
    };
    let (end, elapsed) = (Some(end), finished.elapsed);
    Ok(Tested { planned, end, elapsed, document, text, stderr: stderr.into(), verdict })
}

fn ending(end: End, finished: &Finished<End>) -> Ending {
    let (reach, code) = match end {
        End::Code(code) => (Reach::Whole, Some(code)),
        End::TimedOut => (Reach::CutOff, None),
        End::Signal(_) | End::Interrupted => (Reach::Broken, None),
    };
    let fault = match end {
        End::TimedOut => Some(format!("still running after {:.1} s: killed", finished.elapsed.as_secs_f64())),
        End::Interrupted => Some("interrupted".into()),
        End::Signal(signal) => Some(format!("killed by signal {}", signal_name(signal))),
        End::Code(_) if finished.left_processes => Some("left processes behind that held its output open".into()),
        End::Code(_) => None,
    };
    Ending { reach, fault, code }
}

fn signal_name(number: i32) -> String {
    match nix::sys::signal::Signal::try_from(number) {
        Ok(signal) => format!("{number} ({signal})"),
        Err(_) => number.to_string(),
    }
}

fn not_started(planned: Planned, reason: String) -> Tested {
    Tested {
        planned,
        end: None,
        elapsed: Duration::ZERO,
        document: None,
        text: Vec::new(),
        stderr: Vec::new(),
        verdict: Verdict::failed(reason),
    }
}

/// A report that was asked for JSON must be JSON, and no report may be empty.
fn readable(planned: &Planned, text: &[String]) -> Result<(), String> {
    if text.is_empty() {
        return Err("it printed nothing".into());
    }
    if !planned.args.contains(&"--json") {
        return Ok(());
    }
    let json = serde_json::from_str::<serde_json::Value>(&text.join("\n"));
    json.map(drop).map_err(|error| format!("its report is not JSON: {error}"))
}

/// Reads along, and passes on.
struct Reader<'a> {
    planned: &'a Planned,
    interrupt: &'a Interrupt,
    sink: &'a mut dyn Sink,
    splitters: [Splitter; 2],
    parser: Parser,
    text: Vec<String>,
    stderr: VecDeque<String>,
    /// The sink's error, to tell it from the program's.
    failed: Option<io::Error>,
}

impl<'a> Reader<'a> {
    fn new(planned: &'a Planned, interrupt: &'a Interrupt, sink: &'a mut dyn Sink) -> Self {
        let (parser, text, stderr) = (Parser::new(), Vec::new(), VecDeque::new());
        Self { planned, interrupt, sink, splitters: Default::default(), parser, text, stderr, failed: None }
    }

    /// Takes lines that ended without a newline.
    fn finish(&mut self) -> io::Result<()> {
        for stream in [Stream::Out, Stream::Err] {
            if let Some(text) = self.splitters[stream as usize].rest() {
                self.line(stream, &text)?;
            }
        }
        Ok(())
    }

    fn line(&mut self, stream: Stream, text: &str) -> io::Result<()> {
        match (stream, self.planned.entry.kind) {
            (Stream::Err, _) => {
                self.stderr.push_back(text.to_owned());
                if self.stderr.len() > MAX_STDERR {
                    self.stderr.pop_front();
                }
            }
            (Stream::Out, Kind::Test) => self.parser.line(text),
            (Stream::Out, Kind::Report) if self.text.len() < MAX_REPORT => self.text.push(text.to_owned()),
            (Stream::Out, Kind::Report) => {}
        }
        self.sink.line(self.planned, stream, text)
    }

    fn note(&mut self, result: io::Result<()>) -> io::Result<()> {
        result.map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            kind.into()
        })
    }
}

impl Follow for Reader<'_> {
    type Stop = End;

    fn output(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        let mut splitter = std::mem::take(&mut self.splitters[stream as usize]);
        let mut shown = Ok(());
        splitter.push(bytes, |text| {
            if shown.is_ok() {
                shown = self.line(stream, text);
            }
        });
        self.splitters[stream as usize] = splitter;
        self.note(shown)
    }

    fn poll(&mut self, elapsed: Duration) -> io::Result<Option<End>> {
        let shown = self.sink.tick(self.planned, elapsed, self.parser.results());
        self.note(shown)?;
        Ok(match () {
            () if self.interrupt.requested() => Some(End::Interrupted),
            () if elapsed >= self.planned.timeout => Some(End::TimedOut),
            () => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_its_words() {
        let finished = |left_processes| Finished {
            status: ExitStatus::from_raw(0),
            stopped: None,
            elapsed: Duration::from_secs(1),
            left_processes,
        };
        for (end, fault) in [
            (End::Signal(11), "killed by signal 11 (SIGSEGV)"),
            (End::Signal(64), "killed by signal 64"),
            (End::TimedOut, "still running after 1.0 s: killed"),
            (End::Interrupted, "interrupted"),
        ] {
            assert_eq!(ending(end, &finished(false)).fault.as_deref(), Some(fault));
        }
        assert_eq!(ending(End::Code(0), &finished(false)).fault, None);
        assert!(ending(End::Code(0), &finished(true)).fault.is_some());
    }
}
