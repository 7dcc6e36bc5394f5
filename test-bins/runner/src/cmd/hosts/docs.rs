//! The page with the table.

use std::fs;
use std::path::{Path, PathBuf};

use super::suite::Row;

const HEAD: &str = "# Hosts\n\n\
    What the short native suite gives under tracers, emulators, filters, namespaces and limits, each on one machine.\n\
    Written by `cargo run --release -- hosts --docs`. Results that fail as expected count as passed. What is skipped\n\
    under a host and not on the plain kernel is named below the table.\n\n";

/// Writes `test-bins/HOSTS.md` and returns its path.
pub fn write(root: &Path, rows: &[Row]) -> Result<PathBuf, String> {
    let path = root.join("test-bins/HOSTS.md");
    fs::write(&path, text(rows)).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

fn text(rows: &[Row]) -> String {
    let mut text = HEAD.to_owned();
    text += "| host | what it is | passed | failed | skipped |\n|---|---|---|---|---|\n";
    for Row { host, absent, counts, failures, .. } in rows {
        let passed = counts.passed + counts.xfailed;
        let numbers = match absent {
            Some(_) => "- | - | all".into(),
            None => format!("{passed} | {} | {}", failures.len(), counts.skipped),
        };
        text += &format!("| {} | {} | {numbers} |\n", host.name, host.about);
    }
    let plain = rows.iter().find(|row| row.host.name == "plain");
    text += "\n## Skips\n";
    for row in rows {
        let known = |reason: &str| plain.is_some_and(|plain| plain.skipped.contains_key(reason));
        let is_plain = row.host.name == "plain";
        let own = row.skipped.iter().filter(|(reason, _)| is_plain || !known(reason));
        let lines = own.map(|(reason, count)| format!("* {reason} ({count})\n"));
        let lines: Vec<_> = row.absent.iter().map(|why| format!("* {why}\n")).chain(lines).collect();
        if !lines.is_empty() {
            text += &format!("\n**{}**\n\n{}", row.host.name, lines.concat());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::cmd::hosts::table::HOSTS;
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
        let text = text(&rows);
        assert_eq!(text.matches("no KVM").count(), 1, "{text}");
        assert!(
            text.contains("**gdb**\n\n* traced (3)\n") && text.contains("**strace**\n\n* strace is not installed\n"),
            "{text}"
        );
        assert!(text.contains("without breakpoints | 2 | 0 | 0 |") && text.contains("| - | - | all |"), "{text}");
    }
}
