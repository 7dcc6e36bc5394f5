//! What a bundle holds: programs, a script for each run with arguments, the list, and the scripts that run it.

use std::path::Path;

use anyhow::{Context, ensure};
use fs_err as fs;

use super::files;
use crate::build::Binaries;
use crate::suite::{Entry, Kind};

/// The name of our collection, beside the kernel's `rseq` where bundles are put together.
const COLLECTION: &str = "rseq-core";
const RUN: &str = include_str!("run.sh");
const RUN_KSELFTEST: &str = include_str!("run_kselftest.sh");

/// One test of a bundle.
#[derive(Debug, Clone)]
pub struct Run {
    entry: &'static Entry,
    args: &'static [&'static str],
}

/// The suite's runs: those of this machine's kind, or the shorter ones of guests.
pub fn runs(suite: &'static [Entry], short: bool) -> Vec<Run> {
    let of = |entry: &'static Entry| {
        let runs = if short { entry.guest } else { entry.native };
        entry.with_legacy(runs).map(move |args| Run { entry, args })
    };
    suite.iter().flat_map(of).collect()
}

impl Run {
    /// The name of its file, which is its name in results: words with underscores between them, as lists of names are
    /// parted by blanks.
    fn name(&self) -> String {
        [self.entry.name].iter().chain(self.args).copied().collect::<Vec<_>>().join("_")
    }

    /// The script that runs it, where it has arguments: a list has no place for them.
    fn script(&self) -> String {
        let args = self.args.join(" ");
        format!("#!/bin/sh\nexec \"$(dirname \"$0\")\"/{} {args} \"$@\"\n", self.entry.name)
    }

    fn line(&self) -> String {
        let kind = match self.entry.kind {
            Kind::Test => "test",
            Kind::Report => "report",
        };
        format!("{} {kind} {}\n", self.entry.timeout, self.name())
    }
}

