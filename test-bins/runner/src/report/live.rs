//! For people who watch: a line that stays for each test or cell, and on a terminal one below that shows the progress.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::paint::Paint;
use super::summary;
use crate::events::{Event, Reporter};
use crate::guest::cell_result::CellResult;
use crate::ktap::{Counts, Document};
use crate::native::Tested;
use crate::text::{cut, printable};
use crate::verdict::{Status, Verdict};

/// Columns of the bar.
const BAR: usize = 20;
/// Returns to the first column and clears the line.
const CLEAR: &str = "\r\x1b[K";
/// Comments shown of a failed result.
const COMMENTS: usize = 8;

/// Writes lines, and draws on a terminal.
pub struct Live<W> {
    out: W,
    paint: Paint,
    /// Whether it prints the summary at the end too.
    summary: bool,
    /// After how long a test or a cell is called slow, again and again.
    slow: Duration,
    start: Instant,
    count: usize,
    done: usize,
    failed: usize,
    running: Vec<Running>,
}

/// A test or cell that runs.
struct Running {
    name: String,
    since: Instant,
    results: usize,
    /// How often it was called slow.
    slow: u32,
}

impl<W: Write> Live<W> {
    /// Writes to `out`.
    pub fn new(out: W, paint: Paint, slow: Duration) -> Self {
        let (start, running) = (Instant::now(), Vec::new());
        Self { out, paint, summary: false, slow, start, count: 0, done: 0, failed: 0, running }
    }

    /// The same, with the summary at the end.
    pub fn with_summary(self) -> Self {
        Self { summary: true, ..self }
    }

    fn began(&mut self, name: String) -> io::Result<()> {
        self.running.push(Running { name, since: Instant::now(), results: 0, slow: 0 });
        self.draw()
    }

    fn progress(&mut self, name: &str, elapsed: Duration, results: usize) -> io::Result<()> {
        let Some(running) = self.running.iter_mut().find(|running| running.name == name) else { return Ok(()) };
        running.results = results;
        let slow = self.slow * (running.slow + 1);
        if elapsed >= slow {
            running.slow += 1;
            let (label, seconds) = (self.paint.status(Status::Skipped, &format!("{:>12}", "SLOW")), slow.as_secs());
            self.line(&format!("{label} [>{seconds:>7}s] {name}"))?;
        }
        self.draw()
    }

    /// A line that stays.
    fn line(&mut self, text: &str) -> io::Result<()> {
        let clear = if self.paint.redraws { CLEAR } else { "" };
        writeln!(self.out, "{clear}{text}")
    }

    /// The line of what is over.
    fn ended(&mut self, name: &str, verdict: &Verdict, seconds: f64, details: &str) -> io::Result<()> {
        self.running.retain(|running| running.name != name);
        self.done += 1;
        self.failed += usize::from(verdict.status.is_bad());
        let label = self.paint.status(verdict.status, &format!("{:>12}", label(verdict.status)));
        let width = self.count.to_string().len();
        let place = format!("({:>width$}/{})", self.done, self.count);
        let line = format!("{label} [{seconds:>8.2}s] {place} {}  {details}", self.paint.bold(name));
        self.line(line.trim_end())
    }

    fn draw(&mut self) -> io::Result<()> {
        if !self.paint.redraws || self.count == 0 {
            return self.out.flush();
        }
        let elapsed = self.start.elapsed().as_secs();
        let filled = BAR * self.done / self.count;
        let bar = format!("{}{}", "━".repeat(filled), "╌".repeat(BAR - filled));
        let failed = if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
        let head = format!("[{:02}:{:02}] {bar} {}/{}{failed}", elapsed / 60, elapsed % 60, self.done, self.count);
        let running = self.running.iter().map(|running| {
            let seconds = running.since.elapsed().as_secs();
            format!("  {} {seconds} s, {} results", running.name, running.results)
        });
        // One column less than there are, so that it does not wrap.
        let width = self.paint.columns().saturating_sub(1);
        let line = cut(&format!("{head}{}", running.collect::<String>()), width);
        let end = line.char_indices().nth(head.chars().count()).map_or(line.len(), |(end, _)| end);
        let (head, rest) = line.split_at(end);
        let status = if self.failed > 0 { Status::Failed } else { Status::Passed };
        write!(self.out, "{CLEAR}{}{rest}", self.paint.status(status, head))?;
        self.out.flush()
    }

