//! Lines to a [`Document`], with nesting by indentation.

use protocol::ktap::{self, Directive, Line};

use super::document::{Case, Document, UNFINISHED};
use super::{Counts, Outcome};

/// Deeper nesting is reported and not followed.
const MAX_DEPTH: usize = 8;
/// More results than this are reported and not kept, in all documents together.
const MAX_RESULTS: usize = 100_000;
/// Comments kept before each result; older ones go.
const MAX_COMMENTS: usize = 32;
/// Problems kept in all; the first ones tell the most.
const MAX_PROBLEMS: usize = 64;

/// Reads one document; see the [module](super).
#[derive(Debug, Default)]
pub struct Parser {
    open: Vec<Level>,
    problems: Vec<String>,
    results: usize,
    bailed_out: bool,
}

/// A document that is still being read.
#[derive(Debug, Default)]
struct Level {
    indent: usize,
    document: Document,
    totals: Option<Counts>,
    /// A nested document that waits for the result that sums it up.
    nested: Option<Document>,
    /// Where the problems of that document start.
    nested_problems: usize,
    /// How many problems there were before this document.
    problems: usize,
    comments: Vec<String>,
}

impl Parser {
    /// A parser that has read nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one line, given without its newline.
    pub fn line(&mut self, text: &str) {
        let (indent, line) = ktap::read(text.trim_matches('\r'));
        match line {
            Line::Version => self.version(indent),
            Line::Plan { count, skip } => self.plan(indent, count, skip),
            Line::Result { .. } => self.result(indent, &line),
            Line::Totals(counts) => self.totals(indent, counts),
            Line::BailOut(reason) => self.bail_out(reason),
            Line::Comment(text) | Line::Other(text) => self.comment(text),
        }
    }

    /// Ends the input: closes what is open and says what is missing.
    pub fn finish(mut self) -> Document {
        if self.open.is_empty() {
            self.problem("no KTAP at all: no version line, no plan, no result".into());
        }
        while self.open.len() > 1 {
            self.close_innermost();
        }
        let mut document = match self.open.pop() {
            Some(level) => self.close(level),
            None => Document::default(),
        };
        document.problems = self.problems;
        document
    }

    /// How many results are complete so far, nested ones included.
    pub fn results(&self) -> usize {
        self.results
    }

    fn version(&mut self, indent: usize) {
        self.leave_deeper_than(indent);
        match self.open.last() {
            Some(level) if level.indent >= indent => {
                self.problem("a second version line in one document".into());
            }
            _ => self.enter(indent),
        }
    }

    fn plan(&mut self, indent: usize, count: Option<u64>, skip: Option<&str>) {
        self.settle(indent, "plan");
        let Some(level) = self.open.last_mut() else { return };
        let duplicate = level.document.plan.is_some();
        match count {
            Some(count) if !duplicate => {
                level.document.plan = Some(count);
                level.document.skipped = skip.map(str::to_owned);
            }
            Some(_) => self.problem("a second plan".into()),
            None => self.problem("a plan whose number is too large".into()),
        }
    }

    fn result(&mut self, indent: usize, line: &Line<'_>) {
        let Line::Result { ok, number, name, directive, reason } = *line else { return };
        self.settle(indent, "result");
        if self.results >= MAX_RESULTS {
            self.problem(format!("more than {MAX_RESULTS} results"));
            return;
        }
        self.results += 1;
        let timed_out = directive == Some(Directive::Timeout);
        self.place_problems(name, timed_out);
        let Some(level) = self.open.last_mut() else { return };
        let expected = level.document.results.len() as u64 + 1;
        let case = Case {
            number: number.unwrap_or(expected),
            name: name.to_owned(),
            outcome: Outcome::of_line(ok, directive),
            timed_out,
            reason: reason.to_owned(),
            comments: std::mem::take(&mut level.comments),
            nested: level.nested.take().map(Box::new),
        };
        let contradiction = contradicts(&case);
        level.document.results.push(case);
        if number != Some(expected) {
            self.problem(format!("result \"{name}\" is numbered out of order, {expected} was due"));
        }
        if contradiction {
            self.problem(format!("result \"{name}\" says ok over nested failures"));
        }
    }

