//! KTAP version 1, line by line: what is written and what is read.
//!
//! [`TestLine`], [`Plan`], [`SkipAll`] and [`Totals`] are written with `Display`; [`read`] says what a line is. Nested
//! documents are indented by two spaces, which is the printing program's part. Format: the kernel's
//! `Documentation/dev-tools/ktap.rst`.

use core::fmt;

use crate::outcome::{Counts, Outcome};

/// The first line of a document.
pub const VERSION: &str = "KTAP version 1";
/// What a line starts with that ends everything, before the reason.
pub const BAIL_OUT: &str = "Bail out!";

/// The line that promises so many results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan(pub u64);

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1..{}", self.0)
    }
}

/// The plan of a program that can test nothing here, with the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SkipAll<R>(pub R);

impl<R: fmt::Display> fmt::Display for SkipAll<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1..0 # SKIP {}", self.0)
    }
}

/// A result with its number; name and reason are anything that can be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestLine<N, R> {
    /// Counted from 1.
    pub number: u64,
    /// The description.
    pub name: N,
    /// `ok` unless it is bad.
    pub outcome: Outcome,
    /// In place of the outcome's own directive, such as [`Directive::Timeout`] for a failure.
    pub directive: Option<Directive>,
    /// What follows the directive; not printed where there is none.
    pub reason: R,
}

impl<N: fmt::Display, R: fmt::Display> fmt::Display for TestLine<N, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, name, outcome, directive, reason } = self;
        let not = if outcome.is_bad() { "not " } else { "" };
        write!(f, "{not}ok {number} {name}")?;
        match directive.or(outcome.directive()) {
            Some(directive) => write!(f, " # {} {reason}", directive.word()),
            None => Ok(()),
        }
    }
}

/// The comment at the end that counts the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals(pub Counts);

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "# Totals: {}", self.0)
    }
}

/// The kinds of line. Everything that is not KTAP is [`Line::Other`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line<'a> {
    /// `KTAP version 1`, or the TAP versions that kselftest prints.
    Version,
    /// `1..N`; the number is `None` where it does not fit 64 bits.
    Plan {
        /// How many results are promised.
        count: Option<u64>,
        /// The reason of `1..0 # SKIP reason`.
        skip: Option<&'a str>,
    },
    /// `ok N name` or `not ok N name`.
    Result {
        /// `false` for `not ok`.
        ok: bool,
        /// The result's number; `None` where it does not fit 64 bits.
        number: Option<u64>,
        /// The description without the leading dash.
        name: &'a str,
        /// The word after `#`, if it is one that KTAP knows.
        directive: Option<Directive>,
        /// What follows the directive.
        reason: &'a str,
    },
    /// `# Totals: pass:1 fail:0 xfail:0 xpass:0 skip:0 error:0`.
    Totals(Counts),
    /// `Bail out! reason`.
    BailOut(&'a str),
    /// Any other line that starts with `#`.
    Comment(&'a str),
    /// Not KTAP: a kernel message, a program's chatter, garbage.
    Other(&'a str),
}

/// The directives of a result line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive {
    /// Not run.
    Skip,
    /// Known to be unfinished.
    Todo,
    /// Failed, as expected.
    Xfail,
    /// Passed, unexpectedly.
    Xpass,
    /// Ended by a deadline.
    Timeout,
    /// Could not be carried out.
    Error,
}

/// All of them.
const DIRECTIVES: [Directive; 6] =
    [Directive::Skip, Directive::Todo, Directive::Xfail, Directive::Xpass, Directive::Timeout, Directive::Error];

impl Directive {
    /// The word after `#`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Skip => "SKIP",
            Self::Todo => "TODO",
            Self::Xfail => "XFAIL",
            Self::Xpass => "XPASS",
            Self::Timeout => "TIMEOUT",
            Self::Error => "ERROR",
        }
    }
}

impl Outcome {
    /// The directive that goes with it.
    const fn directive(self) -> Option<Directive> {
        match self {
            Self::Pass | Self::Fail => None,
            Self::Skip => Some(Directive::Skip),
            Self::Xfail => Some(Directive::Xfail),
            Self::Xpass => Some(Directive::Xpass),
        }
    }

    /// What a result line with this status and directive means.
    pub const fn of_line(ok: bool, directive: Option<Directive>) -> Self {
        match (directive, ok) {
            (Some(Directive::Skip), _) => Self::Skip,
            (Some(Directive::Xfail), _) | (Some(Directive::Todo), false) => Self::Xfail,
            (Some(Directive::Xpass), _) => Self::Xpass,
            (Some(Directive::Timeout | Directive::Error), _) => Self::Fail,
            (None | Some(Directive::Todo), true) => Self::Pass,
            (None, false) => Self::Fail,
        }
    }
}

/// Splits a line into its indentation (in spaces) and what it says.
pub fn read(line: &str) -> (usize, Line<'_>) {
    let text = line.trim_start_matches(' ');
    (line.len() - text.len(), classify(text.trim_end()))
}

fn classify(text: &str) -> Line<'_> {
    let comment = || text.strip_prefix('#').map(|rest| Line::Comment(rest.trim_start()));
    version(text)
        .or_else(|| plan(text))
        .or_else(|| result(text))
        .or_else(|| totals(text))
        .or_else(|| text.strip_prefix(BAIL_OUT).map(|rest| Line::BailOut(rest.trim())))
        .or_else(comment)
        .unwrap_or(Line::Other(text))
}

