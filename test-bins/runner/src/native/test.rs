//! One run of one binary, from start to verdict.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::exec::{self, End, Listener, Stream};
use super::judge::{Verdict, judge_report, judge_test};
use super::plan::Planned;
use crate::interrupt::Interrupt;
use crate::ktap::{Document, Parser};
use crate::suite::Kind;

/// Lines of stderr kept for the report; older ones go.
const MAX_STDERR: usize = 20;
/// Lines kept of a report's text.
const MAX_REPORT: usize = 1000;

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
    let mut follow = Follow::new(&planned, sink);
    let run = exec::run(program, &planned.args, planned.timeout, interrupt, &mut follow);
    let Follow { parser, text, stderr, failed, .. } = follow;
    if let Some(error) = failed {
        return Err(error);
    }
    let finished = match run {
        Ok(finished) => finished,
        Err(error) => return Ok(not_started(planned, format!("cannot run {}: {error}", program.display()))),
    };
    let document = (planned.entry.kind == Kind::Test).then(|| parser.finish());
    let verdict = match &document {
        Some(document) => judge_test(&finished, document),
        None => judge_report(&finished, readable(&planned, &text)),
    };
    let (end, elapsed) = (Some(finished.end), finished.elapsed);
    Ok(Tested { planned, end, elapsed, document, text, stderr: stderr.into(), verdict })
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
struct Follow<'a> {
    planned: &'a Planned,
    sink: &'a mut dyn Sink,
    parser: Parser,
    text: Vec<String>,
    stderr: VecDeque<String>,
    /// The sink's error, to tell it from the program's.
    failed: Option<io::Error>,
}

impl<'a> Follow<'a> {
    fn new(planned: &'a Planned, sink: &'a mut dyn Sink) -> Self {
        Self { planned, sink, parser: Parser::new(), text: Vec::new(), stderr: VecDeque::new(), failed: None }
    }

    fn keep(&mut self, stream: Stream, text: &str) {
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
    }

    fn note(&mut self, result: io::Result<()>) -> io::Result<()> {
        result.map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            kind.into()
        })
    }
}

impl Listener for Follow<'_> {
    fn line(&mut self, stream: Stream, text: &str) -> io::Result<()> {
        self.keep(stream, text);
        let shown = self.sink.line(self.planned, stream, text);
        self.note(shown)
    }

    fn tick(&mut self, elapsed: Duration) -> io::Result<()> {
        let shown = self.sink.tick(self.planned, elapsed, self.parser.results());
        self.note(shown)
    }
}
