//! Did it pass? How a program or a guest ended, what it printed, and the codes it gave must agree.

use protocol::outcome::{FAIL, PASS, SKIP, XFAIL};

use super::{Status, Verdict};
use crate::ktap::{Counts, Document, Outcome};

/// How far a program or a guest came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To its own end.
    Whole,
    /// To a deadline.
    CutOff,
    /// To something that ended it early.
    Broken,
}

/// How a program or a guest ended, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// How far it came.
    pub reach: Reach,
    /// What speaks against this end, if anything does.
    pub fault: Option<String>,
    /// The exit code, where there is one that belongs to the results.
    pub code: Option<i32>,
}

/// Judges a test by its end and its KTAP.
pub fn test(ending: &Ending, document: &Document) -> Verdict {
    let counts = document.own_counts();
    let mut reasons: Vec<_> = ending.fault.iter().chain(&document.problems).cloned().collect();
    reasons.extend(document.failures());
    reasons.extend(ending.code.and_then(|code| disagreement(code, counts, document)));
    if !reasons.is_empty() {
        return against(ending, document, reasons);
    }
    match counts.exit_code() {
        SKIP => Verdict { status: Status::Skipped, reasons: skip_reasons(document) },
        XFAIL => Verdict { status: Status::ExpectedFailure, reasons },
        _ => Verdict::passed(),
    }
}

/// Judges a report by its end alone, and by what is wrong with its text, if something is.
pub fn report(ending: &Ending, unreadable: Option<String>) -> Verdict {
    let reasons: Vec<_> = ending.fault.iter().cloned().chain(unreadable).collect();
    match ending.code.unwrap_or_default() {
        _ if !reasons.is_empty() => against(ending, &Document::default(), reasons),
        code if code == i32::from(PASS) => Verdict::passed(),
        code if code == i32::from(SKIP) => Verdict::skipped("nothing to report on here"),
        code => Verdict::failed(format!("exit code {code}")),
    }
}

/// Judges a guest by its end and its results; the code is that of its first process, where that is a test.
pub fn guest(ending: &Ending, document: &Document) -> Verdict {
    let mut reasons: Vec<_> = ending.fault.iter().cloned().collect();
    // What a guest that was cut off left undone says nothing more.
    if ending.reach == Reach::Whole {
        reasons.extend(document.problems.iter().cloned());
    }
    reasons.extend(document.failures());
    let counts = document.counts();
    if reasons.is_empty() && counts.total() == 0 && document.skipped.is_none() {
        reasons.push("no results".into());
    }
    reasons.extend(ending.code.and_then(|code| disagreement(code, document.own_counts(), document)));
    match counts.passed + counts.xfailed {
        _ if !reasons.is_empty() => against(ending, document, reasons),
        0 => Verdict { status: Status::Skipped, reasons: document.skipped.iter().cloned().collect() },
        _ => Verdict::passed(),
    }
}

