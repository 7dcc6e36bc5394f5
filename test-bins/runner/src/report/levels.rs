//! Which documents of nested KTAP are open, and what closes them: readers such as the kernel's `kunit.py` count
//! results, and do not look at how far they are indented, so that they would take the results after an unfinished
//! document for that document's.

use crate::ktap::{Directive, Line, Outcome, Plan, TestLine, read_line};

/// The most results that are made up for one document.
const MOST: u64 = 1000;

/// A document that has begun.
#[derive(Debug)]
struct Level {
    indent: usize,
    plan: Option<u64>,
    results: u64,
}

/// The open documents, the innermost last.
#[derive(Debug, Default)]
pub struct Levels(Vec<Level>);

impl Levels {
    /// Takes note of a line; returns the lines that close what it ends before its time.
    pub fn line(&mut self, text: &str) -> Vec<String> {
        let (indent, line) = read_line(text);
        let mut closing = Vec::new();
        match line {
            Line::Version => {
                // A second document at the same place ends the first one.
                closing = self.close(indent);
                self.0.push(Level { indent, plan: None, results: 0 });
            }
            Line::Plan { count, .. } => {
                closing = self.close(indent + 1);
                if let Some(level) = self.0.last_mut().filter(|level| level.indent == indent) {
                    level.plan = level.plan.or(count);
                }
            }
            Line::Result { .. } => {
                closing = self.close(indent + 1);
                if let Some(level) = self.0.last_mut().filter(|level| level.indent == indent) {
                    level.results += 1;
                }
            }
            _ => {}
        }
        closing
    }

    /// The lines that close every document at least so far indented.
    pub fn close(&mut self, indent: usize) -> Vec<String> {
        let mut closing = Vec::new();
        while let Some(level) = self.0.pop_if(|level| level.indent >= indent) {
            level.close(&mut closing);
        }
        closing
    }
}

impl Level {
    fn close(&self, closing: &mut Vec<String>) {
        let Self { indent, plan, results } = *self;
        if plan.is_none() && results == 0 {
            closing.push(format!("{:indent$}{}", "", Plan(1)));
        }
        let plan = plan.unwrap_or(1).min(results.saturating_add(MOST));
        for number in results + 1..=plan {
            let (outcome, directive) = (Outcome::Fail, Some(Directive::Error));
            let line =
                TestLine { number, name: "not reported", outcome, directive, reason: "the program ended before" };
            closing.push(format!("{:indent$}{line}", ""));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything, with what closes it.
    fn closed(text: &str) -> String {
        let mut levels = Levels::default();
        let mut lines = Vec::new();
        for line in text.lines() {
            lines.extend(levels.line(line));
            lines.push(line.to_owned());
        }
        lines.extend(levels.close(0));
        lines.join("\n")
    }

    const MISSING: &str = "not reported # ERROR the program ended before";

    #[test]
    fn what_is_whole_stays_as_it_is() {
        let text =
            "KTAP version 1\n1..2\n  KTAP version 1\n  1..1\n  ok 1 a\nok 1 b\nok 2 c # SKIP d\n# Totals: pass:1";
        assert_eq!(closed(text), text);
        assert_eq!(closed("KTAP version 1\n1..0 # SKIP no"), "KTAP version 1\n1..0 # SKIP no");
        assert_eq!(closed("words\nok 1 a"), "words\nok 1 a");
    }

    #[test]
    fn each_open_level_gets_its_results() {
        let text = "KTAP version 1\n1..2\nok 1 a\n  KTAP version 1\n  1..3\n  ok 1 b";
        let expected = format!("{text}\n  not ok 2 {MISSING}\n  not ok 3 {MISSING}\nnot ok 2 {MISSING}");
        assert_eq!(closed(text), expected);
    }

    #[test]
    fn a_level_without_a_plan_gets_one() {
        let expected = format!("KTAP version 1\n1..1\nnot ok 1 {MISSING}");
        assert_eq!(closed("KTAP version 1"), expected);
    }

    #[test]
    fn a_level_that_a_result_ends_too_early_is_closed_before_it() {
        let text = "KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n  ok 1 a\nnot ok 1 b";
        let expected = text.replace("\nnot ok 1 b", &format!("\n  not ok 2 {MISSING}\nnot ok 1 b"));
        assert_eq!(closed(text), expected);
    }

    #[test]
    fn a_mad_plan_costs_little() {
        let lines = closed("KTAP version 1\n1..18446744073709551615\nok 1 a").lines().count() as u64;
        assert_eq!(lines, 3 + MOST);
    }
}