    /// Says of problems in the nested results whose they are. What a deadline cut off is not whole, which is no problem
    /// of its own.
    fn place_problems(&mut self, name: &str, timed_out: bool) {
        let Some(level) = self.open.last().filter(|level| level.nested.is_some()) else { return };
        match timed_out {
            true => self.problems.truncate(level.nested_problems),
            false => {
                let nested = self.problems.iter_mut().skip(level.nested_problems);
                nested.for_each(|problem| *problem = format!("{name}: {problem}"));
            }
        }
    }

    fn totals(&mut self, indent: usize, counts: Counts) {
        self.leave_deeper_than(indent);
        if let Some(level) = self.open.last_mut() {
            level.totals = Some(counts);
        }
    }

    fn bail_out(&mut self, reason: &str) {
        if !self.bailed_out {
            self.problem(format!("bailed out: {reason}"));
        }
        self.bailed_out = true;
    }

    fn comment(&mut self, text: &str) {
        let Some(level) = self.open.last_mut() else { return };
        if text.is_empty() {
            return;
        }
        if level.comments.len() == MAX_COMMENTS {
            level.comments.remove(0);
        }
        level.comments.push(text.to_owned());
    }

    /// Makes the innermost open document the one that a line at `indent` belongs to.
    fn settle(&mut self, indent: usize, what: &str) {
        self.leave_deeper_than(indent);
        if self.open.last().is_none_or(|level| level.indent < indent) {
            self.problem(format!("a {what} without a version line before it"));
            self.enter(indent);
        }
    }

    fn enter(&mut self, indent: usize) {
        if self.open.len() == MAX_DEPTH {
            self.problem(format!("nested deeper than {MAX_DEPTH} levels"));
            return;
        }
        if self.open.last().is_some_and(|level| level.nested.is_some()) {
            self.adopt_orphan();
        }
        self.open.push(Level { indent, problems: self.problems.len(), ..Level::default() });
    }

    /// Closes documents that a line at `indent` cannot be part of; the outermost one stays.
    fn leave_deeper_than(&mut self, indent: usize) {
        while self.open.len() > 1 && self.open.last().is_some_and(|level| level.indent > indent) {
            self.close_innermost();
        }
    }

    fn close_innermost(&mut self) {
        let Some(level) = self.open.pop() else { return };
        let nested_problems = level.problems;
        let document = self.close(level);
        if let Some(parent) = self.open.last_mut() {
            parent.nested = Some(document);
            parent.nested_problems = nested_problems;
        }
    }

    fn close(&mut self, mut level: Level) -> Document {
        if level.nested.is_some() {
            self.open.push(level);
            self.adopt_orphan();
            level = self.open.pop().unwrap_or_default();
        }
        level.document.comments = std::mem::take(&mut level.comments);
        self.check_plan(&level.document);
        if let Some(totals) = level.totals
            && totals != level.document.own_counts()
        {
            self.problem("the totals line does not match the results".into());
        }
        level.document
    }

    fn check_plan(&mut self, document: &Document) {
        let seen = document.results.len() as u64;
        match document.plan {
            None => self.problem(format!("no plan, {seen} results")),
            Some(planned) if planned != seen => {
                self.problem(format!("planned {planned} results, saw {seen}"));
            }
            Some(0) if document.skipped.is_none() => self.problem("a plan of no results".into()),
            Some(_) => {}
        }
    }

    /// Nested results whose own result line never came become a failed result.
    fn adopt_orphan(&mut self) {
        self.problem("nested results without the result that sums them up".into());
        let Some(level) = self.open.last_mut() else { return };
        let nested = level.nested.take().map(Box::new);
        level.document.results.push(Case {
            number: level.document.results.len() as u64 + 1,
            name: UNFINISHED.into(),
            outcome: Outcome::Fail,
            timed_out: true,
            reason: "the output ends before the result".into(),
            comments: std::mem::take(&mut level.comments),
            nested,
        });
    }

    fn problem(&mut self, text: String) {
        if self.problems.len() < MAX_PROBLEMS && !self.problems.contains(&text) {
            self.problems.push(text);
        }
    }
}

fn contradicts(case: &Case) -> bool {
    let nested_bad = |nested: &Document| nested.results.iter().any(|case| case.outcome.is_bad());
    !case.outcome.is_bad() && case.nested.as_deref().is_some_and(nested_bad)
}

#[cfg(test)]
impl Document {
    /// Reads a whole text.
    pub fn read(text: &str) -> Self {
        let mut parser = Parser::new();
        text.lines().for_each(|line| parser.line(line));
        parser.finish()
    }
}
