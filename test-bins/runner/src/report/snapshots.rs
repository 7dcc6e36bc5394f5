//! Each report of one run and one matrix, compared with files of `snapshots`.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p runner --lib snapshots` writes them anew: read what `git diff` says of them.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::paint::Paint;
use super::*;
use crate::events::Event;
use crate::guest::cell_result::{CellResult, Earlier, Matrix, Took};
use crate::ktap::Document;
use crate::native::{End, Planned, Size, Summary, Tested, rows};
use crate::process::Stream;
use crate::suite::SUITE;
use crate::verdict::{Status, Verdict};

#[track_caller]
fn compare(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/report/snapshots").join(name);
    // What differs from machine to machine.
    let text = text.replace(&json::kernel_release(), "6.18.0").replace(std::env::consts::ARCH, "x86_64");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        return;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == kept, "{name} is not as in {}, but\n{text}", path.display());
}

const GOOD: &str = "KTAP version 1\n1..3\nok 1 a\n# 4 aborts\nok 2 b & c\nok 3 d # SKIP no <KVM>\n";
const BAD: &str = "KTAP version 1\n1..2\n# 7 of 9 lost\n# x: 1 \"lost\"\nnot ok 1 x\nok 2 y # XFAIL on 6.19\n";

fn tested(name: &str, end: End, text: &str, verdict: Verdict) -> Tested {
    let entry = SUITE.iter().find(|entry| entry.name == name).unwrap();
    let is_test = entry.kind == crate::suite::Kind::Test;
    Tested {
        planned: Planned { entry, args: vec!["--short"], round: (1, 1), timeout: Duration::from_secs(60) },
        end: Some(end),
        elapsed: Duration::from_millis(1250),
        document: is_test.then(|| Document::read(text)),
        text: if is_test { Vec::new() } else { text.lines().map(str::to_owned).collect() },
        stderr: if verdict.status.is_bad() { vec!["a word on stderr".into()] } else { Vec::new() },
        verdict,
    }
}

fn run() -> Summary {
    let failed =
        Verdict { status: Status::Failed, reasons: vec!["1 of 2 results failed".into(), "x: 1 \"lost\"".into()] };
    let timed_out = Verdict { status: Status::TimedOut, reasons: vec!["still running after 1.2 s: killed".into()] };
    let tested = vec![
        tested("probe", End::Code(0), "kernel <6.18>\nrseq 32 bytes", Verdict::passed()),
        tested("start_test", End::Code(0), GOOD, Verdict::passed()),
        tested("basic_test", End::Code(1), BAD, failed),
        tested("slice_test", End::Code(4), "KTAP version 1\n1..0 # SKIP no slices\n", Verdict::skipped("no slices")),
        tested("signal_test", End::TimedOut, "KTAP version 1\n1..2\nok 1 a\n", timed_out),
    ];
    let rows = rows(&tested, |_| Some(Size { bytes: 20_480, stripped: true }));
    let command = "cargo run --release -- --full".into();
    Summary { tested, rows, planned: 6, elapsed: Duration::from_millis(6250), command }
}

fn cell(row: &str, line: &str, verdict: Verdict, text: &str) -> CellResult {
    let result = CellResult::without_results(row.into(), line.into(), Some(format!("{line}.3-amd64")), 2, verdict);
    let document = Document::read(text);
    let log = Some(PathBuf::from(format!("/target/boot/consoles/{row}-{line}.log")));
    CellResult {
        counts: document.counts(),
        boot_seconds: Some(2.5),
        seconds: 40.25,
        ktap: Some(document),
        log,
        ..result
    }
}