fn version(text: &str) -> Option<Line<'_>> {
    let number = text.strip_prefix("KTAP version ").or_else(|| text.strip_prefix("TAP version "))?;
    is_number(number).then_some(Line::Version)
}

fn plan(text: &str) -> Option<Line<'_>> {
    let (count, rest) = split_number(text.strip_prefix("1..")?)?;
    let (before, directive, reason) = split_directive(rest);
    let skip = (directive == Some(Directive::Skip)).then_some(reason);
    before.trim().is_empty().then_some(Line::Plan { count, skip })
}

fn result(text: &str) -> Option<Line<'_>> {
    let (ok, rest) = match text.strip_prefix("not ok ") {
        Some(rest) => (false, rest),
        None => (true, text.strip_prefix("ok ")?),
    };
    let (number, rest) = split_number(rest)?;
    if !(rest.is_empty() || rest.starts_with(' ')) {
        return None;
    }
    let (name, directive, reason) = split_directive(rest.trim_start());
    let name = name.strip_prefix("- ").unwrap_or(name).trim();
    Some(Line::Result { ok, number, name, directive, reason })
}

fn totals(text: &str) -> Option<Line<'_>> {
    let mut counts = Counts::default();
    for field in text.strip_prefix("# Totals:")?.split_whitespace() {
        let (key, number) = field.split_once(':')?;
        let number: u64 = number.parse().ok()?;
        match key {
            "pass" => counts.passed = number,
            "fail" | "error" => counts.failed = counts.failed.checked_add(number)?,
            "xfail" => counts.xfailed = number,
            "xpass" => counts.xpassed = number,
            "skip" => counts.skipped = number,
            _ => return None,
        }
    }
    Some(Line::Totals(counts))
}

/// Splits `name # DIRECTIVE reason`; an unknown word after `#` stays part of the name.
fn split_directive(text: &str) -> (&str, Option<Directive>, &str) {
    for (position, _) in text.match_indices('#') {
        let after = text[position + 1..].trim_start();
        let word = after.split([' ', ':']).next().unwrap_or_default();
        if let Some(directive) = directive(word) {
            let reason = after[word.len()..].trim_start_matches([':', ' ']).trim_end();
            return (text[..position].trim_end(), Some(directive), reason);
        }
    }
    (text, None, "")
}

fn directive(word: &str) -> Option<Directive> {
    DIRECTIVES.into_iter().find(|directive| directive.word().eq_ignore_ascii_case(word))
}

/// Splits leading digits off; the number is `None` where it does not fit.
fn split_number(text: &str) -> Option<(Option<u64>, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].parse().ok(), &text[end..]))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTCOMES: [Outcome; 5] = [Outcome::Pass, Outcome::Skip, Outcome::Xfail, Outcome::Xpass, Outcome::Fail];

    #[test]
    fn results_that_are_written_are_read() {
        for outcome in OUTCOMES {
            for directive in [None, Some(Directive::Timeout), Some(Directive::Error)] {
                let directive = directive.filter(|_| outcome == Outcome::Fail);
                let line =
                    TestLine { number: 7, name: "a name: of 2 # words", outcome, directive, reason: "why: 1 # 2" };
                let text = line.to_string();
                let (0, Line::Result { ok, number: Some(7), name, directive: read, reason }) = read(&text) else {
                    panic!("{text}")
                };
                assert_eq!((name, ok), (line.name, !outcome.is_bad()), "{text}");
                assert_eq!(Outcome::of_line(ok, read), outcome, "{text}");
                assert_eq!(reason, if text.contains("why") { line.reason } else { "" });
                assert_eq!(read, directive.or(outcome.directive()));
            }
        }
    }

    #[test]
    fn other_lines_that_are_written_are_read() {
        assert_eq!(read(VERSION), (0, Line::Version));
        assert_eq!(read(&format!("  {VERSION}")), (2, Line::Version));
        assert_eq!(read(&Plan(u64::MAX).to_string()), (0, Line::Plan { count: Some(u64::MAX), skip: None }));
        let skipped = SkipAll("no rseq: see above").to_string();
        assert_eq!(read(&skipped), (0, Line::Plan { count: Some(0), skip: Some("no rseq: see above") }));
        let counts = Counts { passed: 1, failed: 2, skipped: 3, xfailed: 4, xpassed: 5 };
        assert_eq!(read(&Totals(counts).to_string()), (0, Line::Totals(counts)));
        assert_eq!(read(&format!("{BAIL_OUT} no more")), (0, Line::BailOut("no more")));
    }

    #[test]
    fn each_directive_is_read_in_capitals_or_not() {
        for directive in DIRECTIVES {
            let lower = directive.word().to_ascii_lowercase();
            for text in [format!("ok 1 a # {} b", directive.word()), format!("ok 1 - a #{lower}: b")] {
                let Line::Result { name, directive: read, reason, .. } = read(&text).1 else { panic!("{text}") };
                assert_eq!((name, read, reason), ("a", Some(directive), "b"), "{text}");
            }
        }
        let unknown = Line::Result { ok: true, number: Some(1), name: "a # SKIPPED b", directive: None, reason: "" };
        assert_eq!(read("ok 1 a # SKIPPED b").1, unknown);
    }
}
