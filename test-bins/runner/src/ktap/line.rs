//! What one line of KTAP says, by itself.

use super::Counts;

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
        .or_else(|| text.strip_prefix("Bail out!").map(|rest| Line::BailOut(rest.trim())))
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
    match word.to_ascii_uppercase().as_str() {
        "SKIP" => Some(Directive::Skip),
        "TODO" => Some(Directive::Todo),
        "XFAIL" => Some(Directive::Xfail),
        "XPASS" => Some(Directive::Xpass),
        "TIMEOUT" => Some(Directive::Timeout),
        "ERROR" => Some(Directive::Error),
        _ => None,
    }
}

/// Splits leading digits off; the number is `None` where it does not fit.
fn split_number(text: &str) -> Option<(Option<u64>, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].parse().ok(), &text[end..]))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
