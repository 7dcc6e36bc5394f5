//! `--junit FILE`: JUnit's XML, which most CI systems show. One suite a test or a cell, one case a result.

use std::fmt::{self, Write as _};
use std::io;

use super::kept::Kept;
use super::markup::{Text, Unit};
use crate::events::{Event, Reporter};
use crate::ktap::{Case, Counts, Outcome};
use crate::verdict::{Status, Verdict};

/// Writes the file at the end. It is opened at the beginning: where it cannot be, nothing has run yet.
pub struct Junit(pub Kept);

impl Reporter for Junit {
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        let units = match event {
            Event::RunEnded(summary) => Unit::of_run(summary),
            Event::MatrixEnded(matrix) => Unit::of_matrix(matrix),
            _ => return Ok(()),
        };
        self.0.replace(&document(&units).map_err(io::Error::other)?)
    }
}

/// The whole document.
pub fn document(units: &[Unit<'_>]) -> Result<String, fmt::Error> {
    let mut suites = String::new();
    let (mut all, mut seconds) = (Counts::default(), 0.0);
    for unit in units {
        let (cases, counts) = cases(unit)?;
        writeln!(suites, "  <testsuite name=\"{}\"{}>", Text(&unit.name), attributes(&counts, unit.seconds))?;
        suites += &cases;
        let notes = unit.notes.iter().map(|line| format!("{}\n", Text(line))).collect::<String>();
        let console = unit.console.map(|path| format!("console: {}\n", Text(path.display()))).unwrap_or_default();
        if !(notes.is_empty() && console.is_empty()) {
            writeln!(suites, "    <system-err>{notes}{console}</system-err>")?;
        }
        suites += "  </testsuite>\n";
        all.merge(counts);
        seconds += unit.seconds;
    }
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    Ok(format!("{head}\n<testsuites name=\"rseq\"{}>\n{suites}</testsuites>\n", attributes(&all, seconds)))
}

fn attributes(counts: &Counts, seconds: f64) -> String {
    let (total, failed, skipped) = (counts.total(), counts.failed + counts.xpassed, counts.skipped + counts.xfailed);
    format!(" tests=\"{total}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\" time=\"{seconds:.3}\"")
}

/// The results, and one for the whole where it is not what its results are: it failed, was skipped, or has none.
fn cases(unit: &Unit<'_>) -> Result<(String, Counts), fmt::Error> {
    let (mut text, mut counts) = (String::new(), Counts::default());
    let mut result = Ok(());
    if let Some(document) = unit.document {
        document.for_each(&mut |path, result_of| {
            counts.add(result_of.outcome);
            if result.is_ok() {
                result = case(&mut text, &unit.name, path, result_of);
            }
        });
    }
    result?;
    let own = unit.verdict.status.outcome();
    if (own.is_bad() && counts.failed + counts.xpassed == 0) || counts.total() == 0 {
        counts.add(own);
        whole(&mut text, &unit.name, unit.verdict)?;
    }
    Ok((text, counts))
}

fn case(text: &mut String, suite: &str, path: &str, case: &Case) -> fmt::Result {
    let why = Text(case.why());
    write!(text, "    <testcase classname=\"{}\" name=\"{}\"", Text(suite), Text(path))?;
    match case.outcome {
        Outcome::Pass => writeln!(text, "/>"),
        Outcome::Skip => writeln!(text, "><skipped message=\"{why}\"/></testcase>"),
        Outcome::Xfail => writeln!(text, "><skipped message=\"failed as expected: {why}\"/></testcase>"),
        Outcome::Fail | Outcome::Xpass => {
            let comments = case.comments.iter().map(|line| format!("{}\n", Text(line))).collect::<String>();
            let kind = if case.timed_out { "timeout" } else { case.outcome.word() };
            writeln!(text, "><failure type=\"{kind}\" message=\"{why}\">{comments}</failure></testcase>")
        }
    }
}

fn whole(text: &mut String, suite: &str, verdict: &Verdict) -> fmt::Result {
    let reasons = verdict.reasons.join("; ");
    write!(text, "    <testcase classname=\"{0}\" name=\"{0}\"", Text(suite))?;
    match verdict.status {
        Status::Passed | Status::Flaky => writeln!(text, "/>"),
        Status::Skipped | Status::ExpectedFailure => {
            writeln!(text, "><skipped message=\"{}\"/></testcase>", Text(reasons))
        }
        status => writeln!(text, "><failure type=\"{}\" message=\"{}\"/></testcase>", status.word(), Text(reasons)),
    }
}
