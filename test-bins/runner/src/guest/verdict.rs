//! Did a cell pass? How the guest ended, what it printed, and the codes it gave must agree.

use serde::Serialize;

use super::qemu::End;
use crate::ktap::{Counts, Document, Outcome};

/// What became of a cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Good, bad, or not run.
    #[serde(serialize_with = "crate::ktap::json::outcome")]
    pub outcome: Outcome,
    /// All that speaks against a bad one; why another one was not run.
    pub reasons: Vec<String>,
    /// The innermost results.
    #[serde(serialize_with = "crate::ktap::json::counts")]
    pub counts: Counts,
}

impl Verdict {
    /// A cell that was not run.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self { outcome: Outcome::Skip, reasons: vec![reason.into()], counts: Counts::default() }
    }

    /// A cell that did not get as far as a guest.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self { outcome: Outcome::Fail, reasons: vec![reason.into()], counts: Counts::default() }
    }
}

/// Judges a guest by its end and its results. `code` is what the first process said of itself where it was a test.
pub fn judge(end: &End, document: &Document, code: Option<i32>) -> Verdict {
    let mut reasons: Vec<_> = ended(end).into_iter().collect();
    // What a guest that was cut off left undone says nothing more.
    if *end == End::Done {
        reasons.extend(document.problems.iter().cloned());
    }
    reasons.extend(document.failures());
    let counts = document.counts();
    if reasons.is_empty() && counts.total() == 0 && document.skipped.is_none() {
        reasons.push("no results".into());
    }
    if let Some(code) = code.filter(|code| !matches!(code, 0 | 2 | 4)) {
        reasons.push(format!("exit code {code}"));
    }
    let outcome = match (reasons.is_empty(), counts.passed + counts.xfailed) {
        (false, _) => Outcome::Fail,
        (true, 0) => Outcome::Skip,
        (true, _) => Outcome::Pass,
    };
    if outcome == Outcome::Skip {
        reasons.extend(document.skipped.iter().cloned());
    }
    Verdict { outcome, reasons, counts }
}

/// Whether all that speaks against a guest is that it, or some of its tests, missed a deadline.
pub fn is_late(end: &End, document: &Document, verdict: &Verdict) -> bool {
    let (mut late, mut wrong) = (0, 0);
    document.for_each(&mut |_, case| {
        late += u32::from(case.late);
        wrong += u32::from(case.outcome.is_bad() && !case.late);
    });
    match end {
        End::Silent(_) | End::TimedOut(_) => wrong == 0,
        End::Done => late > 0 && wrong == 0 && verdict.reasons == document.failures(),
        End::Panic(_) | End::Gone(_) | End::Interrupted => false,
    }
}

fn ended(end: &End) -> Option<String> {
    Some(match end {
        End::Done => return None,
        End::Panic(words) => format!("the kernel panicked: {words}"),
        End::Gone(status) => format!("QEMU ended before the guest was done ({status})"),
        End::TimedOut(after) => format!("not done after {:.0} s: ended", after.as_secs_f64()),
        End::Silent(after) => format!("silent for {:.0} s: ended", after.as_secs_f64()),
        End::Interrupted => "interrupted".into(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ktap::Parser;

    fn judged(end: End, text: &str) -> Verdict {
        let mut parser = Parser::new();
        text.lines().for_each(|line| parser.line(line));
        judge(&end, &parser.finish(), None)
    }

    const GOOD: &str = "KTAP version 1\n1..2\nok 1 a\nok 2 b # SKIP none\n";

    #[test]
    fn only_a_guest_that_is_done_and_whole_passes() {
        assert_eq!(judged(End::Done, GOOD).outcome, Outcome::Pass);
        assert_eq!(judged(End::Done, "KTAP version 1\n1..3\nok 1 a\n").outcome, Outcome::Fail);
        for end in [
            End::Panic("x".into()),
            End::Gone("exit status: 1".into()),
            End::TimedOut(Duration::from_secs(1)),
            End::Silent(Duration::from_secs(1)),
            End::Interrupted,
        ] {
            assert_eq!(judged(end, GOOD).outcome, Outcome::Fail);
        }
    }

    #[test]
    fn silence_and_failures_are_failures() {
        assert_eq!(judged(End::Done, "").outcome, Outcome::Fail);
        let verdict = judged(End::Done, "KTAP version 1\n1..2\nok 1 a\nnot ok 2 b\n");
        assert_eq!(verdict.reasons, ["1 of 2 results failed", "b"]);
    }

    #[test]
    fn nothing_but_skips_is_a_skip() {
        assert_eq!(judged(End::Done, "KTAP version 1\n1..1\nok 1 a # SKIP no rseq\n").outcome, Outcome::Skip);
        let whole = judged(End::Done, "KTAP version 1\n1..0 # SKIP no rseq\n");
        assert_eq!((whole.outcome, whole.reasons), (Outcome::Skip, vec!["no rseq".into()]));
    }

    #[test]
    fn a_bad_exit_code_fails_good_results() {
        let mut parser = Parser::new();
        GOOD.lines().for_each(|line| parser.line(line));
        assert_eq!(judge(&End::Done, &parser.finish(), Some(1)).outcome, Outcome::Fail);
    }
}
