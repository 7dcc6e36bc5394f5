//! One run of one binary, from start to verdict.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::plan::Planned;
use super::tested::{End, Tested};
use crate::events::{Event, Reporters};
use crate::interrupt::Interrupt;
use crate::ktap::{Parser, Splitter};
use crate::process::{self, Finished, Follow, Stream};
use crate::suite::Kind;
use crate::verdict::{self, Ending, Reach, Verdict};

/// Why a test without a binary does not run.
const MISSING: &str = "the binary is missing: it has no [[bin]] in test-bins/tests/Cargo.toml, was not built, or is \
                       not in --bin-dir";
/// Lines of stderr kept for the report; older ones go.
const MAX_STDERR: usize = 20;
/// Lines kept of a report's text.
const MAX_REPORT: usize = 1000;

/// Runs `program` as planned. An error is a reporter's; what goes wrong with the program is a verdict.
pub fn test(
    planned: Planned,
    program: Option<&Path>,
    interrupt: &Interrupt,
    reporters: &Reporters,
) -> io::Result<Tested> {
    reporters.tell(Event::TestBegan(&planned))?;
    let tested = match program {
        Some(program) => run(planned, program, interrupt, reporters)?,
        None => not_started(planned, MISSING.into()),
    };
    reporters.tell(Event::TestEnded(&tested))?;
    Ok(tested)
}

fn run(planned: Planned, program: &Path, interrupt: &Interrupt, reporters: &Reporters) -> io::Result<Tested> {
    let mut command = Command::new(program);
    command.args(&planned.args);
    let mut reader = Reader::new(&planned, interrupt, reporters);
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
        None => verdict::report(&ending, unreadable(&planned, &text)),
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
fn unreadable(planned: &Planned, text: &[String]) -> Option<String> {
    if text.is_empty() {
        return Some("it printed nothing".into());
    }
    if !planned.args.contains(&"--json") {
        return None;
    }
    let json = serde_json::from_str::<serde_json::Value>(&text.join("\n"));
    json.err().map(|error| format!("its report is not JSON: {error}"))
}

/// Reads along, and passes on.
struct Reader<'a> {
    planned: &'a Planned,
    interrupt: &'a Interrupt,
    reporters: &'a Reporters,
    name: String,
    splitters: [Splitter; 2],
    parser: Parser,
    text: Vec<String>,
    stderr: VecDeque<String>,
    /// A reporter's error, to tell it from the program's.
    failed: Option<io::Error>,
}

impl<'a> Reader<'a> {
    fn new(planned: &'a Planned, interrupt: &'a Interrupt, reporters: &'a Reporters) -> Self {
        let (parser, text, stderr, name) = (Parser::new(), Vec::new(), VecDeque::new(), planned.to_string());
        Self { planned, interrupt, reporters, name, splitters: Default::default(), parser, text, stderr, failed: None }
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
        self.reporters.tell(Event::Line(self.planned, stream, text))
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
        let shown = self.reporters.tell(Event::Progress(&self.name, elapsed, self.parser.results()));
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
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

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
