//! The parser on good input, on each kind of bad input, and on thousands of mutations.

use super::*;

fn parse(text: &str) -> Document {
    parse_chunks([text.as_bytes()])
}

fn parse_chunks<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Document {
    let (mut splitter, mut parser) = (Splitter::default(), Parser::new());
    for chunk in chunks {
        splitter.push(chunk, |line| parser.line(line));
    }
    splitter.rest().iter().for_each(|line| parser.line(line));
    parser.finish()
}

fn problems(text: &str) -> Vec<String> {
    parse(text).problems
}

const NESTED: &str = "\
KTAP version 1
1..3
ok 1 first
  KTAP version 1
  1..2
  # a hint
  not ok 1 - inner a
  ok 2 inner b # SKIP no second CPU
  # Totals: pass:0 fail:1 xfail:0 xpass:0 skip:1 error:0
not ok 2 second
ok 3 third # XFAIL known on 6.19
# Totals: pass:1 fail:1 xfail:1 xpass:0 skip:0 error:0
";

#[test]
fn a_good_document_is_read_whole() {
    let document = parse(NESTED);
    assert_eq!(document.problems, [""; 0]);
    assert_eq!((document.plan, document.results.len()), (Some(3), 3));
    let nested = document.results[1].nested.as_deref().unwrap();
    assert_eq!(nested.results[0].name, "inner a");
    assert_eq!(nested.results[0].comments, ["a hint"]);
    assert_eq!(nested.results[1].reason, "no second CPU");
    let counts = Counts { passed: 1, failed: 1, skipped: 1, xfailed: 1, xpassed: 0 };
    assert_eq!(document.counts(), counts);
}

#[test]
fn innermost_results_have_paths() {
    let mut paths = Vec::new();
    parse(NESTED).for_each(&mut |path, _| paths.push(path.to_owned()));
    assert_eq!(paths, ["first", "second / inner a", "second / inner b", "third"]);
}

#[test]
fn failures_are_counted_named_and_say_why() {
    assert_eq!(parse(NESTED).failures(), ["1 of 4 results failed", "second / inner a: a hint"]);
    let words = "KTAP version 1\n1..3\n# a: odd\n# a: 1 lost\nnot ok 1 a\nnot ok 2 b # XPASS on 6.19\nnot ok 3 c\n";
    assert_eq!(parse(words).failures(), ["3 of 3 results failed", "a: 1 lost", "b: on 6.19", "c"]);
    assert_eq!(parse("KTAP version 1\n1..1\nok 1 a\n").failures(), [""; 0]);
    let many: String = (1..=9).map(|number| format!("not ok {number} a\n")).collect();
    let failures = parse(&format!("KTAP version 1\n1..9\n{many}")).failures();
    assert_eq!((failures.len(), failures[6].as_str()), (7, "and 4 more"));
}

#[test]
fn what_is_bad_after_good_results_counts_by_itself() {
    let dead =
        parse("KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  ok 1 b\nnot ok 1 a # ERROR killed by signal 11\n");
    assert_eq!(dead.problems, [""; 0]);
    assert_eq!((dead.counts().passed, dead.counts().failed), (1, 1));
    assert_eq!(dead.failures(), ["1 of 2 results failed", "a: killed by signal 11"]);
    let exit = parse("KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  ok 1 b\nnot ok 1 a\n");
    assert_eq!(exit.failures()[1], "a: failed, though all its results are good");
}

#[test]
fn problems_of_nested_results_say_whose_they_are_and_none_is_a_deadlines() {
    let cut = "KTAP version 1\n1..2\nok 1 z\n  KTAP version 1\n  1..3\n  ok 1 b\nnot ok 2 a";
    assert_eq!(parse(cut).problems, ["a: planned 3 results, saw 1"]);
    let timed_out = parse(&format!("{cut} # TIMEOUT 60 s\n"));
    assert_eq!(timed_out.problems, [""; 0]);
    assert!(timed_out.results[1].timed_out);
    assert_eq!(timed_out.failures(), ["1 of 3 results failed", "a: 60 s"]);
}