/// Writes the bundle into a new directory, which replaces one of the same name.
pub fn write(directory: &Path, runs: &[Run], binaries: &Binaries) -> anyhow::Result<()> {
    if directory.exists() {
        let is_bundle = directory.join("kselftest-list.txt").is_file();
        ensure!(is_bundle, "{} is there and is not a bundle: remove it", directory.display());
        fs::remove_dir_all(directory)?;
    }
    let collection = directory.join(COLLECTION);
    fs::create_dir_all(&collection)?;
    // First, so that what is left of a failed try is known for a bundle.
    let listed = |run: &Run| format!("{COLLECTION}:{}\n", run.name());
    files::plain(&directory.join("kselftest-list.txt"), &runs.iter().map(listed).collect::<String>())?;
    for run in runs {
        let program = collection.join(run.entry.name);
        if !program.exists() {
            let built = binaries.get(run.entry.name).with_context(|| format!("{} was not built", run.entry.name))?;
            files::program(built, &program)?;
        }
        if !run.args.is_empty() {
            files::script(&collection.join(run.name()), &run.script())?;
        }
    }
    let longest = runs.iter().map(|run| run.entry.timeout).max().unwrap_or_default();
    // One limit for all is what the kernel's own script knows.
    files::plain(&collection.join("settings"), &format!("timeout={longest}\n"))?;
    files::plain(&collection.join("runs"), &runs.iter().map(Run::line).collect::<String>())?;
    files::script(&directory.join("run.sh"), RUN)?;
    files::script(&directory.join("run_kselftest.sh"), RUN_KSELFTEST)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::process::Command;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::ktap::{Document, Outcome, Parser};
    use crate::scratch::Scratch;
    use crate::suite::SUITE;

    #[test]
    fn every_run_has_a_name_of_its_own_that_needs_no_quotes() {
        for short in [false, true] {
            let runs = runs(SUITE, short);
            let names: BTreeSet<_> = runs.iter().map(Run::name).collect();
            assert_eq!(names.len(), runs.len());
            let plain = |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
            assert!(names.iter().all(plain), "{names:?}");
            assert!(names.contains("basic_percpu_ops_test_--short_--legacy"), "{names:?}");
        }
    }

    /// A bundle of shell scripts in place of `probe`, `basic_test` and `start_test`, which have one run each.
    fn bundle(scripts: [&str; 3]) -> Scratch {
        let scratch = Scratch::new().unwrap();
        let mut binaries = Binaries::new();
        for (name, script) in ["probe", "basic_test", "start_test"].iter().zip(scripts) {
            let path = scratch.join(name);
            files::script(&path, &format!("#!/bin/sh\n{script}\n")).unwrap();
            binaries.insert((*name).to_owned(), path);
        }
        let chosen = runs(SUITE, false).into_iter().filter(|run| binaries.contains_key(run.entry.name));
        write(&scratch.join("b"), &chosen.collect::<Vec<_>>(), &binaries).unwrap();
        scratch
    }

    /// The exit code, what our parser reads, and the text.
    fn ran(shell: &str, scratch: &Path, words: &[&str]) -> (Option<i32>, Document, String) {
        let mut command = Command::new(shell);
        command.arg(scratch.join("b/run.sh")).args(words).env("LC_ALL", "C");
        let deadline = Instant::now() + Duration::from_secs(60);
        let (code, text) = loop {
            let output = command.output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            // A child that another test forked while the bundle was written has its files open for writing until it
            // executes a program, and no such file runs.
            if !text.contains("Text file busy") || Instant::now() > deadline {
                break (output.status.code(), text);
            }
            sleep(Duration::from_millis(10));
        };
        let mut parser = Parser::new();
        text.lines().for_each(|line| parser.line(line));
        (code, parser.finish(), text)
    }

    const GOOD: &str = "echo KTAP version 1; echo 1..2; echo ok 1 a; echo 'ok 2 b # SKIP no KVM'";

    #[test]
    fn results_and_reasons_are_nested() {
        let skips = "echo KTAP version 1; echo '1..0 # SKIP no rseq'; exit 4";
        let scratch = bundle(["echo a kernel", GOOD, skips]);
        let (code, document, text) = ran("sh", &scratch, &[]);
        assert_eq!((code, document.problems.len()), (Some(0), 0), "{text}");
        let [probe, start, basic] = document.results.as_slice() else { panic!("{text}") };
        assert_eq!((probe.outcome, probe.name.as_str()), (Outcome::Pass, "selftests: rseq-core: probe"));
        assert!(text.contains("\n  # a kernel\nok 1 "), "{text}");
        assert_eq!((start.outcome, start.reason.as_str()), (Outcome::Skip, "no rseq"), "{text}");
        let nested = basic.nested.as_ref().unwrap();
        assert_eq!((nested.results.len(), nested.results[1].outcome), (2, Outcome::Skip), "{text}");
    }

    #[test]
    fn what_a_killed_test_left_open_is_closed() {
        let inner = "echo KTAP version 1; echo 1..2; echo ok 1 a; echo '  KTAP version 1'; echo '  1..3'; \
                     echo '  ok 1 x';";
        let scratch = bundle(["echo", &format!("{inner} sleep 100 & wait"), &format!("{inner} kill -9 $$")]);
        let (code, document, text) = ran("sh", &scratch, &["-o", "5"]);
        assert_eq!((code, document.problems.len()), (Some(1), 0), "{text}");
        let [_, died, timed_out] = document.results.as_slice() else { panic!("{text}") };
        assert!(timed_out.timed_out && timed_out.outcome == Outcome::Fail && died.outcome == Outcome::Fail, "{text}");
        assert!(died.name.contains("# exit=137") || text.contains("# exit=137\n"), "{text}");
        for case in [died, timed_out] {
            let outer = &case.nested.as_ref().unwrap().results;
            assert_eq!(outer.len(), 2, "{text}");
            assert_eq!(outer[1].nested.as_ref().unwrap().results.len(), 3, "{text}");
        }
    }

    #[test]
    fn a_result_that_never_came_is_a_failure() {
        let short = "echo KTAP version 1; echo 1..2; echo ok 1 a";
        let scratch = bundle(["echo", short, "echo KTAP version 1"]);
        let (code, document, text) = ran("sh", &scratch, &[]);
        assert_eq!(code, Some(1), "{text}");
        let bad = document.results.iter().filter(|case| case.outcome.is_bad()).count();
        assert_eq!((bad, document.results.len(), document.problems.len()), (2, 3, 0), "{text}");
    }

    /// Plans become numbers of the script.
    #[test]
    fn a_plan_that_is_no_number_is_a_failure_and_runs_nothing() {
        let plans = ["1..1;echo${IFS}INJECTED>&2", "1..1)", "1..99999999999999999999", "1..$(id)"];
        for plan in plans {
            let script = format!("echo KTAP version 1; echo '{plan}'; echo ok 1 a");
            let scratch = bundle(["echo", &script, GOOD]);
            let output = Command::new("sh").arg(scratch.join("b/run.sh")).output().unwrap();
            let words = String::from_utf8(output.stderr).unwrap();
            assert_eq!((output.status.code(), words.contains("INJECTED")), (Some(1), false), "{plan}: {words}");
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(text.contains("\nnot ok 3 selftests: rseq-core: basic_test # ERROR"), "{plan}: {text}");
        }
    }

    #[test]
    fn results_that_are_missing_are_a_failure_with_every_good_code() {
        for code in [0, 2, 4] {
            let script = format!("echo KTAP version 1; echo 1..3; echo ok 1 a; exit {code}");
            let (_, document, text) = ran("sh", &bundle(["echo", &script, GOOD]), &[]);
            assert_eq!(document.results[2].outcome, Outcome::Fail, "{code}: {text}");
        }
    }

    #[test]
    fn tests_are_chosen_as_by_the_kernels_script() {
        let scratch = bundle(["echo", GOOD, GOOD]);
        let count = |words: &[&str]| ran("sh", &scratch, words).1.results.len();
        assert_eq!(count(&["-t", "rseq-core:probe", "--test", "rseq-core:basic_test"]), 2);
        assert_eq!(count(&["-c", "rseq-core", "-S", "rseq-core:probe"]), 2);
        let (code, _, text) = ran("sh", &scratch, &["-t", "rseq-core:prob"]);
        assert_eq!((code, text.as_str()), (Some(2), ""));
        let (_, _, listed) = ran("sh", &scratch, &["-l"]);
        assert_eq!(listed, "rseq-core:probe\nrseq-core:start_test\nrseq-core:basic_test\n");
    }

    #[test]
    fn a_log_that_cannot_be_written_is_named() {
        let scratch = bundle(["echo", GOOD, GOOD]);
        // Not by permissions, which root is free of.
        fs::create_dir(scratch.join("b/output.log")).unwrap();
        let output = Command::new("sh").arg(scratch.join("b/run_kselftest.sh")).arg("-s").output().unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len(), words.lines().count()), (Some(2), 0, 1), "{words}");
        assert!(words.contains("cannot write /") && words.contains("output.log, where --summary"), "{words}");
    }

    #[test]
    fn a_directory_that_is_no_bundle_is_left_alone() {
        let scratch = bundle(["echo", GOOD, GOOD]);
        fs::remove_file(scratch.join("b/kselftest-list.txt")).unwrap();
        assert!(write(&scratch.join("b"), &[], &Binaries::new()).unwrap_err().to_string().contains("is not a bundle"));
    }
}
