//! The page with the table.

use std::path::{Path, PathBuf};
use std::thread;

use fs_err as fs;

use super::known::{HOSTS, Host};
use super::reasons;
use super::suite::Row;

const HEAD: &str = "# Hosts\n\n\
    What the short native suite gives under tracers, emulators, filters, namespaces and limits. A test that fails for\n\
    what its host refuses or hides is a skip that names the cause; why each result was skipped is below the table.\n\
    Written by `cargo run --release -- hosts --docs`, ";

const SKIPS: &str = "\n## Skips and expected failures\n\n\
    A host is named where it skips more results for a reason than the plain kernel does. `N` stands for numbers of\n\
    processes and CPUs.\n\n";

/// Where it did not run and why, between the name of a host and the rest.
const ABSENT: &str = "did not run: ";

/// Writes `test-bins/HOSTS.md` and returns its path. Hosts that did not run keep what it says of them.
pub fn write(root: &Path, rows: &[Row]) -> anyhow::Result<PathBuf> {
    let path = root.join("test-bins/HOSTS.md");
    let old = fs::read_to_string(&path).unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    // Its line: what follows names the builder.
    let line = kernel.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    let machine = format!("last on Linux {line} with {cpus} CPUs");
    fs::write(&path, text(rows, &old, &machine))?;
    Ok(path)
}

fn text(rows: &[Row], old: &str, machine: &str) -> String {
    let mut text = format!("{HEAD}{machine}.\n\n");
    text += "| host | what it is | tool | passed | failed as expected | skipped | failed |\n";
    text += "|---|---|---|---|---|---|---|\n";
    for host in HOSTS {
        let row = rows.iter().find(|row| row.host.name == host.name);
        text += &row.map_or_else(|| old_line(old, host), line);
    }
    text + &failures(rows) + SKIPS + &reasons::table(&reasons::merged(rows, old))
}

fn line(row: &Row) -> String {
    let Row { host, absent, counts, failures, tool, .. } = row;
    let tool = tool.as_deref().unwrap_or("-");
    let numbers = match absent {
        Some(why) => format!("- | - | {ABSENT}{} | -", why.replace('|', "/")),
        None => format!("{} | {} | {} | {}", counts.passed, counts.xfailed, counts.skipped, failures.len()),
    };
    format!("| {} | {} | {tool} | {numbers} |\n", host.name, host.about)
}

/// What failed, which is not to stand in the page for long.
fn failures(rows: &[Row]) -> String {
    let failed = rows.iter().flat_map(|row| row.failures.iter().map(move |line| (row.host.name, line)));
    let lines: String = failed.map(|(name, line)| format!("| {name} | {} |\n", line.replace('|', "/"))).collect();
    if lines.is_empty() { lines } else { format!("\n| host | what failed |\n|---|---|\n{lines}") }
}

fn old_line(old: &str, host: &Host) -> String {
    let line = old.lines().find(|line| line.starts_with(&format!("| {} | {} |", host.name, host.about)));
    line.map_or_else(String::new, |line| format!("{line}\n"))
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
            tool: (number > 0).then(|| "tool 1.0".to_owned()),
            absent: absent.map(str::to_owned),
            counts: Counts { passed: 2, xfailed: 1, skipped: 4, ..Counts::default() },
            skipped: skipped.collect::<BTreeMap<_, _>>(),
            failures: Vec::new(),
            elapsed: Duration::ZERO,
        }
    }

    #[test]
    fn each_skip_has_its_reason_and_equal_ones_stand_once() {
        let rows = [
            row(0, None, &[("no KVM", 1)]),
            row(1, Some("strace is not installed"), &[]),
            row(2, None, &[("no KVM", 1), ("traced by process 7: a", 3), ("traced by process 8: b", 4)]),
        ];
        let text = text(&rows, "", "last here");
        assert!(text.contains("`cargo run --release -- hosts --docs`, last here.\n"), "{text}");
        assert!(text.contains("| no KVM | plain 1 |\n| traced by process N | gdb 7 |\n"), "{text}");
        assert!(text.contains("without breakpoints | tool 1.0 | 2 | 1 | 4 | 0 |"), "{text}");
        assert!(text.contains("| tool 1.0 | - | - | did not run: strace is not installed | - |"), "{text}");
        // A host that runs alone leaves the others as they were.
        let later = super::text(&[row(1, None, &[("stopped", 1), ("no KVM", 1)])], &text, "last here");
        let expected = text.replace("| - | - | did not run: strace is not installed | - |", "| 2 | 1 | 4 | 0 |");
        let expected = expected.replace("| traced by", "| stopped | strace 1 |\n| traced by");
        assert_eq!(later, expected);
    }

    #[test]
    fn what_failed_is_named() {
        let failed = Row { failures: vec!["basic_test: exit code 1".into()], ..row(0, None, &[]) };
        assert!(
            text(&[failed], "", "")
                .contains("\n|---|---|\n| plain | basic_test: exit code 1 |\n\n## Skips and expected failures\n")
        );
    }
}