#[test]
fn every_directive_has_its_outcome() {
    let cases = [
        ("ok 1 a", Outcome::Pass, ""),
        ("not ok 1 a", Outcome::Fail, ""),
        ("ok 1 a # SKIP why", Outcome::Skip, "why"),
        ("ok 1 # SKIP why", Outcome::Skip, "why"),
        ("not ok 1 a # skip: why", Outcome::Skip, "why"),
        ("ok 1 a # XFAIL why", Outcome::Xfail, "why"),
        ("not ok 1 a # XPASS why", Outcome::Xpass, "why"),
        ("not ok 1 a # TODO why", Outcome::Xfail, "why"),
        ("ok 1 a # TODO why", Outcome::Pass, "why"),
        ("ok 1 a # TIMEOUT 45 s", Outcome::Fail, "45 s"),
        ("ok 1 a # ERROR", Outcome::Fail, ""),
        ("ok 1 a #nothing", Outcome::Pass, ""),
    ];
    for (line, outcome, reason) in cases {
        let document = parse(&format!("KTAP version 1\n1..1\n{line}\n"));
        assert_eq!(document.problems, [""; 0], "{line}");
        let case = &document.results[0];
        assert_eq!((case.outcome, case.reason.as_str()), (outcome, reason), "{line}");
    }
}

#[test]
fn each_fault_is_a_problem() {
    let cases = [
        ("", "no KTAP at all"),
        ("hello\nworld\n", "no KTAP at all"),
        ("KTAP version 1\nok 1 a\n", "no plan, 1 results"),
        ("KTAP version 1\n1..2\nok 1 a\n", "planned 2 results, saw 1"),
        ("KTAP version 1\n1..1\nok 1 a\nok 2 b\n", "planned 1 results, saw 2"),
        ("1..1\nok 1 a\n", "a plan without a version line"),
        ("ok 1 a\n", "a result without a version line"),
        ("KTAP version 1\n1..1\n1..1\nok 1 a\n", "a second plan"),
        ("KTAP version 1\nKTAP version 1\n1..1\nok 1 a\n", "a second version line"),
        ("KTAP version 1\n1..2\nok 1 a\nok 3 b\n", "numbered out of order"),
        ("KTAP version 1\n1..2\nok 2 a\nok 2 b\n", "numbered out of order"),
        ("KTAP version 1\n1..0\n", "a plan of no results"),
        ("KTAP version 1\n1..99999999999999999999999\n", "number is too large"),
        ("KTAP version 1\n1..1\nok 99999999999999999999999 a\n", "numbered out of order"),
        ("KTAP version 1\n1..1\nok 1 a\nBail out! no memory\n", "bailed out: no memory"),
        ("KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  ok 1 a\n", "nested results without"),
        ("KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  not ok 1 a\nok 1 b\n", "says ok over nested"),
        ("KTAP version 1\n1..1\n  ok 1 a\nok 1 b\n", "a result without a version line"),
        (
            "KTAP version 1\n1..1\nok 1 a\n# Totals: pass:2 fail:0 xfail:0 xpass:0 skip:0 error:0\n",
            "the totals line does not match",
        ),
    ];
    for (text, expected) in cases {
        let found = problems(text);
        assert!(found.iter().any(|problem| problem.contains(expected)), "{text:?}: {found:?}");
    }
}

#[test]
fn a_skipped_plan_keeps_its_reason() {
    let document = parse("KTAP version 1\n1..0 # SKIP no rseq here\n");
    assert_eq!(document.problems, [""; 0]);
    assert_eq!(document.skipped.as_deref(), Some("no rseq here"));
}

#[test]
fn a_huge_plan_costs_nothing() {
    let document = parse("KTAP version 1\n1..18446744073709551615\nok 1 a\n");
    assert_eq!(document.problems, ["planned 18446744073709551615 results, saw 1"]);
}

#[test]
fn truncated_output_keeps_what_was_there() {
    for end in 0..NESTED.len() - 1 {
        let cut = parse(&NESTED[..end]);
        let complete = NESTED[..end].contains("ok 3");
        assert!(!cut.problems.is_empty() || complete, "cut at {end}: {cut:#?}");
        assert_eq!(!cut.results.is_empty(), end >= NESTED.find("ok 1").unwrap() + 4, "{end}");
    }
}

