//! Whether a guest's results are those of what it was asked to run: it may print a plan and results of its own, and a
//! test's exit code says nothing of what it printed.

use protocol::list::Kind;
use protocol::name::Pass;

use super::payload::{Payload, Run};
use crate::kernels::version::Version;
use crate::ktap::{Case, Document, Outcome};

/// What speaks against the results of a guest that says it has done all; `line` is its kernel's, if it is the table's,
/// and `code` that of the user's program.
pub fn differences(payload: &Payload, line: Option<&str>, document: &Document, code: Option<i32>) -> Vec<String> {
    match payload {
        Payload::Suite(runs) => {
            let missing = missing(payload, document);
            let more = if missing.len() > 1 { format!(", and of {} more", missing.len() - 1) } else { String::new() };
            let missing = missing.first().map(|name| format!("no result of {name}{more}"));
            let second = line.is_some_and(|line| lacks_second_pass(runs, line, document));
            let second = second.then(|| "nothing ran again with rseq/debug on, which Linux has since 6.19".to_owned());
            let unlike = document.results.iter().filter_map(|case| unlike(runs, case));
            missing.into_iter().chain(second).chain(unlike).collect()
        }
        // The verdict compares its exit code with its results.
        Payload::AsInit(_) => Vec::new(),
        Payload::Program(_) => {
            let passed = document.results.iter().any(|case| case.outcome == Outcome::Pass);
            (passed && code.is_none()).then(|| "the program's exit code is missing".to_owned()).into_iter().collect()
        }
    }
}

/// The results that are not there. Each counts for one run.
pub fn missing(payload: &Payload, document: &Document) -> Vec<String> {
    let Payload::Suite(runs) = payload else { return Vec::new() };
    let mut there: Vec<_> = document.results.iter().map(|case| case.name.as_str()).collect();
    let first = runs.iter().map(|run| run.result(Pass::First));
    let again = runs.iter().filter(|run| !run.once && is_second_pass(document)).map(|run| run.result(Pass::Checked));
    let mut missing = Vec::new();
    for name in first.chain(again) {
        match there.iter().position(|other| *other == name) {
            Some(place) => drop(there.swap_remove(place)),
            None => missing.push(name),
        }
    }
    missing
}

/// Whether the results are of one pass, though a kernel of this line has the switch for the other.
fn lacks_second_pass(runs: &[Run], line: &str, document: &Document) -> bool {
    runs.iter().any(|run| !run.once) && Version::of(line) >= Version::of("6.19") && !is_second_pass(document)
}

fn is_second_pass(document: &Document) -> bool {
    document.results.iter().any(|case| case.name.ends_with(Pass::Checked.suffix()))
}