    fn test_ended(&mut self, tested: &Tested) -> io::Result<()> {
        let counts = tested.document.as_ref().map(|document| counted(document.counts())).unwrap_or_default();
        self.ended(&tested.planned.to_string(), &tested.verdict, tested.elapsed.as_secs_f64(), &counts)?;
        if tested.verdict.status != Status::Passed {
            for line in explanation(&tested.verdict, tested.document.as_ref(), &tested.stderr) {
                writeln!(self.out, "{:13}{}", "", printable(&line))?;
            }
        }
        self.draw()
    }

    fn cell_ended(&mut self, result: &CellResult) -> io::Result<()> {
        let boot = result.boot_seconds.map(|seconds| format!(", boot {seconds:.1} s")).unwrap_or_default();
        let boots = 1 + result.earlier.len();
        let again = if boots > 1 { format!(", {boots} boots") } else { String::new() };
        let accel = result.accel.map(|accel| format!(", {accel}")).unwrap_or_default();
        let details = format!("CPUs {}{accel}{boot}{again}", result.cpus);
        self.ended(&result.name(), &result.verdict, result.seconds, &details)?;
        self.draw()
    }
}

impl<W: Write + Send> Reporter for Live<W> {
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        match event {
            Event::RunBegan(count) => {
                (self.count, self.start) = (*count, Instant::now());
                Ok(())
            }
            Event::TestBegan(planned) => self.began(planned.to_string()),
            Event::CellBegan(name) => self.began((*name).to_owned()),
            Event::Line(..) => Ok(()),
            Event::Progress(name, elapsed, results) => self.progress(name, *elapsed, *results),
            Event::TestEnded(tested) => self.test_ended(tested),
            Event::CellEnded(result) => self.cell_ended(result),
            Event::Note(text) => self.line(text).and_then(|()| self.draw()),
            Event::RunEnded(summary) => {
                let clear = if self.paint.redraws { CLEAR } else { "" };
                write!(self.out, "{clear}")?;
                if self.summary {
                    writeln!(self.out)?;
                    summary::print(&mut self.out, "", self.paint, summary)?;
                }
                self.out.flush()
            }
            Event::MatrixEnded(_) => {
                let clear = if self.paint.redraws { CLEAR } else { "" };
                write!(self.out, "{clear}")?;
                self.out.flush()
            }
        }
    }
}

fn label(status: Status) -> String {
    match status {
        Status::Passed => "PASS".into(),
        Status::Skipped => "SKIP".into(),
        Status::TimedOut => "TIMEOUT".into(),
        Status::Failed => "FAIL".into(),
        status => status.word().to_uppercase(),
    }
}

/// What there is to say of a test that did not pass.
fn explanation(verdict: &Verdict, document: Option<&Document>, stderr: &[String]) -> Vec<String> {
    let mut lines = verdict.reasons.clone();
    if let Some(document) = document {
        document.for_each(&mut |path, case| {
            if case.outcome.is_bad() {
                // The verdict's reasons have the words right before the result, unless it has a directive.
                let told = usize::from(case.reason.is_empty());
                let recent = case.comments.iter().rev().skip(told).take(COMMENTS).rev();
                lines.extend(recent.map(|comment| format!("{path} | {comment}")));
            }
        });
    }
    lines.extend(stderr.iter().map(|line| format!("stderr | {line}")));
    lines
}

fn counted(counts: Counts) -> String {
    let kinds = [
        (counts.passed, "passed"),
        (counts.failed, "failed"),
        (counts.skipped, "skipped"),
        (counts.xfailed, "failed as expected"),
        (counts.xpassed, "passed unexpectedly"),
    ];
    let kinds = kinds.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    kinds.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::paint::tests::terminal;

    #[test]
    fn the_progress_fits_any_terminal() {
        for columns in [4, 40, 60, 200] {
            let Some((_terminal, paint)) = terminal(columns) else { return crate::skipped("no pseudo-terminals here") };
            let mut out = Vec::new();
            let mut live = Live::new(&mut out, paint, Duration::from_secs(9));
            live.event(&Event::RunBegan(80)).unwrap();
            live.event(&Event::CellBegan("a cell of an architecture with a long name 7.3")).unwrap();
            let drawn = String::from_utf8(out).unwrap();
            let drawn = drawn.rsplit(CLEAR).next().unwrap();
            let plain =
                ["\x1b[1m", "\x1b[32m", "\x1b[0m"].iter().fold(drawn.to_owned(), |text, code| text.replace(code, ""));
            assert!(!plain.contains('\x1b') && plain.chars().count() < usize::from(columns), "{plain:?}");
            assert_eq!(plain.contains("0/80"), columns >= 40, "{plain:?}");
            assert_eq!(plain.ends_with(" results"), columns == 200, "{plain:?}");
        }
    }
}
