//! The tables and plots of `rseq-core/docs/performance.md`.
//!
//! The words of that file are written by hand; what lies between two markers is written here. A plot is a file beside
//! it, for readers of the repository, and the same as a `data:` address in `performance/plots.md`, for rustdoc:
//! included before `performance.md`, its definitions are the first and so the ones that count.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::measured::{Case, Contender, Document};
use super::number::{goal, short, threads};
use super::plot::{self, Style};
use crate::report::marked;
use crate::text::wrap;

/// Writes all of it and returns the path of the text.
pub fn update(root: &Path, document: &Document) -> anyhow::Result<PathBuf> {
    let docs = root.join("rseq-core/docs");
    let plots = docs.join("performance");
    fs::create_dir_all(&plots)?;
    let path = docs.join("performance.md");
    let mut text = marked::read(&path)?;
    text = marked::replace(&text, "bench", "host", &host(document))?;
    let mut addresses = String::new();
    for case in &document.cases {
        text = marked::replace(&text, "bench", &case.name, &section(case))?;
        if let Some(svg) = plot::svg(case, Style::Own) {
            fs::write(plots.join(format!("{}.svg", case.name)), &svg)?;
            addresses += &format!("[plot-{}]: data:image/svg+xml,{}\n", case.name, percent(&svg));
        }
    }
    fs::write(plots.join("plots.md"), addresses)?;
    fs::write(&path, text)?;
    Ok(path)
}

fn host(document: &Document) -> String {
    let (host, rounds, milliseconds) = (&document.host, document.rounds, document.milliseconds);
    let Document { command, .. } = document;
    format!(
        "Measured on {} by `{command}`:\n{}; medians of {rounds} rounds of {milliseconds} ms.\n{}",
        host.date.split('T').next().unwrap_or_default(),
        host.line(),
        document.disturbance().map_or(String::new(), |note| format!("\n{}\n", wrap(&note, 120).join("\n")))
    )
}

fn section(case: &Case) -> String {
    let Case { name, operation, .. } = case;
    let counts = case.threads();
    let heads: String = counts.iter().map(|&count| format!(" {} |", threads(count))).collect();
    let rows: String = case.contenders.iter().map(|contender| row(contender, &counts)).collect();
    format!(
        "An operation {operation}.\n\n![Nanoseconds an operation by threads][plot-{name}]\n\n\
         | ns per operation |{heads}\n|---|{}\n{rows}\n{}[plot-{name}]: performance/{name}.svg\n",
        "---|".repeat(counts.len()),
        goals(case)
    )
}

fn row(contender: &Contender, counts: &[u32]) -> String {
    let cell = |&threads: &u32| match contender.with(threads) {
        Some(point) => {
            let ratio = point.ratio.map_or(String::new(), |ratio| format!(" ({}x)", short(ratio.median)));
            format!(" {}{ratio} |", short(point.cpu_ns.median))
        }
        None => " |".into(),
    };
    let cells: String = counts.iter().map(cell).collect();
    let label = escape(&contender.label);
    let label = if contender.ours { format!("**{label}**") } else { label };
    match &contender.skipped {
        Some(reason) => format!("| {label}, skipped: {} |{cells}\n", escape(reason)),
        None => format!("| {label} |{cells}\n"),
    }
}

fn goals(case: &Case) -> String {
    let line = |one| {
        let met = super::measured::Goal::met(one)?;
        Some(format!("* {}: {}\n", if met { "met" } else { "**missed**" }, escape(&goal(one)?)))
    };
    let goals: String = case.goals.iter().filter_map(line).collect();
    if goals.is_empty() { goals } else { format!("Goals:\n\n{goals}\n") }
}

/// The text as Markdown shows it: a type's parameters are no HTML.
fn escape(text: &str) -> String {
    text.replace('<', "\\<").replace('|', "\\|")
}

/// The text as a part of an address.
fn percent(text: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/:=,;".contains(&byte);
    let encoded = |byte: u8| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(encoded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_character_with_a_meaning() {
        assert_eq!(percent("<a b=\"#1\">(\u{e4})"), "%3Ca%20b=%22%231%22%3E%28%C3%A4%29");
    }
}