/// Why a test's good result is not what its own results mean, if it is not: the guest knows its exit code alone.
fn unlike(runs: &[Run], case: &Case) -> Option<String> {
    let is_test = runs.iter().any(|run| run.kind == Kind::Test && run.is_called(&case.name));
    if !is_test || case.outcome.is_bad() {
        return None;
    }
    let Some(nested) = &case.nested else {
        return Some(format!("{}: {}, but it printed no results", case.name, case.outcome.word()));
    };
    let meant = Outcome::of_code(nested.own_counts().exit_code()).filter(|meant| *meant != case.outcome)?;
    Some(format!("{}: {}, but its results mean {}", case.name, case.outcome.word(), meant.word()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::payload::Program;
    use crate::suite::SUITE;

    fn suite(names: &[&str]) -> Payload {
        let entries: Vec<_> = SUITE.iter().filter(|entry| names.contains(&entry.name)).collect();
        Payload::suite(&entries)
    }

    /// A document with these results, below each what stands after its name in it.
    fn read(results: &[(&str, &str)]) -> Document {
        let plan = results.len();
        let results = (1..).zip(results).map(|(number, (name, nested))| format!("{nested}ok {number} {name}\n"));
        Document::read(&format!("KTAP version 1\n1..{plan}\n{}", results.collect::<String>()))
    }

    const NESTED: &str = "  KTAP version 1\n  1..1\n  ok 1 a\n";
    const SKIPPED: &str = "  KTAP version 1\n  1..0 # SKIP none\n";

    #[test]
    fn each_run_needs_its_result_and_a_test_its_own_ones() {
        let asked = suite(&["probe", "basic_test", "step_test"]);
        let differences = |results: &[(&str, &str)]| differences(&asked, Some("6.18"), &read(results), None);
        let all = [
            ("probe", ""),
            ("basic_test --short", NESTED),
            ("step_test --short", NESTED),
            ("step_test --short --legacy # SKIP none", SKIPPED),
        ];
        assert_eq!(differences(&all), [""; 0]);
        assert_eq!(differences(&all[..3]), ["no result of step_test --short --legacy"]);
        assert_eq!(differences(&all[..1]), ["no result of basic_test --short, and of 2 more"]);
        let mut other = all;
        other[0].0 = "something_else";
        assert_eq!(differences(&other), ["no result of probe"]);
        other = all;
        other[1].1 = "";
        assert_eq!(differences(&other), ["basic_test --short: pass, but it printed no results"]);
        other[1].1 = SKIPPED;
        assert_eq!(differences(&other), ["basic_test --short: pass, but its results mean skip"]);
        other = all;
        other[3].1 = NESTED;
        assert_eq!(differences(&other), ["step_test --short --legacy: skip, but its results mean pass"]);
    }

    #[test]
    fn a_result_counts_for_one_run() {
        let Payload::Suite(runs) = suite(&["node_test"]) else { panic!() };
        let twice = Payload::Suite([&runs[..1], &runs[..1]].concat());
        let one = [("node_test --short", NESTED)];
        assert_eq!(missing(&twice, &read(&one)), ["node_test --short"]);
        assert_eq!(missing(&twice, &read(&[one[0], one[0]])), [""; 0]);
    }

    #[test]
    fn the_second_pass_is_as_whole_as_the_first() {
        let asked = suite(&["node_test", "step_test"]);
        let mut results = vec![
            ("node_test --short", NESTED),
            ("node_test --short --legacy", NESTED),
            ("step_test --short", NESTED),
            ("step_test --short --legacy", NESTED),
        ];
        assert_eq!(differences(&asked, Some("6.18"), &read(&results), None), [""; 0]);
        assert_eq!(differences(&asked, None, &read(&results), None), [""; 0], "a kernel from elsewhere");
        let once = differences(&asked, Some("7.2-slice"), &read(&results), None);
        assert_eq!(once, ["nothing ran again with rseq/debug on, which Linux has since 6.19"]);
        results.push(("node_test --short (rseq debug on)", NESTED));
        let part = differences(&asked, None, &read(&results), None);
        assert_eq!(part, ["no result of step_test --short (rseq debug on)"]);
        results.push(("step_test --short (rseq debug on)", NESTED));
        assert_eq!(differences(&asked, Some("6.19"), &read(&results), None), [""; 0]);
        let legacy = asked.only(&["node_test --short --legacy"]);
        assert_eq!(differences(&legacy, Some("7.0"), &read(&results[1..2]), None), [""; 0], "it runs once");
    }

    #[test]
    fn a_name_that_init_cuts_is_found() {
        let Payload::Suite(mut runs) = suite(&["node_test"]) else { panic!() };
        runs.truncate(1);
        runs[0].words[1] = "x".repeat(300);
        let cut = format!("node_test {}~", "x".repeat(149));
        assert_eq!(missing(&Payload::Suite(runs), &read(&[(&cut, NESTED)])), [""; 0]);
    }

    #[test]
    fn a_program_that_passed_has_an_exit_code() {
        let program = Payload::Program(Program::default());
        let differences = |text: &str, code| differences(&program, None, &Document::read(text), code);
        assert_eq!(differences("ok 1 program\n", Some(0)), [""; 0]);
        assert_eq!(differences("ok 1 program\n", None), ["the program's exit code is missing"]);
        assert_eq!(differences("not ok 1 program # TIMEOUT 5 s\n", None), [""; 0]);
    }
}
