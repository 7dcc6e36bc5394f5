//! Kernels that are known to break what tests check, each with one test that shows it.
//!
//! A test that can tell such a kernel from a healthy one by itself does so, and reports an expected failure. What
//! stands here are kernels on which nothing is left to test.

use super::payload::{Payload, Run};
use crate::kernels::select::Cell;
use crate::ktap::{Case, Document, Outcome};

/// A kernel of the table that is at fault.
#[derive(Debug)]
pub struct Fault {
    machine: &'static str,
    lines: &'static [&'static str],
    /// Tests that mean nothing there.
    spoils: &'static [&'static str],
    /// The test that fails while the fault is there, and runs to show it.
    witness: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

/// How much longer than elsewhere a witness may run.
const PATIENCE: u64 = 5;

/// Tests that need sections to be restarted.
const SECTIONS: &[&str] = &[
    "basic_test",
    "basic_percpu_ops_test",
    "fork_test",
    "param_test",
    "membarrier_test",
    "membarrier_stress",
    "uprobe_test",
    "signal_test",
    "mm_cid_test",
    "abort_points",
    "percpu_abort_points",
    "bad_descriptors",
    "far_handler_test",
    "arch_memory_order",
    "hotplug_test",
];

const FAULTS: &[Fault] = &[Fault {
    machine: "aarch64",
    lines: &["6.19", "7.0"],
    spoils: SECTIONS,
    witness: "negative_control",
    // Debian's 6.19.14 and 7.0.13; since 7.1 arch/arm64/kernel/entry-common.c has the call.
    why: "arm64 6.19 and 7.0 take no note of interrupts from user mode, so they restart no section",
}];

/// The fault of the cell's kernel, if it is known for one.
pub fn of(cell: &Cell) -> Option<&'static Fault> {
    FAULTS.iter().find(|fault| fault.machine == cell.on.machine.name && fault.lines.contains(&cell.on.line))
}

impl Fault {
    /// What is left to run. The witness gets more time, since it waits for what does not happen, and runs without the
    /// kernel's rseq checks, which may kill it.
    pub fn plan(&self, payload: &Payload) -> Payload {
        let Payload::Suite(runs) = payload else { return payload.clone() };
        let left = runs.iter().filter(|run| !self.is_spoilt(run)).cloned();
        let patient = |run: Run| match run.name() == self.witness {
            true => Run { once: true, timeout: PATIENCE * run.timeout, ..run },
            false => run,
        };
        Payload::Suite(left.map(patient).collect())
    }

    /// One of the witness with the original registration says nothing: 7.0 looks at that one after each switch to
    /// another thread, so that a short load may end before a signal without a switch does harm.
    fn is_spoilt(&self, run: &Run) -> bool {
        self.spoils.contains(&run.name()) || (run.name() == self.witness && run.is_legacy())
    }

    /// Puts down `payload`'s other runs as skipped, and the witness's failure as expected: its success is not.
    pub fn expect(&self, payload: &Payload, document: &mut Document) {
        for case in document.results.iter_mut().filter(|case| case.name.split(' ').next() == Some(self.witness)) {
            let passes = case.outcome == Outcome::Pass;
            self.accept(case);
            if passes {
                *case = self.case(case.name.clone(), Outcome::Xpass);
            }
        }
        let Payload::Suite(runs) = payload else { return };
        let spoilt = runs.iter().filter(|run| self.is_spoilt(run));
        document.results.extend(spoilt.map(|run| self.case(run.name().to_owned(), Outcome::Skip)));
    }

    fn accept(&self, case: &mut Case) {
        if case.outcome == Outcome::Fail {
            case.outcome = Outcome::Xfail;
            case.reason = self.why.into();
        }
        if let Some(nested) = &mut case.nested {
            nested.results.iter_mut().for_each(|case| self.accept(case));
        }
    }

    fn case(&self, name: String, outcome: Outcome) -> Case {
        Case { number: 0, name, outcome, timed_out: false, reason: self.why.into(), comments: Vec::new(), nested: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::catalog;
    use crate::suite::SUITE;

    const FAULT: &Fault = &FAULTS[0];

    fn suite() -> Payload {
        Payload::suite(&SUITE.iter().collect::<Vec<_>>())
    }

    fn expected(text: &str) -> Document {
        let mut document = Document::read(text);
        FAULT.expect(&suite(), &mut document);
        document
    }

    #[test]
    fn faults_name_machines_kernels_and_tests_that_there_are() {
        for fault in FAULTS {
            let machine = catalog::find(fault.machine).unwrap();
            let known = |line: &str| machine.kernels.iter().any(|(known, _)| *known == line);
            assert!(fault.lines.iter().all(|line| known(line)));
            for name in fault.spoils.iter().chain([&fault.witness]) {
                assert!(SUITE.iter().any(|entry| entry.name == *name), "{name}");
            }
            assert!(!fault.spoils.contains(&fault.witness));
        }
    }

    #[test]
    fn spoilt_runs_are_left_out_and_put_down_as_skipped() {
        let (Payload::Suite(all), Payload::Suite(left)) = (suite(), FAULT.plan(&suite())) else { panic!() };
        assert!(left.len() < all.len() && !left.is_empty());
        let witnesses = left.iter().filter(|run| run.name() == FAULT.witness).map(Run::is_legacy);
        assert_eq!(witnesses.collect::<Vec<_>>(), [false]);
        let document = expected("KTAP version 1\n1..1\nok 1 probe\n");
        assert_eq!(document.counts().skipped as usize, all.len() - left.len());
        assert_eq!(document.counts().passed, 1);
    }

    #[test]
    fn the_witness_must_fail_and_nothing_else_may() {
        let text = |result: &str, other: &str| {
            let nested = format!("  KTAP version 1\n  1..2\n  ok 1 unarmed\n  {result} 2 armed\n");
            format!("KTAP version 1\n1..2\n{nested}{result} 1 negative_control --short\n{other} 2 probe\n")
        };
        let counts = |result, other| expected(&text(result, other)).counts();
        assert_eq!((counts("not ok", "ok").xfailed, counts("not ok", "ok").failed), (1, 0));
        assert_eq!((counts("ok", "ok").xpassed, counts("ok", "ok").xfailed), (1, 0));
        let skipped = expected("KTAP version 1\n1..1\nok 1 negative_control --short # SKIP no rseq\n").counts();
        assert_eq!((skipped.xpassed, skipped.passed), (0, 0));
        assert_eq!(counts("not ok", "not ok").failed, 1);
    }
}