/// A failure, unless all that speaks against it is that it, or some of its results, missed a deadline.
fn against(ending: &Ending, document: &Document, reasons: Vec<String>) -> Verdict {
    let (mut timed_out, mut wrong) = (0, 0);
    document.for_each(&mut |_, case| {
        timed_out += u32::from(case.timed_out);
        wrong += u32::from(case.outcome.is_bad() && !case.timed_out);
    });
    let only_late = match ending.reach {
        Reach::CutOff => wrong == 0,
        Reach::Whole => timed_out > 0 && wrong == 0 && reasons == document.failures(),
        Reach::Broken => false,
    };
    Verdict { status: if only_late { Status::TimedOut } else { Status::Failed }, reasons }
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
    use super::*;

    fn read(text: &str) -> Document {
        Document::read(text)
    }

    fn ended(code: i32) -> Ending {
        Ending { reach: Reach::Whole, fault: None, code: Some(code) }
    }

    fn faulty(reach: Reach) -> Ending {
        Ending { reach, fault: Some("a fault".into()), code: None }
    }

    const DONE: Ending = Ending { reach: Reach::Whole, fault: None, code: None };
    const GOOD: &str = "KTAP version 1\n1..2\nok 1 a\nok 2 b # SKIP no KVM\n";

    #[test]
    fn good_results_and_exit_code_zero_pass() {
        assert_eq!(test(&ended(0), &read(GOOD)), Verdict::passed());
    }

    #[test]
    fn each_bad_end_fails_with_its_reason() {
        for (ending, status, reason) in [
            (ended(1), Status::Failed, "exit code 1, but the results mean 0"),
            (ended(4), Status::Failed, "exit code 4, but the results mean 0"),
            (faulty(Reach::Broken), Status::Failed, "a fault"),
            (faulty(Reach::Whole), Status::Failed, "a fault"),
            (faulty(Reach::CutOff), Status::TimedOut, "a fault"),
        ] {
            let expected = Verdict { status, reasons: vec![reason.into()] };
            assert_eq!(test(&ending, &read(GOOD)), expected, "{ending:?}");
        }
    }

    #[test]
    fn the_exit_code_goes_with_the_worst_result() {
        let cases = [
            ("ok 1 a", 0, Status::Passed),
            ("ok 1 a # XFAIL known", 2, Status::ExpectedFailure),
            ("ok 1 a # SKIP none here", 4, Status::Skipped),
            ("not ok 1 a", 1, Status::Failed),
            ("not ok 1 a # XPASS known", 3, Status::Failed),
        ];
        for (line, right, status) in cases {
            for code in 0..=5 {
                let verdict = test(&ended(code), &read(&format!("KTAP version 1\n1..1\n{line}\n")));
                let disagrees = verdict.reasons.iter().any(|reason| reason.contains("the results mean"));
                assert_eq!(disagrees, code != right, "{line}, exit code {code}: {verdict:?}");
                assert_eq!(verdict.status, if code == right { status } else { Status::Failed });
            }
        }
    }

    #[test]
    fn failed_results_are_named() {
        let text = "KTAP version 1\n1..2\n  KTAP version 1\n  1..1\n  not ok 1 x\nnot ok 1 a\nok 2 b\n";
        assert_eq!(test(&ended(1), &read(text)).reasons, ["1 of 2 results failed", "a / x"]);
    }

    #[test]
    fn a_skipped_plan_is_a_skip_with_its_reason() {
        let skipped = read("KTAP version 1\n1..0 # SKIP no rseq\n");
        assert_eq!(test(&ended(4), &skipped), Verdict::skipped("no rseq"));
        assert_eq!(guest(&DONE, &skipped), Verdict::skipped("no rseq"));
    }

    #[test]
    fn a_report_ends_with_its_code_and_nothing_else() {
        assert_eq!(report(&ended(0), None), Verdict::passed());
        assert_eq!(report(&ended(4), None).status, Status::Skipped);
        assert_eq!(report(&ended(3), None), Verdict::failed("exit code 3"));
        assert_eq!(report(&ended(0), Some("no JSON".into())), Verdict::failed("no JSON"));
        let left = Ending { fault: Some("left processes behind".into()), ..ended(0) };
        assert_eq!(report(&left, None).status, Status::Failed);
    }

    #[test]
    fn only_a_guest_that_is_done_and_whole_passes() {
        assert_eq!(guest(&DONE, &read(GOOD)), Verdict::passed());
        assert!(guest(&DONE, &read("KTAP version 1\n1..3\nok 1 a\n")).status.is_bad());
        for reach in [Reach::Whole, Reach::CutOff, Reach::Broken] {
            assert!(guest(&faulty(reach), &read(GOOD)).status.is_bad());
        }
    }

    #[test]
    fn silence_and_failures_are_failures() {
        assert_eq!(guest(&DONE, &read("")).status, Status::Failed);
        let verdict = guest(&DONE, &read("KTAP version 1\n1..2\nok 1 a\nnot ok 2 b\n"));
        assert_eq!(verdict.reasons, ["1 of 2 results failed", "b"]);
    }

    #[test]
    fn nothing_but_skips_is_a_skip() {
        let skip = guest(&DONE, &read("KTAP version 1\n1..1\nok 1 a # SKIP no rseq\n"));
        assert_eq!(skip.status, Status::Skipped);
    }

    #[test]
    fn a_guests_exit_code_goes_with_its_results() {
        let skipped = "KTAP version 1\n1..1\nok 1 a # SKIP no rseq\n";
        for (text, right) in [(GOOD, 0), (skipped, 4), ("KTAP version 1\n1..1\nok 1 a # XFAIL known\n", 2)] {
            for code in 0..=5 {
                let verdict = guest(&ended(code), &read(text));
                assert_eq!(verdict.status.is_bad(), code != right, "{text}, exit code {code}: {verdict:?}");
            }
        }
    }

    #[test]
    fn what_only_missed_deadlines_timed_out() {
        let timed_out = read("KTAP version 1\n1..1\nnot ok 1 a # TIMEOUT 15 s\n");
        let wrong = read("KTAP version 1\n1..2\nnot ok 1 a # TIMEOUT 15 s\nnot ok 2 b\n");
        for judged in [guest as fn(&Ending, &Document) -> Verdict, test] {
            assert_eq!(judged(&ended(1), &wrong).status, Status::Failed);
            assert_eq!(judged(&faulty(Reach::CutOff), &timed_out).status, Status::TimedOut);
            assert_eq!(judged(&faulty(Reach::CutOff), &wrong).status, Status::Failed);
            assert_eq!(judged(&faulty(Reach::Broken), &timed_out).status, Status::Failed);
        }
        assert_eq!(test(&ended(1), &timed_out).status, Status::TimedOut);
        assert_eq!(guest(&DONE, &timed_out).status, Status::TimedOut);
        let missing = read("KTAP version 1\n1..2\nnot ok 1 a # TIMEOUT 15 s\n");
        assert_eq!(guest(&DONE, &missing).status, Status::Failed);
    }
}
