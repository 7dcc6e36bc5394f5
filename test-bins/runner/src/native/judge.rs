//! Did it pass? How a process ended and what it printed must agree.

use protocol::outcome::{FAIL, PASS, SKIP, XFAIL};
use serde::Serialize;

use super::exec::{End, Finished};
use crate::ktap::{Counts, Document, Outcome};

/// What became of a run, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Good, bad or neither.
    #[serde(serialize_with = "crate::ktap::json::outcome")]
    pub outcome: Outcome,
    /// For a bad one all that speaks against it, for a skip why; else empty.
    pub reasons: Vec<String>,
}

impl Verdict {
    /// A failure for one reason.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self { outcome: Outcome::Fail, reasons: vec![reason.into()] }
    }
}

/// Judges a test by its end and its KTAP.
pub fn judge_test(finished: &Finished, document: &Document) -> Verdict {
    let ended = bad_end(finished);
    let counts = document.own_counts();
    let mut reasons: Vec<_> = ended.iter().cloned().collect();
    reasons.extend(document.problems.iter().cloned());
    reasons.extend(document.failures());
    if let End::Code(code) = finished.end {
        reasons.extend(disagreement(code, counts, document));
    }
    if !reasons.is_empty() {
        return Verdict { outcome: Outcome::Fail, reasons };
    }
    match counts.exit_code() {
        SKIP => Verdict { outcome: Outcome::Skip, reasons: skip_reasons(document) },
        XFAIL => Verdict { outcome: Outcome::Xfail, reasons },
        _ => Verdict { outcome: Outcome::Pass, reasons },
    }
}

/// Judges a report by its end alone; `valid` says whether its text could be read.
pub fn judge_report(finished: &Finished, valid: Result<(), String>) -> Verdict {
    let mut reasons: Vec<_> = bad_end(finished).into_iter().chain(valid.err()).collect();
    match finished.end {
        End::Code(code) if reasons.is_empty() => match u8::try_from(code) {
            Ok(PASS) => Verdict { outcome: Outcome::Pass, reasons },
            Ok(SKIP) => Verdict { outcome: Outcome::Skip, reasons: vec!["nothing to report on here".into()] },
            _ => Verdict::failed(format!("exit code {code}")),
        },
        _ => Verdict { outcome: Outcome::Fail, reasons: std::mem::take(&mut reasons) },
    }
}

fn bad_end(finished: &Finished) -> Option<String> {
    match finished.end {
        End::TimedOut => Some(format!("still running after {:.1} s: killed", finished.elapsed.as_secs_f64())),
        End::Interrupted => Some("interrupted".into()),
        End::Signal(signal) => Some(format!("killed by signal {}", signal_name(signal))),
        End::Code(_) if finished.left_processes => Some("left processes behind that held its output open".into()),
        End::Code(_) => None,
    }
}

fn signal_name(number: i32) -> String {
    match nix::sys::signal::Signal::try_from(number) {
        Ok(signal) => format!("{number} ({signal})"),
        Err(_) => number.to_string(),
    }
}

fn disagreement(code: i32, counts: Counts, document: &Document) -> Option<String> {
    if document.results.is_empty() && document.skipped.is_none() {
        return (code != i32::from(PASS)).then(|| format!("exit code {code}"));
    }
    let expected = i32::from(counts.exit_code());
    // A broken plan is exit code 1 whatever the results are, and stands among the reasons already.
    let broken = code == i32::from(FAIL) && !document.problems.is_empty();
    (code != expected && !broken).then(|| format!("exit code {code}, but the results mean {expected}"))
}

fn skip_reasons(document: &Document) -> Vec<String> {
    let mut reasons: Vec<_> = document.skipped.iter().cloned().collect();
    document.for_each(&mut |_, case| {
        if case.outcome == Outcome::Skip && !reasons.contains(&case.reason) {
            reasons.push(case.reason.clone());
        }
    });
    reasons
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ktap::Parser;

    fn judged(end: End, text: &str) -> Verdict {
        let finished = Finished { end, elapsed: Duration::from_secs(1), left_processes: false };
        let mut parser = Parser::new();
        text.lines().for_each(|line| parser.line(line));
        judge_test(&finished, &parser.finish())
    }

    const GOOD: &str = "KTAP version 1\n1..2\nok 1 a\nok 2 b # SKIP no KVM\n";

    #[test]
    fn good_results_and_exit_code_zero_pass() {
        assert_eq!(judged(End::Code(0), GOOD), Verdict { outcome: Outcome::Pass, reasons: vec![] });
    }

    #[test]
    fn each_bad_end_fails_with_its_reason() {
        let cases = [
            (End::Code(1), "exit code 1, but the results mean 0"),
            (End::Code(4), "exit code 4, but the results mean 0"),
            (End::Signal(11), "killed by signal 11 (SIGSEGV)"),
            (End::Signal(64), "killed by signal 64"),
            (End::TimedOut, "still running after 1.0 s: killed"),
            (End::Interrupted, "interrupted"),
        ];
        for (end, reason) in cases {
            assert_eq!(judged(end, GOOD), Verdict::failed(reason), "{end:?}");
        }
    }

    #[test]
    fn the_exit_code_goes_with_the_worst_result() {
        let cases = [
            ("ok 1 a", 0, Outcome::Pass),
            ("ok 1 a # XFAIL known", 2, Outcome::Xfail),
            ("ok 1 a # SKIP none here", 4, Outcome::Skip),
            ("not ok 1 a", 1, Outcome::Fail),
            ("not ok 1 a # XPASS known", 3, Outcome::Fail),
        ];
        for (line, right, outcome) in cases {
            for code in 0..=5 {
                let verdict = judged(End::Code(code), &format!("KTAP version 1\n1..1\n{line}\n"));
                let disagrees = verdict.reasons.iter().any(|reason| reason.contains("the results mean"));
                assert_eq!(disagrees, code != right, "{line}, exit code {code}: {verdict:?}");
                assert_eq!(verdict.outcome, if code == right { outcome } else { Outcome::Fail });
            }
        }
    }

    #[test]
    fn failed_results_are_named() {
        let text = "KTAP version 1\n1..2\n  KTAP version 1\n  1..1\n  not ok 1 x\nnot ok 1 a\nok 2 b\n";
        assert_eq!(judged(End::Code(1), text).reasons, ["1 of 2 results failed", "a / x"]);
    }

    #[test]
    fn a_skipped_plan_is_a_skip_with_its_reason() {
        let verdict = judged(End::Code(4), "KTAP version 1\n1..0 # SKIP no rseq\n");
        assert_eq!(verdict, Verdict { outcome: Outcome::Skip, reasons: vec!["no rseq".into()] });
    }

    #[test]
    fn what_is_left_behind_is_a_failure() {
        let finished = Finished { end: End::Code(0), elapsed: Duration::ZERO, left_processes: true };
        assert_eq!(judge_report(&finished, Ok(())).outcome, Outcome::Fail);
    }
}
