//! Where this system gets Debian's packages from, so that kernels come from there too.

use std::path::Path;

use anyhow::Context;
use fs_err as fs;

use super::cache::names;

/// The keyring that Debian's suites are signed with.
pub const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const SOURCES: &str = "/etc/apt";

/// The address of a mirror with all of Debian's suites, by this system's own sources.
pub fn of_this_system() -> anyhow::Result<String> {
    let directory = Path::new(SOURCES);
    let mut files = vec![directory.join("sources.list")];
    files.extend(
        names(&directory.join("sources.list.d")).iter().map(|name| directory.join("sources.list.d").join(name)),
    );
    let found = files.iter().find_map(|path| in_sources(&fs::read_to_string(path).ok()?));
    found.context("no Debian mirror in /etc/apt/sources.list*: give one with --mirror URI")
}

/// The first address of Debian's main archive in a sources file of either format.
fn in_sources(text: &str) -> Option<String> {
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with("URIs:") || line.starts_with("deb "));
    let mut words = lines.flat_map(str::split_whitespace);
    words.find(|word| is_archive(word)).map(|word| word.trim_end_matches('/').to_owned())
}

fn is_archive(word: &str) -> bool {
    word.contains("://") && word.trim_end_matches('/').ends_with("/debian")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_read() {
        let new = "Types: deb\n# http://old.example/debian\nURIs: http://mirror.example/debian/\nSuites: bookworm\n";
        assert_eq!(in_sources(new).as_deref(), Some("http://mirror.example/debian"));
        let old = "# deb http://no.example/debian x main\ndeb [arch=amd64] https://a.example/debian bookworm main\n";
        assert_eq!(in_sources(old).as_deref(), Some("https://a.example/debian"));
    }

    #[test]
    fn other_archives_are_not_taken() {
        let security = "Types: deb\nURIs: http://mirror.example/debian-security\n";
        assert_eq!(in_sources(security), None);
        assert_eq!(in_sources("deb http://archive.example/ubuntu noble main\n"), None);
    }
}
