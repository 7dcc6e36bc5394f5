//! The end of a run for people: table, failures, skips, the probe's report, one last sentence.

use std::io::{self, Write};

use super::paint::Paint;
use super::rows;
use crate::ktap::Outcome;
use crate::native::Summary;
use crate::suite::Kind;
use crate::text::{printable, wrap};
use crate::verdict::Status;

/// Columns of the text, a prefix of two left out.
const WIDTH: usize = 78;

/// Prints all of it, each line after `prefix`.
pub fn print(out: &mut dyn Write, prefix: &str, paint: Paint, summary: &Summary) -> io::Result<()> {
    let mut lines = rows::format(&summary.rows);
    lines[0] = paint.bold(&lines[0]);
    for (line, row) in lines[1..].iter_mut().zip(&summary.rows).filter(|(_, row)| row.status.is_bad()) {
        *line = paint.status(row.status, line);
    }
    if summary.rows.iter().any(|row| row.size.is_some_and(|size| !size.stripped)) {
        lines.push("* not stripped".into());
    }
    lines.extend(section(paint, "skipped", results(summary, Outcome::Skip)));
    lines.extend(section(paint, "failed as expected", results(summary, Outcome::Xfail)));
    lines.extend(probe(paint, summary));
    lines.extend(section(paint, "failed", failures(summary)));
    lines.extend(again(paint, summary));
    lines.extend([String::new(), paint.status(summary.status(), &last_sentence(summary))]);
    for line in lines {
        writeln!(out, "{}", format!("{prefix}{line}").trim_end())?;
    }
    out.flush()
}

fn section(paint: Paint, title: &str, entries: Vec<String>) -> Vec<String> {
    if entries.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), paint.bold(&format!("{title}:"))];
    for entry in entries {
        let wrapped = wrap(&printable(&entry), WIDTH - 4);
        lines.extend(wrapped.iter().enumerate().map(|(number, line)| {
            let indent = if number == 0 { "  " } else { "    " };
            format!("{indent}{line}")
        }));
    }
    lines
}

fn failures(summary: &Summary) -> Vec<String> {
    let bad = summary.tested.iter().filter(|run| run.verdict.status.is_bad());
    bad.flat_map(|run| run.verdict.reasons.iter().map(move |reason| format!("{}: {reason}", run.planned))).collect()
}

/// The commands that run what failed again; not wrapped, so that they can be copied.
fn again(paint: Paint, summary: &Summary) -> Vec<String> {
    let bad = summary.tested.iter().filter(|run| run.verdict.status.is_bad());
    let mut lines = Vec::new();
    for command in bad.map(|run| format!("  {}", summary.again(run))) {
        if !lines.contains(&command) {
            lines.push(command);
        }
    }
    if !lines.is_empty() {
        lines.splice(0..0, [String::new(), paint.bold("to run what failed again:")]);
    }
    lines
}

/// Each skipped or xfailed result with its reason, the same ones of several runs once.
fn results(summary: &Summary, outcome: Outcome) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    let mut add = |entry: String| {
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    };
    for run in &summary.tested {
        let name = run.planned.entry.name;
        let Some(document) = &run.document else { continue };
        if outcome == Outcome::Skip {
            document.skipped.iter().for_each(|reason| add(format!("{name}: {reason}")));
        }
        document.for_each(&mut |path, case| {
            if case.outcome == outcome {
                add(format!("{name}: {path}: {}", case.reason));
            }
        });
    }
    entries
}

fn probe(paint: Paint, summary: &Summary) -> Vec<String> {
    let report = summary.tested.iter().find(|run| run.planned.entry.kind == Kind::Report);
    let Some(report) = report.filter(|report| !report.text.is_empty()) else { return Vec::new() };
    let title = paint.bold(&format!("{}:", report.planned.entry.name));
    let text = report.text.iter().map(|line| format!("  {}", printable(line)));
    [String::new(), title].into_iter().chain(text).collect()
}

fn last_sentence(summary: &Summary) -> String {
    let counts = summary.counts();
    let seconds = summary.elapsed.as_secs_f64();
    let runs = summary.tested.len();
    let bad = summary.tested.iter().filter(|run| run.verdict.status.is_bad()).count();
    match summary.status() {
        _ if summary.is_cut_short() => format!("ended early: {runs} of {} runs, {bad} failed", summary.planned),
        Status::Skipped => format!("nothing was tested: every test was skipped, in {seconds:.1} s"),
        status if status.is_bad() => format!("FAILED: {bad} of {runs} runs, in {seconds:.1} s"),
        _ => format!("all good: {} passed, {} skipped, in {seconds:.1} s", counts.passed, counts.skipped),
    }
}
