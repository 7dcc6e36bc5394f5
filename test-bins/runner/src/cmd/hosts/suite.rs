//! The suite under one host.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::child::{self, Ended};
use super::criu;
use super::known::{Host, How};
use super::prepare::{Prepared, Unprepared};
use crate::build::Binaries;
use crate::interrupt::Interrupt;
use crate::ktap::{Counts, Document, Outcome, Parser};
use crate::suite::{Entry, Kind};
use crate::tool;
use crate::verdict::{self, Ending, Reach};

/// Before the reason of an expected failure.
const EXPECTED: &str = "failed as expected: ";

/// What all hosts share.
pub struct Session<'a> {
    /// What runs.
    pub entries: &'a [&'static Entry],
    /// Where the programs are.
    pub binaries: &'a Binaries,
    /// Seconds for each run.
    pub seconds: u64,
    /// Ctrl-C.
    pub interrupt: &'a Interrupt,
}

/// What became of the suite under a host.
#[derive(Debug)]
pub struct Row {
    /// Which.
    pub host: &'static Host,
    /// The tool that it takes, with its version.
    pub tool: Option<String>,
    /// Why nothing ran, if nothing did.
    pub absent: Option<String>,
    /// Results.
    pub counts: Counts,
    /// Reasons of skipped results and of expected failures, with how many there were.
    pub skipped: BTreeMap<String, usize>,
    /// What went wrong.
    pub failures: Vec<String>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Row {
    /// Whether something failed.
    pub fn is_bad(&self) -> bool {
        !self.failures.is_empty()
    }

    /// Notes what is wrong with a program; a fault of the host's own makes it an expected failure.
    fn take(&mut self, entry: &Entry, wrong: Option<String>) {
        let (name, fault) = self.host.fault;
        match wrong {
            Some(_) if entry.name == name => {
                self.counts.xfailed += 1;
                *self.skipped.entry(format!("{EXPECTED}{fault}")).or_default() += 1;
            }
            wrong => self.failures.extend(wrong),
        }
    }

    /// The results in one line.
    pub fn result(&self) -> String {
        let Counts { passed, skipped, xfailed, .. } = self.counts;
        match &self.absent {
            Some(why) => format!("skipped: {why}"),
            None => format!(
                "{} passed, {} failed, {skipped} skipped ({:.0} s)",
                passed + xfailed,
                self.failures.len(),
                self.elapsed.as_secs_f64()
            ),
        }
    }
}

impl Session<'_> {
    /// Runs the suite.
    pub fn row(&self, host: &'static Host) -> Row {
        let mut row = Row {
            host,
            tool: tool(host),
            absent: None,
            counts: Counts::default(),
            skipped: BTreeMap::new(),
            failures: Vec::new(),
            elapsed: Duration::ZERO,
        };
        let start = Instant::now();
        match Prepared::new(host, self.binaries, self.interrupt) {
            Ok(_) if host.how == How::Criu => self.restored(&mut row),
            Ok(prepared) => self.entries.iter().for_each(|entry| self.entry(entry, &prepared, &mut row)),
            Err(Unprepared::Absent(why)) => row.absent = Some(format!("{why:#}")),
            Err(Unprepared::Failed(why)) => row.failures.push(format!("cannot set it up: {why:#}")),
        }
        row.elapsed = start.elapsed();
        row
    }

    /// The program that is dumped and restored, once for each of its operations.
    fn restored(&self, row: &mut Row) {
        let Some(entry) = self.entries.iter().find(|entry| entry.name == criu::PROGRAM) else {
            row.absent = Some(format!("it runs {} alone", criu::PROGRAM));
            return;
        };
        let Some(path) = self.binaries.get(entry.name) else {
            return row.failures.push(format!("{}: it was not built", entry.name));
        };
        let mut moved = 0;
        for args in criu::RUNS {
            match criu::cycle(path, args, Duration::from_secs(self.seconds), self.interrupt) {
                _ if self.interrupt.requested() => return,
                Ok((ended, threads)) => {
                    moved += threads;
                    row.failures.extend(judged(entry, args, &ended, &mut row.counts, &mut row.skipped));
                }
                Err(error) => row.failures.push(format!("{} {}: {error:#}", entry.name, args.join(" "))),
            }
        }
        if moved == 0 && row.failures.is_empty() {
            row.failures.push("no thread was inside of a section when it was dumped".into());
        }
    }

    fn entry(&self, entry: &'static Entry, prepared: &Prepared, row: &mut Row) {
        if self.interrupt.requested() {
            return;
        }
        let args = short(entry);
        let Some(path) = self.binaries.get(entry.name) else {
            return row.failures.push(format!("{}: it was not built", entry.name));
        };
        let mut command = prepared.command(entry.name, path);
        command.args(&args);
        match child::run(command, Duration::from_secs(self.seconds), self.interrupt) {
            Ok(_) if self.interrupt.requested() => {}
            Ok(ended) => {
                let wrong = judged(entry, &args, &ended, &mut row.counts, &mut row.skipped);
                row.take(entry, wrong);
            }
            Err(error) => row.failures.push(format!("{}: {error}", entry.name)),
        }
    }
}

/// The tool's package and version.
fn tool(host: &Host) -> Option<String> {
    let (program, package) = host.needs;
    Some(format!("{package} {}", tool::version(program)?))
}

