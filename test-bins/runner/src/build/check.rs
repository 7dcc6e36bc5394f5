//! The critical sections of built binaries: whether they are what the kernel, debuggers and each architecture's memory
//! model want. Checked before anything boots.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use fs_err as fs;
use object::{Object, ObjectSection};
use rseq_check::{Checked, Finding, Rule};

use super::Binaries;
use crate::suite::SUITE;

/// The table of functions whose commits are in turn a release and not; see `arch_memory_order`.
const FORMS: &str = "rseq_forms";
/// What is a fault in our own sections, and only worth a note in others'.
const DENIED: &[Rule] = &[Rule::UnrecordedExit, Rule::NoPointers, Rule::PackedRelocations];
/// How many findings a message names.
const NAMED: usize = 3;

/// What there was to check.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    binaries: usize,
    sections: usize,
    exit_points: usize,
    forms: usize,
}

impl Display for Counts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { binaries, sections, exit_points, forms } = self;
        write!(
            f,
            "{binaries} binaries, {sections} critical sections, {exit_points} exit points, {forms} orders of commits"
        )
    }
}

/// Checks each of the binaries.
///
/// # Errors
///
/// What is wrong with which of them.
pub fn check(binaries: &Binaries, names: &[&str]) -> anyhow::Result<Counts> {
    let mut counts = Counts::default();
    for (name, path) in binaries.iter().filter(|(name, _)| names.contains(&name.as_str())) {
        let entry = SUITE.iter().find(|entry| entry.name == name);
        let expected = entry.map_or(&[][..], |entry| entry.wrong_sections);
        counts.add(path, expected).with_context(|| path.display().to_string())?;
    }
    Ok(counts)
}

impl Counts {
    /// Checks a binary, in which these rules are broken on purpose.
    fn add(&mut self, path: &Path, expected: &[Rule]) -> anyhow::Result<()> {
        let checked = rseq_check::check(path, DENIED)?;
        compare_findings(&checked.findings, expected)?;
        self.binaries += 1;
        self.sections += checked.sections.len();
        self.exit_points += checked.exit_points;
        self.forms += orders(path, &checked)?;
        Ok(())
    }
}

/// Compares the findings with the rules that are broken on purpose, each as often as it is listed.
fn compare_findings(findings: &[Finding], expected: &[Rule]) -> anyhow::Result<()> {
    let rules: BTreeSet<_> = findings.iter().map(|finding| finding.rule).chain(expected.iter().copied()).collect();
    let differences: Vec<_> = rules.into_iter().filter_map(|rule| difference(rule, findings, expected)).collect();
    ensure!(
        differences.is_empty(),
        "{}; a section that is wrong on purpose has its rule in `wrong_sections` of the program's Entry in \
         test-bins/runner/src/suite.rs",
        differences.join("; ")
    );
    Ok(())
}

/// What is found of a rule, if it is not as much as expected.
fn difference(rule: Rule, findings: &[Finding], expected: &[Rule]) -> Option<String> {
    let found: Vec<_> = findings.iter().filter(|finding| finding.rule == rule).collect();
    let wanted = expected.iter().filter(|other| **other == rule).count();
    if found.len() == wanted {
        return None;
    }
    let mut words = format!("{rule} ({}): {} found, {wanted} expected", rule.title(), found.len());
    found.iter().take(NAMED).for_each(|finding| words += &format!(", {}", finding.message));
    words += if found.len() > NAMED { ", ..." } else { "" };
    Some(words)
}

/// Compares the order of each commit that the binary's table names with what the table says; returns how many.
fn orders(path: &Path, checked: &Checked) -> anyhow::Result<usize> {
    let functions = table(&fs::read(path)?)?;
    compare(&functions, checked).map(|()| functions.len())
}

/// In turn, a function's commit is a release, and is not.
fn compare(functions: &[u64], checked: &Checked) -> anyhow::Result<()> {
    for (number, function) in functions.iter().enumerate() {
        let release = number % 2 == 0;
        let after = checked.sections.iter().filter(|section| section.start >= *function);
        let section = after.min_by_key(|section| section.start);
        let section = section.with_context(|| format!("no critical section after {function:#x}"))?;
        let commit = section.commit.as_deref().unwrap_or("nothing");
        let at = format!("the commit of the section at {:#x}, `{commit}`,", section.start);
        match (release, section.release) {
            (true, false) => bail!("{at} is to be a release, and nothing orders it"),
            // What every store is anyway, the control is too.
            (false, true) if !checked.strong => bail!("{at} is ordered, but a control without the order"),
            _ => {}
        }
    }
    Ok(())
}

