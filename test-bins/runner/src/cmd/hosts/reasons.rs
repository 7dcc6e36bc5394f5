//! Why results are skipped under the hosts: a line for each kind of reason.

use std::collections::BTreeMap;

use super::known::HOSTS;
use super::suite::Row;

/// The words by which a test names what its host refuses or hides, before what went wrong for that
/// (`harness/src/host.rs`).
const HINDRANCES: &[&str] =
    &["traced by process ", " is refused here (", " is not among the possible ones", "emulated by ", " may use change"];

/// How many results each host skipped for each kind of reason.
pub type Reasons = BTreeMap<String, BTreeMap<String, usize>>;

/// A reason without what differs from result to result, and from machine to machine.
pub fn kind(reason: &str) -> String {
    let hindrance = reason.split(": ").next().filter(|words| HINDRANCES.iter().any(|known| words.contains(known)));
    let words = hindrance.unwrap_or(reason).replace('|', "/");
    let is_counted = hindrance.is_some() || reason.contains("counts are lost");
    words
        .split(' ')
        .map(|word| if is_counted { numberless(word) } else { pathless(word) })
        .collect::<Vec<_>>()
        .join(" ")
}

/// `N` for a number, with what follows it.
fn numberless(word: &str) -> String {
    let rest = word.trim_start_matches(|character: char| character.is_ascii_digit());
    let is_number = rest.len() < word.len() && rest.bytes().all(|byte| byte.is_ascii_punctuation());
    if is_number { format!("N{rest}") } else { word.to_owned() }
}

/// The file's name alone for a quoted path.
fn pathless(word: &str) -> String {
    match word.strip_prefix("\"/").and_then(|path| path.rsplit_once('/')) {
        Some((_, name)) => format!("\"{name}"),
        None => word.to_owned(),
    }
}

/// Those of these rows, and for other hosts those that the page has.
pub fn merged(rows: &[Row], old: &str) -> Reasons {
    let is_new = |name: &str| rows.iter().any(|row| row.host.name == name);
    let mut all = Reasons::new();
    for (kind, name, count) in old.lines().flat_map(read).filter(|(_, name, _)| !is_new(name)) {
        all.entry(kind.to_owned()).or_default().insert(name.to_owned(), count);
    }
    for row in rows {
        for (reason, count) in &row.skipped {
            *all.entry(kind(reason)).or_default().entry(row.host.name.to_owned()).or_default() += count;
        }
    }
    all
}

/// What a line says: kind, host, results.
fn read(line: &str) -> Vec<(&str, &str, usize)> {
    let cells = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")?.split_once(" | "));
    let Some((kind, hosts)) = cells else { return Vec::new() };
    hosts.split(", ").filter_map(counted).map(|(name, count)| (kind, name, count)).collect()
}

/// A host and its number of results.
fn counted(words: &str) -> Option<(&str, usize)> {
    let (name, count) = words.rsplit_once(' ')?;
    HOSTS.iter().any(|host| host.name == name).then_some((name, count.parse().ok()?))
}

/// The table. A host stands where it skips more than the plain kernel, which is the first.
pub fn table(reasons: &Reasons) -> String {
    let plain = HOSTS[0].name;
    let mut text = "| why | results |\n|---|---|\n".to_owned();
    for (kind, hosts) in reasons {
        let known = hosts.get(plain).copied().unwrap_or_default();
        let count = |name: &str| hosts.get(name).copied().filter(|count| *count > known || name == plain);
        let named = HOSTS.iter().filter_map(|host| Some(format!("{} {}", host.name, count(host.name)?)));
        text += &format!("| {kind} | {} |\n", named.collect::<Vec<_>>().join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_one_kind_differ_in_numbers_and_in_what_failed_for_them() {
        assert_eq!(kind("traced by process 4711: signal 5, expected EPERM (1)"), "traced by process N");
        assert_eq!(kind("fork is refused here (EPERM (1)): signal 5"), "fork is refused here (EPERM (1))");
        assert_eq!(kind("CPU 12 is not among the possible ones: 3 lost"), "CPU N is not among the possible ones");
        assert_eq!(kind("traced by process 18, which stops it"), "traced by process N, which stops it");
        assert_eq!(kind("no uprobe in \"/a/b/uprobe_test\": EPERM (1)"), "no uprobe in \"uprobe_test\": EPERM (1)");
        assert_eq!(kind("the CPUs that this thread may use change: x"), "the CPUs that this thread may use change");
        assert_eq!(kind("1 of 36 counts are lost: a cause"), "N of N counts are lost: a cause");
        assert_eq!(kind("no nodes in sysfs: ENOENT (2)"), "no nodes in sysfs: ENOENT (2)");
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let counts = |list: &[(&str, usize)]| list.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let reasons = Reasons::from([
            ("one node only".to_owned(), counts(&[("plain", 1), ("gdb", 3)])),
            ("traced by process N".to_owned(), counts(&[("gdb", 2), ("strace", 40)])),
        ]);
        let text = table(&reasons);
        assert!(text.contains("| one node only | plain 1, gdb 3 |\n"), "{text}");
        assert!(text.contains("| traced by process N | strace 40, gdb 2 |\n"), "{text}");
        assert_eq!(merged(&[], &text), reasons);
    }
}