/// The first short run; on a machine in use, no CPU is taken offline.
fn short(entry: &Entry) -> Vec<&'static str> {
    let run = entry.guest.first().copied().unwrap_or_default();
    run.iter().copied().filter(|word| *word != "--hotplug").collect()
}

/// Counts the results; what is wrong, if something is.
fn judged(
    entry: &Entry,
    args: &[&str],
    ended: &Ended,
    counts: &mut Counts,
    skipped: &mut BTreeMap<String, usize>,
) -> Option<String> {
    let mut document = Document::default();
    if entry.kind == Kind::Test {
        let mut parser = Parser::new();
        ended.output.lines().for_each(|line| parser.line(line));
        document = parser.finish();
    }
    document.for_each(&mut |_, case| {
        counts.add(case.outcome);
        let reason = match case.outcome {
            Outcome::Skip => case.reason.clone(),
            Outcome::Xfail => format!("{EXPECTED}{}", case.why()),
            _ => return,
        };
        *skipped.entry(reason).or_default() += 1;
    });
    if let Some(reason) = &document.skipped {
        counts.add(Outcome::Skip);
        *skipped.entry(reason.clone()).or_default() += 1;
    }
    let verdict = match entry.kind {
        Kind::Test => verdict::test(&ending(ended), &document),
        _ => verdict::report(&ending(ended), None),
    };
    if !verdict.status.is_bad() {
        return None;
    }
    let mut reasons = verdict.reasons;
    let words = ended.complaints.lines().rfind(|line| !line.trim().is_empty());
    reasons.extend(words.filter(|_| document.results.is_empty()).map(str::to_owned));
    let name = [entry.name].iter().chain(args).copied().collect::<Vec<_>>().join(" ");
    Some(format!("{name}: {}", reasons.join("; ")))
}

/// A host may lose a program's exit code, and then ends with 0: the results speak for themselves.
fn ending(ended: &Ended) -> Ending {
    match ended.timed_out {
        true => Ending { reach: Reach::CutOff, fault: Some("still running: killed".into()), code: None },
        false => Ending { reach: Reach::Whole, fault: None, code: Some(ended.code).filter(|code| *code != 0) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::hosts::known::HOSTS;
    use crate::suite::SUITE;

    fn verdict(code: i32, timed_out: bool, output: &str) -> (Option<String>, Counts, BTreeMap<String, usize>) {
        let entry = SUITE.iter().find(|entry| entry.name == "basic_test").unwrap();
        let ended = Ended { code, timed_out, output: output.into(), complaints: "words\n".into() };
        let (mut counts, mut skipped) = (Counts::default(), BTreeMap::new());
        (judged(entry, &["--short"], &ended, &mut counts, &mut skipped), counts, skipped)
    }

    #[test]
    fn a_pass_and_a_skip_are_good_and_counted() {
        let (wrong, counts, skipped) = verdict(0, false, "KTAP version 1\n1..2\nok 1 a\nok 2 b # SKIP no KVM\n");
        assert_eq!((wrong, counts.passed, counts.skipped), (None, 1, 1));
        assert_eq!(skipped["no KVM"], 1);
        let (wrong, counts, skipped) = verdict(4, false, "KTAP version 1\n1..0 # SKIP no rseq\n");
        assert_eq!((wrong, counts.skipped, skipped["no rseq"]), (None, 1, 1));
    }

    #[test]
    fn bad_results_codes_and_silence_are_failures() {
        let failed = |code, timed_out, output: &str| verdict(code, timed_out, output).0.unwrap();
        assert_eq!(
            failed(1, false, "KTAP version 1\n1..1\nnot ok 1 a\n"),
            "basic_test --short: 1 of 1 results failed; a"
        );
        let silent = "basic_test --short: no KTAP at all: no version line, no plan, no result";
        assert_eq!(failed(139, false, ""), format!("{silent}; exit code 139; words"));
        assert_eq!(failed(0, false, ""), format!("{silent}; words"));
        assert!(failed(0, false, "KTAP version 1\n1..3\nok 1 a\n").contains("planned 3 results, saw 1"));
        assert!(failed(0, false, "KTAP version 1\n1..1\nBail out! here\n").contains("here"));
        assert!(failed(4, false, "KTAP version 1\n1..1\nok 1 a\n").contains("the results mean 0"));
        assert!(failed(137, true, "KTAP version 1\n1..1\nok 1 a\n").contains("still running"));
    }

    #[test]
    fn a_fault_of_the_host_is_an_expected_failure_of_one_program() {
        let host = HOSTS.iter().find(|host| !host.fault.0.is_empty()).unwrap();
        let mut row = Row {
            host,
            tool: None,
            absent: None,
            counts: Counts::default(),
            skipped: BTreeMap::new(),
            failures: Vec::new(),
            elapsed: Duration::ZERO,
        };
        let entry = |name: &str| SUITE.iter().find(|entry| entry.name == name).unwrap();
        row.take(entry(host.fault.0), Some("exit code 139".into()));
        row.take(entry(host.fault.0), None);
        assert_eq!((row.is_bad(), row.counts.xfailed), (false, 1));
        assert_eq!(row.skipped[&format!("failed as expected: {}", host.fault.1)], 1);
        row.take(entry("basic_test"), Some("exit code 139".into()));
        assert!(row.is_bad());
    }

    #[test]
    fn no_cpu_is_taken_offline() {
        assert!(SUITE.iter().all(|entry| !short(entry).contains(&"--hotplug")));
    }
}
