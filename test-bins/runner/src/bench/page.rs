//! Everything as one page of HTML, which needs nothing else.

use super::measured::{Case, Contender, Document};
use super::number::{goal, short, threads};
use super::plot::{self, Style, escape};

const STYLE: &str = include_str!("page.css");

/// The page.
pub fn html(document: &Document) -> String {
    let host = &document.host;
    let cases: String = document.cases.iter().map(section).collect();
    let note = document.disturbance().map_or(String::new(), |note| format!("<p><b>{}</b></p>\n", escape(&note)));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>rseq: per-CPU data and its peers</title>\n<style>\n{}{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Per-CPU data and its peers</h1>\n<p>{}<br>{}, <code>{}</code></p>\n\
         <p class=\"muted\">Medians of {} rounds. In each round all contenders run in turn for about {} ms, their \
         threads pinned apart. Nanoseconds are of thread CPU time, so lower is better; thin lines at the points reach \
         from the first to the third quartile. Multiples are of the first row's time in the same round.</p>\n\
         {note}{cases}</main>\n</body>\n</html>\n",
        plot::STYLE,
        escape(&host.line()),
        escape(&host.date.replace('T', " ").replace('Z', " UTC")),
        escape(&document.command),
        document.rounds,
        document.milliseconds,
    )
}

fn section(case: &Case) -> String {
    let drawing = plot::svg(case, Style::OfThePage).unwrap_or_default();
    let (name, operation) = (escape(&case.name), escape(&case.operation));
    let heads: String =
        case.threads().iter().map(|&count| format!("<th scope=\"col\">{}</th>", threads(count))).collect();
    let rows: String = plot::hues(case).iter().map(|(contender, hue)| row(case, contender, hue)).collect();
    format!(
        "<section>\n<h2>{name}</h2>\n<p class=\"muted\">An operation {operation}.</p>\n\
         <div class=\"scroll\">{drawing}</div>\n<div class=\"scroll\"><table>\n\
         <tr><th scope=\"col\">ns per operation</th>{heads}</tr>\n{rows}</table></div>\n{}</section>\n",
        goals(case)
    )
}

fn row(case: &Case, contender: &Contender, hue: &str) -> String {
    let class = if contender.ours { " class=\"ours\"" } else { "" };
    let key = format!("<span class=\"key\" style=\"background: var({hue})\"></span>{}", escape(&contender.label));
    let cells: String = match &contender.skipped {
        Some(reason) => format!("<td colspan=\"{}\">skipped: {}</td>", case.threads().len(), escape(reason)),
        None => case.threads().iter().map(|&threads| cell(contender, threads)).collect(),
    };
    format!("<tr{class}><th scope=\"row\">{key}</th>{cells}</tr>\n")
}

fn cell(contender: &Contender, threads: u32) -> String {
    let Some(point) = contender.with(threads) else { return "<td></td>".into() };
    let ratio = point.ratio.map_or(String::new(), |ratio| format!("{}x", short(ratio.median)));
    let ns = point.cpu_ns;
    let quartiles = format!("quartiles {} to {} ns", short(ns.low), short(ns.high));
    format!("<td title=\"{quartiles}\">{} <small>{ratio}</small></td>", short(ns.median))
}

fn goals(case: &Case) -> String {
    let items = case.goals.iter().filter_map(|one| {
        let word = if one.met()? { "met" } else { "missed" };
        Some(format!("<li class=\"{word}\"><b>{word}</b> {}</li>\n", escape(&goal(one)?)))
    });
    let items: String = items.collect();
    if items.is_empty() { items } else { format!("<ul>\n{items}</ul>\n") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::printed::sample;
    use crate::host::Host;

    fn page(threads: &[u32]) -> String {
        let host = Host { cpu: "C<P>U".into(), cpus: 2, kernel: "6.1".into(), arch: "x", date: "today".into() };
        let cases = vec![sample::case(threads)];
        html(&Document { schema: 1, host, command: "bench".into(), rounds: 1, milliseconds: 1, cases })
    }

    #[test]
    fn a_page_needs_nothing_else_and_shows_labels_as_they_are() {
        let page = page(&[1, 2]);
        for outside in ["href", "src=", "url(", "@import", "<script", "<link"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("C&lt;P&gt;U") && page.contains("Mutex&lt;Vec&lt;u64&gt;&gt;, shared"));
        assert!(!page.contains("<Vec") && page.contains("skipped: no such thing is here"));
        assert!(page.contains("class=\"met\"") && page.contains("class=\"missed\""));
        assert_eq!(page.matches("class=\"line\"").count(), 2);
    }

    #[test]
    fn one_number_of_threads_and_none_are_drawn_too() {
        assert!(!page(&[1]).contains("NaN") && !page(&[1]).contains("inf"));
        assert!(!page(&[]).contains("<svg"));
    }
}
