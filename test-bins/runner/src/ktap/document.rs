//! What was read: results, nested documents, counts and problems.

use serde::{Deserialize, Serialize};

use super::{Counts, Outcome};

/// One KTAP document: what stands between a version line and the line that ends it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Document {
    /// Results that the plan promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<u64>,
    /// The reason of `1..0 # SKIP reason`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// The results, in the order read.
    pub results: Vec<Case>,
    /// Comments after the last result, the totals line left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<String>,
    /// Where the text was not valid KTAP or contradicted itself, nested documents included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// One result line with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The number printed.
    pub number: u64,
    /// The description.
    pub name: String,
    /// What became of it.
    #[serde(serialize_with = "super::json::outcome", deserialize_with = "super::json::read_outcome")]
    pub outcome: Outcome,
    /// Whether it failed by a deadline (`# TIMEOUT`): what it waited for did not come, and nothing was wrong.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub timed_out: bool,
    /// The words after the directive.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The comments (and lines that are no KTAP) just before the result, the last few of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<String>,
    /// The results that this one sums up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nested: Option<Box<Document>>,
}

impl Case {
    /// What it says of itself: the words after the directive, else the comment right before it (`name: words`).
    pub fn why(&self) -> &str {
        let comment = || self.comments.last().map_or("", String::as_str);
        let words = if self.reason.is_empty() { comment() } else { &self.reason };
        words.strip_prefix(&self.name).and_then(|words| words.strip_prefix(": ")).unwrap_or(words)
    }
}

/// The name of a result that never came.
pub const UNFINISHED: &str = "(unfinished)";

/// Bad results that [`Document::failures`] names.
const NAMED: usize = 5;

impl Document {
    /// How many results are bad, and the first of them with what they say; nothing where all are good.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        self.for_each(&mut |path, case| {
            if case.outcome.is_bad() {
                let why = case.why();
                failures.push(match case.nested {
                    Some(_) if why.is_empty() => format!("{path}: failed, though all its results are good"),
                    _ if why.is_empty() => path.to_owned(),
                    _ => format!("{path}: {why}"),
                });
            }
        });
        let count = failures.len();
        if count > 0 {
            failures.truncate(NAMED);
            failures.insert(0, format!("{count} of {} results failed", self.counts().total()));
        }
        if count > NAMED {
            failures.push(format!("and {} more", count - NAMED));
        }
        failures
    }

    /// Counts of this document's own results, nested ones not looked into.
    pub fn own_counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.results.iter().for_each(|case| counts.add(case.outcome));
        counts
    }

    /// Whether a result is bad.
    fn is_bad(&self) -> bool {
        self.results.iter().any(|case| case.outcome.is_bad())
    }

    /// Counts of the innermost results: a result with nested ones counts as those. One that is bad though all of them
    /// are good counts beside them.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.for_each(&mut |_, case| counts.add(case.outcome));
        counts
    }

    /// Calls `each` for every result that [`Document::counts`] counts, with its path (`outer / inner`).
    pub fn for_each(&self, each: &mut dyn FnMut(&str, &Case)) {
        self.walk("", each);
    }

    fn walk(&self, prefix: &str, each: &mut dyn FnMut(&str, &Case)) {
        for case in &self.results {
            let path = if prefix.is_empty() { case.name.clone() } else { format!("{prefix} / {}", case.name) };
            if let Some(nested) = case.nested.as_deref().filter(|nested| !nested.results.is_empty()) {
                nested.walk(&path, each);
                if !case.outcome.is_bad() || nested.is_bad() {
                    continue;
                }
            }
            each(&path, case);
        }
    }
}
