//! Nested KTAP on a pipe: each binary's results two spaces in, one result for the binary, the summary in comments.

use std::io::{self, Write};

use super::levels::Levels;
use super::paint::Paint;
use super::summary;
use crate::events::{Event, Reporter};
use crate::ktap::{Line, Outcome, Plan, TestLine, VERSION, read_line};
use crate::native::{Planned, Tested};
use crate::process::Stream;
use crate::suite::Kind;
use crate::text::printable;

/// Writes KTAP as the binaries run.
#[derive(Debug)]
pub struct Ktap<W> {
    out: W,
    number: u64,
    /// What the running binary has begun.
    levels: Levels,
}

impl<W: Write> Ktap<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, number: 0, levels: Levels::default() }
    }

    fn write_nested(&mut self, lines: &[String]) -> io::Result<()> {
        lines.iter().try_for_each(|line| writeln!(self.out, "  {line}"))
    }

    fn line(&mut self, planned: &Planned, stream: Stream, text: &str) -> io::Result<()> {
        let text = printable(text);
        let is_ktap = !matches!(read_line(&text).1, Line::Other(_) | Line::BailOut(_));
        match (stream, planned.entry.kind) {
            (Stream::Out, Kind::Report) => Ok(()),
            (Stream::Out, Kind::Test) if is_ktap => {
                let closing = self.levels.line(&text);
                self.write_nested(&closing)?;
                writeln!(self.out, "  {text}")
            }
            _ if text.trim().is_empty() => Ok(()),
            _ => writeln!(self.out, "  # {text}"),
        }
    }

    fn result(&mut self, tested: &Tested) -> io::Result<()> {
        self.number += 1;
        let closing = self.levels.close(0);
        self.write_nested(&closing)?;
        let verdict = &tested.verdict;
        if verdict.status.is_bad() {
            for reason in &verdict.reasons {
                writeln!(self.out, "# {}: {}", tested.planned, printable(reason))?;
            }
        }
        let outcome = verdict.status.outcome();
        let reason = match outcome {
            Outcome::Skip => printable(&verdict.reasons.join("; ")),
            Outcome::Xfail => "its failures are expected".into(),
            _ => String::new(),
        };
        let line = TestLine { number: self.number, name: &tested.planned, outcome, directive: None, reason };
        writeln!(self.out, "{line}")
    }
}

impl<W: Write + Send> Reporter for Ktap<W> {
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        match event {
            Event::RunBegan(runs) => writeln!(self.out, "{VERSION}\n{}", Plan(*runs as u64))?,
            Event::Line(planned, stream, text) => self.line(planned, *stream, text)?,
            Event::TestEnded(tested) => self.result(tested)?,
            Event::RunEnded(summary) => {
                if summary.is_cut_short() {
                    writeln!(self.out, "Bail out! ended early")?;
                }
                summary::print(&mut self.out, "# ", Paint::PLAIN, summary)?;
            }
            _ => return Ok(()),
        }
        self.out.flush()
    }
}
