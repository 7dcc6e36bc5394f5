//! The page with the table.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::suite::Row;
use super::table::{HOSTS, Host};

const HEAD: &str = "# Hosts\n\n\
    What the short native suite gives under tracers, emulators, filters, namespaces and limits, each on one machine.\n\
    Written by `cargo run --release -- hosts --docs`. Results that fail as expected count as passed. What is skipped\n\
    under a host and not on the plain kernel is named below the table.\n\n";

/// Writes `test-bins/HOSTS.md` and returns its path. Hosts that did not run keep what it says of them.
pub fn write(root: &Path, rows: &[Row]) -> anyhow::Result<PathBuf> {
    let path = root.join("test-bins/HOSTS.md");
    let old = fs::read_to_string(&path).unwrap_or_default();
    fs::write(&path, text(rows, &old))?;
    Ok(path)
}

fn text(rows: &[Row], old: &str) -> String {
    let mut text = HEAD.to_owned();
    text += "| host | what it is | passed | failed | skipped |\n|---|---|---|---|---|\n";
    let row = |host: &Host| rows.iter().find(|row| row.host.name == host.name);
    for host in HOSTS {
        text += &row(host).map_or_else(|| old_line(old, host.name), line);
    }
    let plain = row(&HOSTS[0]).map_or_else(|| old_skips(old, HOSTS[0].name), |row| skips(row, ""));
    text += "\n## Skips\n";
    for host in HOSTS {
        let known = if host.name == HOSTS[0].name { "" } else { plain.as_str() };
        let lines = row(host).map_or_else(|| old_skips(old, host.name), |row| skips(row, known));
        if !lines.is_empty() {
            text += &format!("\n**{}**\n\n{lines}", host.name);
        }
    }
    text
}

fn line(row: &Row) -> String {
    let Row { host, absent, counts, failures, .. } = row;
    let numbers = match absent {
        Some(_) => "- | - | all".into(),
        None => format!("{} | {} | {}", counts.passed + counts.xfailed, failures.len(), counts.skipped),
    };
    format!("| {} | {} | {numbers} |\n", host.name, host.about)
}

/// The reasons of a host, a line each, but those that stand among the `known` lines.
fn skips(row: &Row, known: &str) -> String {
    let is_known = |reason: &str| known.lines().any(|line| line.starts_with(&format!("* {reason} (")));
    let own = row.skipped.iter().filter(|(reason, _)| !is_known(reason));
    let own = own.map(|(reason, count)| format!("* {reason} ({count})\n"));
    row.absent.iter().map(|why| format!("* {why}\n")).chain(own).collect()
}

fn old_line(old: &str, name: &str) -> String {
    let line = old.lines().find(|line| line.starts_with(&format!("| {name} |")));
    line.map_or_else(String::new, |line| format!("{line}\n"))
}

fn old_skips(old: &str, name: &str) -> String {
    let lines = old.lines().skip_while(|line| *line != format!("**{name}**")).skip(2);
    lines.take_while(|line| line.starts_with("* ")).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::ktap::Counts;

    fn row(number: usize, absent: Option<&str>, skipped: &[(&str, usize)]) -> Row {
        let skipped = skipped.iter().map(|(reason, count)| ((*reason).to_owned(), *count));
        Row {
            host: &HOSTS[number],
            absent: absent.map(str::to_owned),
            counts: Counts { passed: 2, ..Counts::default() },
            skipped: skipped.collect::<BTreeMap<_, _>>(),
            failures: Vec::new(),
            elapsed: Duration::ZERO,
        }
    }

    #[test]
    fn each_skip_has_its_reason_and_the_plain_ones_stand_once() {
        let rows = [
            row(0, None, &[("no KVM", 1)]),
            row(1, Some("strace is not installed"), &[]),
            row(2, None, &[("no KVM", 1), ("traced", 3)]),
        ];
        let text = text(&rows, "");
        assert_eq!(text.matches("no KVM").count(), 1, "{text}");
        assert!(
            text.contains("**gdb**\n\n* traced (3)\n") && text.contains("**strace**\n\n* strace is not installed\n"),
            "{text}"
        );
        assert!(text.contains("without breakpoints | 2 | 0 | 0 |") && text.contains("| - | - | all |"), "{text}");
        // A host that runs alone leaves the others as they were.
        let later = super::text(&[row(1, None, &[("stopped", 1), ("no KVM", 1)])], &text);
        assert_eq!(
            later,
            text.replace("| - | - | all |", "| 2 | 0 | 0 |").replace("* strace is not installed", "* stopped (1)")
        );
    }
}
