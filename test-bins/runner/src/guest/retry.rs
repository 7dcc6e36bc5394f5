//! Boots a cell again that missed deadlines and nothing else: busy hosts hold emulated machines up, and kernels hang
//! there as they start their CPUs. What is late again is a failure; what passes then is good, and reported as flaky.
//! Whatever else was bad, such as a lost count, is a failure at once.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::cell_result::{CellResult, Earlier};
use super::payload::Payload;
use crate::interrupt::Interrupt;
use crate::ktap::{Document, Outcome, UNFINISHED};
use crate::verdict::{Status, Verdict};

/// Calls `boot`, and as long as all that is bad is late, at most `retries` times more, each time for what was late
/// before.
pub fn until_in_time(
    retries: u32,
    payload: &Payload,
    interrupt: &Interrupt,
    boot: &dyn Fn(&Payload) -> anyhow::Result<CellResult>,
) -> anyhow::Result<CellResult> {
    let mut result = boot(payload)?;
    for number in 1..=retries {
        if result.verdict.status != Status::TimedOut || interrupt.requested() {
            break;
        }
        let console = result.log.as_deref().map(|log| keep(log, number)).transpose()?;
        match boot(&left(payload, &result)) {
            Ok(again) => result = settle(result, again, console),
            Err(error) => {
                result.verdict.explain(format!("it could not be booted again: {error:#}"));
                break;
            }
        }
    }
    Ok(result)
}

/// Moves a console aside, for the next boot writes another.
fn keep(log: &Path, number: u32) -> io::Result<PathBuf> {
    let kept = log.with_extension(format!("{number}.log"));
    fs::rename(log, &kept).map(|()| kept)
}

/// The results, where bad ones are all that speaks against the cell: the others of them stand.
fn standing(result: &CellResult) -> Option<&Document> {
    result.ktap.as_ref().filter(|document| result.verdict.reasons == document.failures())
}

fn left(payload: &Payload, result: &CellResult) -> Payload {
    let Some(document) = standing(result) else { return payload.clone() };
    let bad = document.results.iter().filter(|case| case.outcome.is_bad());
    payload.only(&bad.map(|case| case.name.as_str()).collect::<Vec<_>>())
}

/// What the two boots come to.
fn settle(first: CellResult, mut again: CellResult, console: Option<PathBuf>) -> CellResult {
    if let (Some(stand), Some(new)) = (standing(&first), standing(&again)) {
        let document = merged(stand, new);
        let (counts, reasons) = (document.counts(), document.failures());
        let status = match again.verdict.status {
            _ if reasons.is_empty() => Status::Passed,
            Status::TimedOut => Status::TimedOut,
            _ => Status::Failed,
        };
        again = CellResult { verdict: Verdict { status, reasons }, counts, ktap: Some(document), ..again };
    }
    if let Some(untested) = untested(&first, &again) {
        again.verdict.fail(format!("booted again, it did not test {untested}"));
    }
    if again.verdict.status == Status::Passed {
        again.verdict.status = Status::Flaky;
    }
    let mut earlier = first.earlier;
    earlier.push(Earlier { reasons: first.verdict.reasons, console });
    CellResult { earlier, seconds: first.seconds + again.seconds, ..again }
}

/// The results of `first`, with those of `again` in the place of their namesakes.
fn merged(first: &Document, again: &Document) -> Document {
    let mut document = first.clone();
    for case in &again.results {
        match document.results.iter_mut().find(|old| old.name == case.name) {
            Some(old) => old.clone_from(case),
            None => document.results.push(case.clone()),
        }
    }
    document
}

