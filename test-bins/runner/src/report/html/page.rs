//! What is around the tables: the head, the style sheet, the counts.

use super::details::class;
use crate::ktap::Counts;
use crate::report::markup::Text;
use crate::verdict::Status;

/// Light and dark, as the browser is.
const STYLE: &str = include_str!("style.css");

/// A page, all in one.
pub fn page(title: &str, status: Status, about: &[String], counts: &Counts, body: &str) -> String {
    let Counts { passed, failed, skipped, xfailed, xpassed } = counts;
    let chips = [
        ("pass", passed, "passed"),
        ("fail", &(failed + xpassed), "failed"),
        ("skip", skipped, "skipped"),
        ("xfail", xfailed, "failed as expected"),
    ];
    let chips = chips.iter().filter(|(class, count, _)| **count > 0 || *class == "fail");
    let chips = chips.map(|(class, count, word)| {
        let class = if **count == 0 { "none" } else { class };
        format!("<span class=\"tag {class}\">{count} {word}</span> ")
    });
    let about = about.iter().map(|line| format!("<span>{}</span>", Text(line))).collect::<Vec<_>>().join(" · ");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{0}</title>\n<style>\n{STYLE}</style>\n\
         <header class=\"{1}\"><h1>{0}</h1><p>{about}<p>{2}</header>\n<main>\n{body}</main>\n",
        Text(title),
        class(status),
        chips.collect::<String>(),
    )
}
