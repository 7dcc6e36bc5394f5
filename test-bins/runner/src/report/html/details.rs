//! What a click on a test or a cell opens.

use std::fmt::{self, Write};

use crate::guest::cell_result::Earlier;
use crate::ktap::{Case, Document, Outcome};
use crate::report::markup::{Text, Unit};
use crate::verdict::Status;

/// The name of a status in the style sheet.
pub fn class(status: Status) -> &'static str {
    match status {
        Status::Passed => "pass",
        Status::Flaky => "flaky",
        Status::Skipped => "skip",
        Status::ExpectedFailure => "xfail",
        Status::TimedOut | Status::Failed => "fail",
    }
}

fn class_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Skip => "skip",
        Outcome::Xfail => "xfail",
        Outcome::Xpass | Outcome::Fail => "fail",
    }
}

/// Everything about a test or a cell.
pub fn details(
    body: &mut String,
    number: usize,
    unit: &Unit<'_>,
    about: &[(&str, String)],
    earlier: &[Earlier],
) -> fmt::Result {
    let status = unit.verdict.status;
    write!(body, "<section popover id=\"d{number}\"><h2>{} ", Text(&unit.name))?;
    writeln!(body, "<span class=\"tag {}\">{}</span></h2><dl>", class(status), status.word())?;
    about.iter().try_for_each(|(name, value)| write!(body, "<dt>{name}<dd>{}", Text(value)))?;
    match unit.document.map(aborts) {
        Some(aborts) if aborts > 0 => write!(body, "<dt>aborts seen<dd>{aborts}")?,
        _ => {}
    }
    if let Some(console) = unit.console {
        let path = console.display();
        write!(body, "<dt>console<dd><a href=\"file://{}\">{}</a>", Text(&path), Text(&path))?;
    }
    writeln!(body, "<dt>again<dd><code>{}</code></dl>", Text(&unit.again))?;
    list(body, "Why", &unit.verdict.reasons)?;
    for (number, boot) in earlier.iter().enumerate() {
        list(body, &format!("Boot {}, before this one", number + 1), &boot.reasons)?;
    }
    list(body, "Notes", unit.notes)?;
    if let Some(document) = unit.document {
        body.push_str("<h3>Results</h3>");
        results(body, document)?;
    }
    writeln!(body, "</section>")
}

fn list(body: &mut String, title: &str, entries: &[String]) -> fmt::Result {
    if entries.is_empty() {
        return Ok(());
    }
    write!(body, "<h3>{title}</h3><ul>")?;
    entries.iter().try_for_each(|entry| write!(body, "<li>{}", Text(entry)))?;
    writeln!(body, "</ul>")
}

fn results(body: &mut String, document: &Document) -> fmt::Result {
    body.push_str("<ol class=\"results\">");
    for case in &document.results {
        let (class, reason) = (class_of(case.outcome), Text(reason(case)));
        let label = format!("<span class=\"dot {class}\"></span>{} <small>{reason}</small>", Text(&case.name));
        match &case.nested {
            Some(nested) => {
                let open = if case.outcome.is_bad() { " open" } else { "" };
                write!(body, "<li><details{open}><summary>{label}</summary>")?;
                results(body, nested)?;
                body.push_str("</details>");
            }
            None => write!(body, "<li>{label}")?,
        }
    }
    body.push_str("</ol>");
    Ok(())
}

/// A good result's own words are its comments, where it has any.
fn reason(case: &Case) -> String {
    match (case.outcome, case.nested.is_some()) {
        (Outcome::Pass, true) => String::new(),
        _ => case.why().to_owned(),
    }
}

/// The aborts that the tests say they saw: the numbers before this word in their comments.
fn aborts(document: &Document) -> u64 {
    let mut sum = 0;
    document.for_each(&mut |_, case| {
        for comment in &case.comments {
            let words: Vec<_> = comment.split([' ', ',']).filter(|word| !word.is_empty()).collect();
            let pairs = words.windows(2).filter(|pair| matches!(pair[1], "aborts" | "aborted"));
            sum += pairs.filter_map(|pair| pair[0].parse::<u64>().ok()).sum::<u64>();
        }
    });
    sum
}