#[test]
fn chunks_and_carriage_returns_make_no_difference() {
    let serial = NESTED.replace('\n', "\r\n");
    for size in 1..40 {
        assert_eq!(parse_chunks(serial.as_bytes().chunks(size)), parse(NESTED), "chunks of {size}");
    }
}

#[test]
fn kernel_messages_in_between_make_no_difference() {
    const NOISE: [&str; 6] = [
        "[    1.234567] random: crng init done",
        "[    2.5] ok 1 is not a result here",
        "okay",
        "ok then",
        "\u{1b}[0m\u{fffd}\u{fffd}",
        "",
    ];
    let outcomes = |document: &Document| {
        let mut list = Vec::new();
        document.for_each(&mut |path, case| list.push((path.to_owned(), case.outcome)));
        list
    };
    let lines: Vec<_> = NESTED.lines().collect();
    for (noise, position) in NOISE.iter().flat_map(|noise| (0..=lines.len()).map(move |at| (noise, at))) {
        let mut noisy = lines.clone();
        noisy.insert(position, noise);
        let document = parse(&noisy.join("\n"));
        assert_eq!(document.problems, [""; 0], "{noise:?} before line {position}");
        assert_eq!(outcomes(&document), outcomes(&parse(NESTED)));
    }
}

#[test]
fn hostile_nesting_is_bounded() {
    let mut text = String::new();
    for depth in 0..5000 {
        let indent = " ".repeat(depth);
        text += &format!("{indent}KTAP version 1\n{indent}1..1\n");
    }
    let document = parse(&text);
    assert!(document.problems.iter().any(|problem| problem.contains("nested deeper than")));
    assert!(depth(&document) <= 8, "{}", depth(&document));
}

#[test]
fn floods_are_bounded() {
    let mut text = String::from("KTAP version 1\n1..1\n");
    for number in 0..120_000 {
        text += &format!("ok {number} flood\n# and a comment\n");
    }
    text.extend(std::iter::repeat_n('x', 1 << 20));
    let document = parse(&text);
    assert_eq!(document.results.len(), 100_000);
    assert!(document.problems.len() <= 64 && document.comments.len() <= 32);
    assert!(document.comments.iter().all(|comment| comment.len() <= 4096));
}

fn depth(document: &Document) -> usize {
    let nested = document.results.iter().filter_map(|case| case.nested.as_deref());
    1 + nested.map(depth).max().unwrap_or(0)
}

/// A small generator: the same sequence on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Cuts, copies, swaps or overwrites something.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    let (a, b) = (random.below(bytes.len()), random.below(bytes.len()));
    let (from, to) = (a.min(b), (a.max(b)).min(a.min(b) + 60));
    match random.below(6) {
        0 => drop(bytes.drain(from..to)),
        1 => bytes[from] = random.below(256) as u8,
        2 => bytes.swap(from, to),
        3 => bytes.splice(from..from, *b"\n  KTAP version 1\n").for_each(drop),
        4 => bytes.splice(from..from, *b"99999999999999999999").for_each(drop),
        _ => {
            let copy = bytes[from..to].to_vec();
            bytes.splice(to..to, copy).for_each(drop);
        }
    }
    bytes.push(b'\n');
}

#[test]
fn mutated_input_is_either_reported_or_harmless() {
    let mut random = Random(7);
    for _ in 0..20_000 {
        let mut bytes = NESTED.as_bytes().to_vec();
        for _ in 0..=random.below(4) {
            mutate(&mut bytes, &mut random);
        }
        check(&parse_chunks(bytes.chunks(1 + random.below(64))));
    }
}

/// What holds for every document that has no problems, whatever the input was.
fn check(document: &Document) {
    assert!(depth(document) <= 8);
    if document.problems.is_empty() {
        consistent(document);
    }
}

fn consistent(document: &Document) {
    assert!(document.plan.is_some());
    assert_eq!(document.plan, Some(document.results.len() as u64));
    for (index, case) in document.results.iter().enumerate() {
        assert_eq!(case.number, index as u64 + 1);
        if let Some(nested) = &case.nested {
            consistent(nested);
            assert!(case.outcome.is_bad() || !nested.results.iter().any(|case| case.outcome.is_bad()));
        }
    }
}
