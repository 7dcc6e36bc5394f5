//! Progress on a terminal: one line that changes, one that stays for each binary.

use std::io::{self, Write};
use std::time::Duration;

use super::text::{cut, printable};
use crate::ktap::{Counts, Outcome};
use crate::native::{Planned, Sink, Tested};
use crate::process::Stream;

/// Columns used; one less than a narrow terminal has, so that nothing wraps.
const WIDTH: usize = 79;
/// Returns to the first column and clears the line.
const CLEAR: &str = "\r\x1b[K";
/// Comments shown of a failed result.
const COMMENTS: usize = 8;

/// Draws on a terminal.
#[derive(Debug)]
pub struct LiveSink<W> {
    out: W,
    done: usize,
    runs: usize,
}

impl<W: Write> LiveSink<W> {
    /// Draws on `out`.
    pub fn new(out: W) -> Self {
        Self { out, done: 0, runs: 0 }
    }

    fn status(&mut self, text: &str) -> io::Result<()> {
        let line = format!("[{}/{}] {text}", self.done + 1, self.runs);
        write!(self.out, "{CLEAR}{}", cut(&line, WIDTH))?;
        self.out.flush()
    }

    fn details(&mut self, tested: &Tested) -> io::Result<()> {
        for reason in &tested.verdict.reasons {
            writeln!(self.out, "         {}", printable(reason))?;
        }
        let mut comments = Vec::new();
        if let Some(document) = &tested.document {
            document.for_each(&mut |path, case| {
                if case.outcome.is_bad() {
                    // The verdict's reasons have the words right before the result, unless it has a directive.
                    let told = usize::from(case.reason.is_empty());
                    let recent = case.comments.iter().rev().skip(told).take(COMMENTS).rev();
                    comments.extend(recent.map(|comment| format!("{path} | {comment}")));
                }
            });
        }
        let stderr = tested.stderr.iter().map(|line| format!("stderr | {line}"));
        for line in comments.into_iter().chain(stderr) {
            writeln!(self.out, "         {}", printable(&line))?;
        }
        Ok(())
    }
}

impl<W: Write> Sink for LiveSink<W> {
    fn plan(&mut self, runs: usize) -> io::Result<()> {
        self.runs = runs;
        Ok(())
    }

    fn begin(&mut self, planned: &Planned) -> io::Result<()> {
        self.status(&planned.to_string())
    }

    fn line(&mut self, _: &Planned, _: Stream, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn tick(&mut self, planned: &Planned, elapsed: Duration, results: usize) -> io::Result<()> {
        let seconds = elapsed.as_secs();
        self.status(&format!("{planned}  {seconds} s, {results} results"))
    }

    fn end(&mut self, tested: &Tested) -> io::Result<()> {
        self.done += 1;
        let outcome = tested.verdict.status.outcome();
        let word = match outcome {
            Outcome::Pass => "ok",
            Outcome::Skip => "skipped",
            Outcome::Xfail => "xfail",
            Outcome::Fail | Outcome::Xpass => "FAILED",
        };
        let seconds = tested.elapsed.as_secs_f64();
        let counts = tested.document.as_ref().map(|document| counted(document.counts())).unwrap_or_default();
        let line = format!("{word:<8} {}  {counts}{seconds:.2} s", tested.planned);
        writeln!(self.out, "{CLEAR}{}", cut(&line, WIDTH))?;
        if outcome != Outcome::Pass {
            self.details(tested)?;
        }
        self.out.flush()
    }
}

fn counted(counts: Counts) -> String {
    let kinds = [
        (counts.passed, "passed"),
        (counts.failed, "failed"),
        (counts.skipped, "skipped"),
        (counts.xfailed, "failed as expected"),
        (counts.xpassed, "passed unexpectedly"),
    ];
    kinds.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}, ")).collect()
}
