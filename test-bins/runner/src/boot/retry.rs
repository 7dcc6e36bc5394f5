//! Boots a cell again whose results were bad: an emulated machine on a busy host misses a deadline now and then, and kernels hang
//! there as they start their CPUs. What is bad again is a failure; what is not is good, and reported as unsteady.

use std::fs;
use std::path::{Path, PathBuf};

use super::cell::{Earlier, Ran};
use super::payload::Payload;
use super::verdict::Verdict;
use crate::interrupt::Interrupt;
use crate::ktap::{Document, Outcome};

/// Calls `boot` until its cell is good, at most `retries` times more, each time for what was bad before.
pub fn until_good(
    retries: u32,
    payload: &Payload,
    interrupt: &Interrupt,
    boot: &dyn Fn(&Payload) -> Result<Ran, String>,
) -> Result<Ran, String> {
    let mut ran = boot(payload)?;
    for number in 1..=retries {
        if !ran.verdict.outcome.is_bad() || interrupt.requested() {
            break;
        }
        let console = ran.log.as_deref().map(|log| keep(log, number)).transpose()?;
        let again = boot(&left(payload, &ran))?;
        ran = settle(ran, again, console);
    }
    Ok(ran)
}

/// Moves a console aside, for the next boot writes another.
fn keep(log: &Path, number: u32) -> Result<PathBuf, String> {
    let kept = log.with_extension(format!("{number}.log"));
    fs::rename(log, &kept).map_err(|error| format!("{}: {error}", kept.display())).map(|()| kept)
}

/// The results, where bad ones are all that speaks against the cell: the others of them stand.
fn standing(ran: &Ran) -> Option<&Document> {
    ran.ktap.as_ref().filter(|document| ran.verdict.reasons == document.failures())
}

fn left(payload: &Payload, ran: &Ran) -> Payload {
    let Some(document) = standing(ran) else { return payload.clone() };
    let bad = document.results.iter().filter(|case| case.outcome.is_bad());
    payload.only(&bad.map(|case| case.name.as_str()).collect::<Vec<_>>())
}

