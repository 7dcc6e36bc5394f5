//! `--html FILE`: one page, which needs nothing else, of a native run or a matrix.

mod details;
mod page;

use std::fmt::{self, Write as _};
use std::io;

use super::json::kernel_release;
use super::kept::Kept;
use super::markup::{Text, Unit};
use super::matrix;
use crate::events::{Event, Reporter};
use crate::guest::cell_result::{CellResult, Matrix};
use crate::ktap::Counts;
use crate::native::{Summary, Tested};
use crate::suite::Kind;
use crate::verdict::Status;
use details::{class, details};

/// Writes the file at the end. It is opened at the beginning: where it cannot be, nothing has run yet.
pub struct Html(pub Kept);

impl Reporter for Html {
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        let page = match event {
            Event::RunEnded(summary) => native(summary, &kernel_release()),
            Event::MatrixEnded(cells) => boots(cells),
            _ => return Ok(()),
        };
        self.0.replace(&page.map_err(io::Error::other)?)
    }
}

/// The page of a native run.
pub fn native(summary: &Summary, kernel: &str) -> Result<String, fmt::Error> {
    let (counts, status) = (summary.counts(), summary.status());
    let mut body = String::new();
    body += "<table class=\"runs\"><thead><tr><th>test<th>result<th class=n>passed<th class=n>failed<th class=n>skipped\
             <th class=n>xfail<th class=n>seconds<tbody>\n";
    for (number, run) in summary.tested.iter().enumerate() {
        row(&mut body, number, run, &summary.again(run))?;
    }
    body += "</table>\n";
    if let Some(report) = summary.tested.iter().find(|run| run.planned.entry.kind == Kind::Report) {
        write!(body, "<h2>{}</h2><pre>", Text(report.planned.entry.name))?;
        report.text.iter().try_for_each(|line| writeln!(body, "{}", Text(line)))?;
        body += "</pre>\n";
    }
    let runs = format!("{} of {} runs", summary.tested.len(), summary.planned);
    let about = [
        format!("Linux {kernel} on {}", std::env::consts::ARCH),
        runs,
        format!("{:.1} s", summary.elapsed.as_secs_f64()),
    ];
    Ok(page::page("rseq: this machine", status, &about, &counts, &body))
}

fn row(body: &mut String, number: usize, run: &Tested, again: &str) -> fmt::Result {
    let counts = run.document.as_ref().map(|document| document.counts()).unwrap_or_default();
    let (name, status) = (run.planned.to_string(), run.verdict.status);
    let Counts { passed, failed, skipped, xfailed, xpassed } = counts;
    write!(
        body,
        "<tr><td><button popovertarget=\"d{number}\">{}</button><td><span class=\"tag {}\">{}</span>",
        Text(&name),
        class(status),
        status.word()
    )?;
    for count in [passed, failed + xpassed, skipped, xfailed] {
        write!(body, "<td class=\"n{}\">{count}", if count == 0 { " zero" } else { "" })?;
    }
    writeln!(body, "<td class=n>{:.2}", run.elapsed.as_secs_f64())?;
    let about = [("took", format!("{:.2} s", run.elapsed.as_secs_f64()))];
    details(body, number, &Unit::of_test(run, again.to_owned()), &about, &[])
}

/// The page of a matrix.
pub fn boots(matrix: &Matrix) -> Result<String, fmt::Error> {
    let cells = &matrix.cells;
    let mut counts = Counts::default();
    cells.iter().for_each(|result| counts.merge(result.counts));
    let mut body = String::from("<p>Each cell: passed/failed/skipped. Click one for its reasons. ");
    for status in [Status::Passed, Status::Flaky, Status::Failed, Status::Skipped] {
        write!(body, "<span class=\"tag {}\">{}</span> ", class(status), status.word())?;
    }
    let (rows, lines) = matrix::axes(cells);
    body += "<div class=\"wide\"><table class=\"matrix\"><thead><tr><th>";
    lines.iter().try_for_each(|line| write!(body, "<th>{}", Text(line)))?;
    body += "<tbody>\n";
    let at = |row: &str, line: &str| cells.iter().position(|result| result.row == row && result.line == line);
    for row in rows {
        write!(body, "<tr><th>{}", Text(row))?;
        for line in &lines {
            match at(row, line) {
                Some(number) => cell(&mut body, number, &cells[number])?,
                None => body += "<td>",
            }
        }
        body.push('\n');
    }
    body += "</table></div>\n";
    for (number, result) in cells.iter().enumerate() {
        details(&mut body, number, &Unit::of_cell(result, matrix), &about(result), &result.earlier)?;
    }
    let status = cells.iter().map(|result| result.verdict.status).max().filter(|status| status.is_bad());
    let about = [matrix::cells_sentence(cells)];
    Ok(page::page("rseq: boot matrix", status.unwrap_or(Status::Passed), &about, &counts, &body))
}

fn cell(body: &mut String, number: usize, result: &CellResult) -> fmt::Result {
    let (status, why) = (result.verdict.status, result.verdict.reasons.join("; "));
    let hover = if why.is_empty() { status.word().to_owned() } else { format!("{}: {why}", status.word()) };
    let mark = matrix::mark(result);
    write!(
        body,
        "<td><button class=\"cell {}\" popovertarget=\"d{number}\" title=\"{}\">{mark}</button>",
        class(status),
        Text(hover)
    )
}

/// What there is to say of a cell beside its results.
fn about(result: &CellResult) -> Vec<(&'static str, String)> {
    let mut about = vec![("kernel", result.release.clone().unwrap_or_else(|| result.line.clone()))];
    about.push(("CPUs", result.cpus.to_string()));
    about.extend(result.boot_seconds.map(|seconds| ("boot", format!("{seconds:.1} s"))));
    about.push(("in all", format!("{:.1} s", result.seconds)));
    about
}