/// The words of the table; none in most binaries.
fn table(data: &[u8]) -> anyhow::Result<Vec<u64>> {
    let file = object::File::parse(data)?;
    let Some(section) = file.section_by_name(FORMS) else { return Ok(Vec::new()) };
    let bytes = section.data()?;
    let width = if file.is_64() { 8 } else { 4 };
    let word = |bytes: &[u8]| {
        let from_high = |word, byte: &u8| word << 8 | u64::from(*byte);
        if file.is_little_endian() { bytes.iter().rev().fold(0, from_high) } else { bytes.iter().fold(0, from_high) }
    };
    Ok(bytes.chunks_exact(width).map(word).collect())
}

#[cfg(test)]
mod tests {
    use rseq_check::Described;

    use super::*;

    /// A file with sections at 0x100, 0x200 and so on, with these orders.
    fn checked(strong: bool, releases: &[bool]) -> Checked {
        let described = |(number, &release): (usize, &bool)| Described {
            descriptor: 0,
            start: 0x100 * (number as u64 + 1),
            end: 0x100 * (number as u64 + 1) + 8,
            abort: 0,
            commit: Some("store".into()),
            release,
            repeated_stores: Vec::new(),
        };
        Checked {
            file: "file".into(),
            machine: "machine",
            strong,
            sections: releases.iter().enumerate().map(described).collect(),
            exit_points: 0,
            findings: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn releases_are_ordered_and_controls_are_not() {
        compare(&[0xf0, 0x1f0], &checked(false, &[true, false])).unwrap();
        let unordered = compare(&[0xf0, 0x1f0], &checked(false, &[false, false])).unwrap_err().to_string();
        assert!(unordered.contains("0x100") && unordered.contains("nothing orders it"), "{unordered}");
        let useless = compare(&[0xf0, 0x1f0], &checked(false, &[true, true])).unwrap_err().to_string();
        assert!(useless.contains("0x200") && useless.contains("control"), "{useless}");
        assert!(compare(&[0x300], &checked(false, &[true, false])).unwrap_err().to_string().contains("0x300"));
    }

    #[test]
    fn where_every_store_is_a_release_controls_are_too() {
        compare(&[0xf0, 0xf0], &checked(true, &[true])).unwrap();
    }

    #[test]
    fn each_rule_is_broken_as_often_as_expected() {
        let compared = |rules: &[Rule], expected: &[Rule]| {
            let findings: Vec<_> = rules.iter().map(|rule| Finding::new(*rule, "at 0x1")).collect();
            compare_findings(&findings, expected).map_err(|error| error.to_string())
        };
        const EARLY: Rule = Rule::EarlyStore;
        assert_eq!(compared(&[], &[]), Ok(()));
        assert_eq!(compared(&[EARLY, EARLY], &[EARLY, EARLY]), Ok(()));
        let two = compared(&[EARLY, EARLY], &[EARLY]).unwrap_err();
        assert!(two.starts_with("RC0312 (") && two.contains("): 2 found, 1 expected, at 0x1, at 0x1; a "), "{two}");
        assert!(two.contains("`wrong_sections` of the program's Entry in test-bins/runner/src/suite.rs"), "{two}");
        let none = compared(&[Rule::Calls; 4], &[EARLY]).unwrap_err();
        assert!(none.contains("): 4 found, 0 expected, at 0x1, at 0x1, at 0x1, ...; RC0312 ("), "{none}");
        assert!(none.contains("): 0 found, 1 expected; a section"), "{none}");
    }

    #[test]
    fn a_file_that_is_no_program_fails_by_name() {
        let binaries =
            Binaries::from([("probe".to_owned(), concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").into())]);
        assert!(format!("{:#}", check(&binaries, &["probe"]).unwrap_err()).contains("Cargo.toml: "));
        assert_eq!(check(&binaries, &[]).unwrap().binaries, 0);
    }
}
