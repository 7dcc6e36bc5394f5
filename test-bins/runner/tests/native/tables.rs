//! The tables of `test-bins/README.md` that map other projects' tests to ours: no row is open, and what they name is
//! there. The list of programs that no_syscall_test runs: it has every program that needs rseq.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::fakes::{Run, runner};
use crate::real::{names, suite_path};

/// A row: their tests, ours, and what ours do beyond them.
struct Row {
    theirs: String,
    ours: String,
    beyond: String,
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

fn rows() -> Vec<Row> {
    let readme = fs::read_to_string(repository().join("test-bins/README.md")).unwrap();
    let (_, tables) = readme.split_once("\n## The C tests, and ours\n").unwrap();
    let (tables, _) = tables.split_once("\n## ").unwrap();
    let cells = |line: &str| {
        line.strip_prefix('|')?
            .strip_suffix('|')?
            .split('|')
            .map(str::trim)
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .try_into()
            .ok()
    };
    let all = tables.lines().filter_map(cells).map(|[theirs, ours, beyond]: [String; 3]| Row { theirs, ours, beyond });
    all.filter(|row| !row.theirs.starts_with("---") && row.ours != "ours").collect()
}

/// The words in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn no_row_is_open() {
    let rows = rows();
    assert!(rows.len() > 30, "{} rows", rows.len());
    for row in &rows {
        let names_ours = quoted(&row.ours).next().is_some() || row.ours == "as above" || row.ours == "the same names";
        assert!(names_ours, "{} has none of ours: {:?}", row.theirs, row.ours);
    }
    let theirs = |project: &str| {
        let names = rows.iter().filter_map(|row| row.theirs.strip_prefix(project));
        names.map(|names| names.split(", ").count()).sum::<usize>()
    };
    // What these projects have.
    let counts = ["gVisor: ", "glibc: ", "CRIU: ", "rr: "].map(theirs);
    assert_eq!(counts, [14, 10, 3, 4]);
}

#[test]
fn every_test_of_ours_has_a_row() {
    let rows = rows();
    for name in names() {
        // It reports, and is no test.
        let is_named = name == "probe" || rows.iter().any(|row| quoted(&row.ours).any(|word| is_call(word, &name)));
        assert!(is_named, "test-bins/README.md lacks {name} in 'The C tests, and ours'");
    }
}

/// Whether these words are a command line of the program.
fn is_call(words: &str, name: &str) -> bool {
    words.split(' ').any(|word| word == name)
}

#[test]
fn what_the_tables_name_is_there() {
    let names = names();
    let help = Run::of(&mut runner(&["--help"])).stdout;
    for row in rows() {
        for words in quoted(&row.ours) {
            let first = words.split(' ').next().unwrap();
            let is_there = names.iter().any(|name| name == first)
                || help.contains(&format!("\n  {first} "))
                || is_file(first)
                || words.strip_prefix("cargo run --release -- ").is_some_and(|run| is_run(run, &names))
                || ["rr", "glibc.pthread.rseq=0", "cargo test"].contains(&words);
            assert!(is_there, "{}: `{words}` is not there", row.theirs);
            for option in words.split(' ').filter(|word| word.starts_with("--") && first.ends_with("_test")) {
                let text = Run::of(Command::new(suite_path(first)).arg("--help")).stdout;
                assert!(text.contains(option), "{}: {first} has no option {option}", row.theirs);
            }
        }
        for word in quoted(&row.beyond).filter(|word| word.ends_with("_test")) {
            assert!(names.iter().any(|name| name == word), "{}: `{word}` is not there", row.theirs);
        }
        results_are_there(&row);
    }
}

/// Whether it is a file or directory, by its path in `test-bins` or by the name of a tool or of a C test.
fn is_file(path: &str) -> bool {
    let places = ["test-bins", "test-bins/hosted", "rseq-core/c/headers/tests/programs"];
    path == "rseq-check" || places.iter().any(|place| repository().join(place).join(path).exists())
}

/// Whether it is one of the runner's command lines: an option, and a test.
fn is_run(words: &str, names: &[String]) -> bool {
    words.split(' ').all(|word| word.starts_with("--") || names.iter().any(|name| name == word))
}

/// Results that a row names, `program ("result")`, are among those that the program lists.
fn results_are_there(row: &Row) {
    for (before, after) in row.ours.match_indices("` (\"").map(|(at, _)| row.ours.split_at(at)) {
        let program = before.rsplit('`').next().unwrap();
        let result = after.trim_start_matches("` (\"").split('"').next().unwrap();
        let list = Run::of(Command::new(suite_path(program)).arg("--list")).stdout;
        assert!(list.contains(result), "{}: {program} has no result {result:?}", row.theirs);
    }
}

/// Programs that have something to do without rseq, and so do not skip as a whole.
const WITHOUT_RSEQ: &[(&str, &str)] = &[
    ("probe", "it reports that there is none"),
    ("start_test", "programs start without it"),
    ("percpu_test", "per-CPU types count by atomics instead"),
    ("alloc_test", "so does the heap"),
    ("no_syscall_test", "it runs the others"),
    ("local_test", "thread-locals do not use it"),
    ("sync_test", "nor do locks"),
    ("stack_test", "nor do guard pages"),
];

#[test]
fn programs_that_need_rseq_are_run_without_it() {
    let path = "test-bins/tests/src/bin/no_syscall_test.rs";
    let source = fs::read_to_string(repository().join(path)).unwrap();
    let (_, table) = source.split_once("\nconst PROGRAMS: ").unwrap();
    let (table, _) = table.split_once("\n];").unwrap();
    let listed: Vec<_> = table.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split('"').next()).collect();
    let names = names();
    for name in &names {
        let (runs, needs_none) = (listed.contains(&name.as_str()), WITHOUT_RSEQ.iter().any(|(other, _)| other == name));
        assert!(
            runs != needs_none,
            "{name} has to be in PROGRAMS of {path}, or with a reason in WITHOUT_RSEQ of {}, and not in both",
            file!()
        );
    }
    let gone = |name: &&str| names.iter().all(|other| other != name);
    let gone: Vec<_> = listed.into_iter().chain(WITHOUT_RSEQ.iter().map(|(name, _)| *name)).filter(gone).collect();
    assert!(gone.is_empty(), "PROGRAMS of {path} or WITHOUT_RSEQ name what is not in the suite: {}", gone.join(", "));
}
