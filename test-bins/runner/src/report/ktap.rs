//! Nested KTAP on a pipe: each binary's own results two spaces in, and one result for the binary.

use std::io::{self, Write};
use std::time::Duration;

use super::text::printable;
use crate::ktap::{Line, Outcome, Plan, TestLine, VERSION, read_line};
use crate::native::{Planned, Sink, Tested};
use crate::process::Stream;
use crate::suite::Kind;

/// Writes KTAP as the binaries run.
#[derive(Debug)]
pub struct KtapSink<W> {
    out: W,
    number: u64,
}

impl<W: Write> KtapSink<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, number: 0 }
    }
}

impl<W: Write> Sink for KtapSink<W> {
    fn plan(&mut self, runs: usize) -> io::Result<()> {
        writeln!(self.out, "{VERSION}\n{}", Plan(runs as u64))?;
        self.out.flush()
    }

    fn begin(&mut self, _: &Planned) -> io::Result<()> {
        Ok(())
    }

    fn line(&mut self, planned: &Planned, stream: Stream, text: &str) -> io::Result<()> {
        let text = printable(text);
        let is_ktap = !matches!(read_line(&text).1, Line::Other(_) | Line::BailOut(_));
        match (stream, planned.entry.kind) {
            (Stream::Out, Kind::Report) => return Ok(()),
            (Stream::Out, Kind::Test) if is_ktap => writeln!(self.out, "  {text}")?,
            _ if text.trim().is_empty() => return Ok(()),
            _ => writeln!(self.out, "  # {text}")?,
        }
        self.out.flush()
    }

    fn tick(&mut self, _: &Planned, _: Duration, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, tested: &Tested) -> io::Result<()> {
        self.number += 1;
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
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }
}