/// What was bad at first and is neither good nor bad now: a skip undoes nothing.
fn untested(first: &CellResult, again: &CellResult) -> Option<String> {
    let mut tested = Vec::new();
    again.ktap.as_ref()?.for_each(&mut |path, case| {
        if case.outcome != Outcome::Skip {
            tested.push(path.to_owned());
        }
    });
    let is_tested = |path: &str| {
        let part =
            |other: &String| other.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(" / "));
        tested.iter().any(part)
    };
    let mut untested = None;
    first.ktap.as_ref()?.for_each(&mut |path, case| {
        if case.outcome.is_bad() && !path.starts_with(UNFINISHED) && !is_tested(path) {
            untested.get_or_insert_with(|| path.to_owned());
        }
    });
    untested
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::guest::qemu::End;
    use crate::suite::SUITE;
    use crate::verdict;

    /// Boots of which each prints the next of these texts; how it came out, and how many runs each was given.
    fn booted(retries: u32, ends: &[(End, &str)]) -> (CellResult, Vec<usize>) {
        let (ends, runs) = (RefCell::new(ends.iter()), RefCell::new(Vec::new()));
        let payload = Payload::suite(&SUITE.iter().collect::<Vec<_>>());
        let boot = |payload: &Payload| {
            let Payload::Suite(given) = payload else { panic!() };
            runs.borrow_mut().push(given.len());
            let (end, text) = ends.borrow_mut().next().unwrap();
            let document = Document::read(text);
            let verdict = verdict::guest(&end.ending(None), &document);
            let counts = document.counts();
            let result = CellResult::without_results("x".into(), "1".into(), None, 1, verdict);
            Ok(CellResult { counts, seconds: 1.0, ktap: Some(document), ..result })
        };
        let result = until_in_time(retries, &payload, &Interrupt::default(), &boot).unwrap();
        (result, runs.into_inner())
    }

    const GOOD: &str = "KTAP version 1\n1..1\nok 1 probe\n";
    const LATE: &str = "KTAP version 1\n1..3\nok 1 probe\nnot ok 2 node_test --short (rseq debug on) # TIMEOUT 15 s\n\
                        ok 3 start_test\n";
    const MENDED: &str = "KTAP version 1\n1..2\nok 1 node_test --short\nok 2 node_test --short (rseq debug on)\n";
    const LATE_AGAIN: &str = "KTAP version 1\n1..1\nnot ok 1 node_test --short (rseq debug on) # TIMEOUT 15 s\n";
    const WRONG: &str = "KTAP version 1\n1..1\n# x: 1 lost\nnot ok 1 node_test --short (rseq debug on)\n";

    #[test]
    fn what_is_good_is_booted_once() {
        let (result, runs) = booted(3, &[(End::Done, GOOD)]);
        assert_eq!((result.verdict.status, runs.len(), result.earlier.len()), (Status::Passed, 1, 0));
    }

    #[test]
    fn only_what_was_late_runs_again_and_the_rest_stands() {
        let (result, runs) = booted(3, &[(End::Done, LATE), (End::Done, MENDED)]);
        assert_eq!((result.verdict.status, result.verdict.reasons.len()), (Status::Flaky, 0));
        assert_eq!((result.counts.passed, result.counts.failed), (4, 0));
        assert_eq!(result.earlier[0].reasons, ["1 of 3 results failed", "node_test --short (rseq debug on): 15 s"]);
        assert_eq!((runs.len(), runs[1], result.seconds), (2, 1, 2.0));
    }

    #[test]
    fn what_stays_late_is_a_failure_and_so_is_the_first_without_retries() {
        let (result, runs) = booted(2, &[(End::Done, LATE), (End::Done, LATE_AGAIN), (End::Done, LATE_AGAIN)]);
        assert_eq!((result.verdict.status.outcome(), result.earlier.len(), runs[2]), (Outcome::Fail, 2, 1));
        assert_eq!((result.counts.passed, result.counts.failed), (2, 1));
        assert_eq!(booted(0, &[(End::Done, LATE)]).0.verdict.status.outcome(), Outcome::Fail);
    }

    #[test]
    fn what_is_wrong_is_not_booted_again() {
        let both =
            format!("KTAP version 1\n1..2\nnot ok 1 a\n{}", LATE_AGAIN.lines().last().unwrap().replace("ok 1", "ok 2"));
        let missing = LATE_AGAIN.replace("1..1", "1..2");
        for end in [
            (End::Done, WRONG),
            (End::Done, &*both),
            (End::Done, &*missing),
            (End::Panic("x".into()), GOOD),
            (End::Gone("1".into()), GOOD),
        ] {
            let (result, runs) = booted(3, &[end]);
            assert_eq!((result.verdict.status.outcome(), runs.len()), (Outcome::Fail, 1));
        }
        let (result, runs) = booted(3, &[(End::Done, LATE), (End::Done, WRONG)]);
        assert_eq!((result.verdict.status.outcome(), runs.len()), (Outcome::Fail, 2));
    }

    #[test]
    fn a_guest_that_was_cut_off_starts_over_unless_something_was_wrong() {
        let hung = End::Silent(std::time::Duration::from_secs(90));
        let (result, runs) = booted(1, &[(hung.clone(), LATE), (End::Done, LATE_PASSED)]);
        assert_eq!((result.verdict.status.outcome(), result.counts.passed), (Outcome::Pass, 3));
        assert!(runs[0] == runs[1] && result.earlier[0].reasons[0].starts_with("silent for 90 s"));
        assert_eq!(booted(1, &[(hung.clone(), ""), (hung.clone(), "")]).0.verdict.status.outcome(), Outcome::Fail);
        assert_eq!(booted(1, &[(hung.clone(), WRONG)]).1.len(), 1);
        let part = "KTAP version 1\n1..2\nok 1 probe\n  KTAP version 1\n  1..2\n  ok 1 a\n";
        assert_eq!(booted(1, &[(hung.clone(), part), (End::Done, GOOD)]).0.verdict.status.outcome(), Outcome::Pass);
        let wrong = format!("{part}  not ok 2 b\n");
        assert_eq!(booted(1, &[(hung, &wrong)]).1.len(), 1);
    }

    const LATE_PASSED: &str =
        "KTAP version 1\n1..3\nok 1 probe\nok 2 node_test --short (rseq debug on)\nok 3 start_test\n";

    #[test]
    fn a_skip_does_not_undo_a_failure() {
        let skipped =
            "KTAP version 1\n1..2\nok 1 node_test --short (rseq debug on) # SKIP none\nok 2 node_test --short\n";
        let (result, _) = booted(1, &[(End::Done, LATE), (End::Done, skipped)]);
        assert_eq!(result.verdict.status.outcome(), Outcome::Fail, "{:?}", result.verdict);
        assert_eq!(result.verdict.reasons, ["booted again, it did not test node_test --short (rseq debug on)"]);
    }

    #[test]
    fn a_late_result_that_did_not_run_again_stays_bad() {
        let other = LATE_AGAIN.replace("1..1", "1..2") + "not ok 2 a name that was cut # TIMEOUT 1 s\n";
        let (result, _) = booted(1, &[(End::Done, &other), (End::Done, MENDED)]);
        assert_eq!((result.verdict.status.outcome(), result.counts.failed), (Outcome::Fail, 1));
        assert_eq!(result.verdict.reasons, ["1 of 3 results failed", "a name that was cut: 1 s"]);
    }
}