/// What the two boots come to.
fn settle(first: Ran, mut again: Ran, console: Option<PathBuf>) -> Ran {
    let tested = again.verdict.outcome != Outcome::Skip;
    if let (Some(stand), Some(new)) = (standing(&first), standing(&again)) {
        let document = merged(stand, new);
        let (counts, reasons) = (document.counts(), document.failures());
        let outcome = if reasons.is_empty() { again.verdict.outcome } else { Outcome::Fail };
        again = Ran { verdict: Verdict { outcome, reasons, counts }, ktap: Some(document), ..again };
    }
    if !tested {
        again.verdict.outcome = Outcome::Fail;
        again.verdict.reasons.insert(0, "booted again, it tested nothing".into());
    }
    let mut earlier = first.earlier;
    earlier.push(Earlier { reasons: first.verdict.reasons, console });
    Ran { earlier, seconds: first.seconds + again.seconds, ..again }
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::boot::guest::End;
    use crate::boot::verdict::judge;
    use crate::ktap::Parser;
    use crate::suite::SUITE;

    /// Boots of which each prints the next of these texts; how it came out, and how many runs each was given.
    fn booted(retries: u32, ends: &[(End, &str)]) -> (Ran, Vec<usize>) {
        let (ends, runs) = (RefCell::new(ends.iter()), RefCell::new(Vec::new()));
        let payload = Payload::suite(&SUITE.iter().collect::<Vec<_>>());
        let boot = |payload: &Payload| {
            let Payload::Suite(given) = payload else { panic!() };
            runs.borrow_mut().push(given.len());
            let (end, text) = ends.borrow_mut().next().unwrap();
            let mut parser = Parser::new();
            text.lines().for_each(|line| parser.line(line));
            let document = parser.finish();
            let verdict = judge(end, &document, None);
            Ok(Ran { verdict, seconds: 1.0, ktap: Some(document), ..Ran::default() })
        };
        let ran = until_good(retries, &payload, &Interrupt::default(), &boot).unwrap();
        (ran, runs.into_inner())
    }

    const GOOD: &str = "KTAP version 1\n1..1\nok 1 probe\n";
    const BAD: &str =
        "KTAP version 1\n1..3\nok 1 probe\n# x: lost\nnot ok 2 node_test --short (rseq debug on)\nok 3 start_test\n";
    const MENDED: &str = "KTAP version 1\n1..2\nok 1 node_test --short\nok 2 node_test --short (rseq debug on)\n";
    const BAD_AGAIN: &str = "KTAP version 1\n1..1\n# x: lost\nnot ok 1 node_test --short (rseq debug on)\n";

    #[test]
    fn what_is_good_is_booted_once() {
        let (ran, runs) = booted(3, &[(End::Done, GOOD)]);
        assert_eq!((ran.verdict.outcome, runs.len(), ran.earlier.len()), (Outcome::Pass, 1, 0));
    }

    #[test]
    fn only_what_was_bad_runs_again_and_the_rest_stands() {
        let (ran, runs) = booted(3, &[(End::Done, BAD), (End::Done, MENDED)]);
        assert_eq!((ran.verdict.outcome, ran.verdict.reasons.len()), (Outcome::Pass, 0));
        assert_eq!((ran.verdict.counts.passed, ran.verdict.counts.failed), (4, 0));
        assert_eq!(ran.earlier[0].reasons, ["1 of 3 results failed", "node_test --short (rseq debug on): x: lost"]);
        assert_eq!((runs.len(), runs[1], ran.seconds), (2, 1, 2.0));
    }

    #[test]
    fn what_stays_bad_is_a_failure_and_so_is_the_first_without_retries() {
        let (ran, runs) = booted(2, &[(End::Done, BAD), (End::Done, BAD_AGAIN), (End::Done, BAD_AGAIN)]);
        assert_eq!((ran.verdict.outcome, ran.earlier.len(), runs[2]), (Outcome::Fail, 2, 1));
        assert_eq!((ran.verdict.counts.passed, ran.verdict.counts.failed), (2, 1));
        assert_eq!(booted(0, &[(End::Done, BAD)]).0.verdict.outcome, Outcome::Fail);
    }

    #[test]
    fn a_guest_that_was_cut_off_starts_over() {
        let hung = End::Silent(std::time::Duration::from_secs(90));
        let (ran, runs) = booted(1, &[(hung.clone(), BAD), (End::Done, GOOD)]);
        assert_eq!((ran.verdict.outcome, ran.verdict.counts.passed), (Outcome::Pass, 1));
        assert!(runs[0] == runs[1] && ran.earlier[0].reasons[0].starts_with("silent for 90 s"));
        assert_eq!(booted(1, &[(hung.clone(), ""), (hung, "")]).0.verdict.outcome, Outcome::Fail);
    }

    #[test]
    fn a_skip_does_not_undo_a_failure() {
        let skipped = "KTAP version 1\n1..1\nok 1 node_test --short (rseq debug on) # SKIP none\n";
        let (ran, _) = booted(1, &[(End::Done, BAD), (End::Done, skipped)]);
        assert_eq!(ran.verdict.outcome, Outcome::Fail, "{:?}", ran.verdict);
    }

    #[test]
    fn a_bad_result_that_did_not_run_again_stays_bad() {
        let other = "KTAP version 1\n1..2\nnot ok 1 a name that was cut\nnot ok 2 node_test --short (rseq debug on)\n";
        let (ran, _) = booted(1, &[(End::Done, other), (End::Done, MENDED)]);
        assert_eq!((ran.verdict.outcome, ran.verdict.counts.failed), (Outcome::Fail, 1));
        assert_eq!(ran.verdict.reasons, ["1 of 3 results failed", "a name that was cut"]);
    }
}