fn matrix() -> Matrix {
    let silent = Earlier { reasons: vec!["silent for 90 s: ended".into()], console: Some("/first.log".into()) };
    let flaky = Verdict { status: Status::Flaky, reasons: Vec::new() };
    let nested = format!("KTAP version 1\n1..1\n{}not ok 1 basic_test --short\n", indented(BAD));
    let failed = Verdict { status: Status::Failed, reasons: Document::read(&nested).failures() };
    let not_here = Verdict::skipped("its kernel is not here: cargo run --release -- fetch");
    let cells = vec![
        cell("x86_64", "6.12", Verdict::passed(), GOOD),
        cell("x86_64", "7.2", failed, &nested),
        CellResult::without_results(
            "i686 on x86_64".into(),
            "6.12".into(),
            None,
            1,
            Verdict::failed("the kernel panicked: <x>"),
        ),
        CellResult { earlier: vec![silent], ..cell("aarch64", "6.12", flaky, GOOD) },
        CellResult::without_results("aarch64".into(), "6.1".into(), None, 2, not_here),
    ];
    Matrix {
        cells,
        command: "cargo run --release -- boot".into(),
        names_cell: false,
        names: Vec::new(),
        program: Vec::new(),
        took: Took::default(),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// What a reporter writes of the events of the run.
fn heard_of_run(reporter: &mut dyn Reporter) {
    let summary = run();
    let mut tell = |event: Event<'_>| reporter.event(&event).unwrap();
    tell(Event::RunBegan(summary.planned));
    for tested in &summary.tested {
        tell(Event::TestBegan(&tested.planned));
        tell(Event::Line(&tested.planned, Stream::Out, "ok 1 a"));
        tell(Event::Line(&tested.planned, Stream::Err, "a word"));
        tell(Event::Progress(&tested.planned.to_string(), Duration::from_secs(31), 1));
        tell(Event::TestEnded(tested));
    }
    tell(Event::Note("a note"));
    tell(Event::RunEnded(&summary));
}

fn heard_of_matrix(reporter: &mut dyn Reporter) {
    let matrix = matrix();
    let mut tell = |event: Event<'_>| reporter.event(&event).unwrap();
    tell(Event::RunBegan(matrix.cells.len()));
    tell(Event::Note("building for x86_64-unknown-linux-gnu"));
    for result in &matrix.cells {
        tell(Event::CellBegan(&result.name()));
        tell(Event::CellEnded(result));
    }
    tell(Event::MatrixEnded(&matrix));
}

fn text(out: Vec<u8>) -> String {
    String::from_utf8(out).unwrap()
}

#[test]
fn ktap() {
    let mut out = Vec::new();
    heard_of_run(&mut Ktap::new(&mut out));
    compare("run.ktap", &text(out));
}

#[test]
fn live() {
    for (name, paint) in [("live.txt", Paint::PLAIN), ("live.ansi", Paint::COLORED)] {
        // It shows the seconds since it began: none, unless this thread was held up.
        let out = loop {
            let (began, mut out) = (Instant::now(), Vec::new());
            heard_of_run(&mut Live::new(&mut out, paint, SLOW_TEST).with_summary());
            if began.elapsed() < Duration::from_secs(1) {
                break out;
            }
        };
        compare(name, &text(out));
    }
}

#[test]
fn json() {
    let [mut run, mut matrix] = [Vec::new(), Vec::new()];
    heard_of_run(&mut Json(&mut run));
    heard_of_matrix(&mut Json(&mut matrix));
    compare("run.json", &text(run));
    compare("matrix.json", &text(matrix));
}

#[test]
fn table() {
    let mut out = Vec::new();
    heard_of_matrix(&mut Live::new(&mut out, Paint::PLAIN, SLOW_CELL));
    heard_of_matrix(&mut Table::new(&mut out, Paint::PLAIN));
    compare("matrix.txt", &text(out));
}

#[test]
fn junit() {
    compare("run.xml", &super::junit::document(&super::markup::Unit::of_run(&run())).unwrap());
    compare("matrix.xml", &super::junit::document(&super::markup::Unit::of_matrix(&matrix())).unwrap());
}

#[test]
fn html() {
    compare("run.html", &super::html::native(&run(), "6.18.0").unwrap());
    compare("matrix.html", &super::html::boots(&matrix()).unwrap());
}
