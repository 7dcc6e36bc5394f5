//! apt for another architecture and another suite, with lists and state of its own.
//!
//! apt checks the suite's signature, and every index and package against it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use fs_err as fs;

use super::cache;
use super::mirror::KEYRING;

const ATTEMPTS: u32 = 3;
/// Every kernel package of a suite.
const KERNELS: &str = "^linux-(image|binary|modules)-[0-9]";

/// Gets a file, going on where an earlier try ended, and checks it.
const HELPER: &str = "/usr/lib/apt/apt-helper";

/// A file on a mirror, as apt's signed lists have it.
#[derive(Debug, PartialEq, Eq)]
struct Remote {
    address: String,
    name: String,
    /// Such as `SHA256:` and the digits.
    hash: String,
}

impl Remote {
    /// A line of `--print-uris`.
    fn read(line: &str) -> Option<Self> {
        let (address, rest) = line.strip_prefix('\'')?.split_once("' ")?;
        let [name, _size, hash] = rest.split_whitespace().collect::<Vec<_>>().try_into().ok()?;
        Some(Self { address: address.into(), name: name.into(), hash: hash.into() })
    }

    /// Whether all of it is there.
    fn is_in(&self, directory: &Path) -> bool {
        let found = cache::digest(&directory.join(&self.name));
        found.is_ok_and(|found| self.hash.strip_prefix("SHA256:") == Some(&found))
    }
}

/// One architecture of one suite.
#[derive(Debug)]
pub struct Apt {
    directory: PathBuf,
    what: String,
}

impl Apt {
    /// Prepares the state in `directory`, which belongs to this alone.
    pub fn new(directory: PathBuf, debian: &str, suite: &str, mirror: &str) -> anyhow::Result<Self> {
        let apt = Self { what: format!("{suite} for {debian}"), directory };
        for below in ["lists/partial", "cache/archives/partial", "parts"] {
            fs::create_dir_all(apt.directory.join(below))?;
        }
        let source = format!("deb [arch={debian} signed-by={KEYRING}] {mirror} {suite} main\n");
        fs::write(apt.directory.join("sources.list"), source)?;
        fs::write(apt.directory.join("status"), "")?;
        fs::write(apt.configuration(), configuration(&apt.directory, debian))?;
        Ok(apt)
    }

    fn configuration(&self) -> PathBuf {
        self.directory.join("apt.conf")
    }

    /// Gets the suite's lists.
    pub fn update(&self) -> anyhow::Result<()> {
        self.retried(|| self.run("apt-get", &["update"], &self.directory)).map(drop)
    }

    /// The names of its kernel packages.
    pub fn kernels(&self) -> anyhow::Result<Vec<String>> {
        let output = self.run("apt-cache", &["search", "--names-only", KERNELS], &self.directory)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
    }

    /// Gets packages into `into`; what is there whole already is not fetched again, and of others only what is missing.
    pub fn download(&self, packages: &[&str], into: &Path) -> anyhow::Result<()> {
        // Not by `apt-get download` alone: it removes what is there in part, also where it only names the files.
        let words: Vec<_> = ["download", "--print-uris"].iter().chain(packages).copied().collect();
        let listed = self.run("apt-get", &words, &self.directory)?;
        let files: Vec<_> = String::from_utf8_lossy(&listed.stdout).lines().filter_map(Remote::read).collect();
        ensure!(files.len() == packages.len(), "apt-get names {} files for {}", files.len(), packages.join(" "));
        let get =
            |file: &Remote| self.run(HELPER, &["download-file", &file.address, &file.name, &file.hash], into).map(drop);
        files.iter().filter(|file| !file.is_in(into)).try_for_each(|file| self.retried(|| get(file)))
    }

    fn retried<T>(&self, attempt: impl Fn() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let mut last = attempt();
        for pause in 1..ATTEMPTS {
            if last.is_ok() {
                break;
            }
            thread::sleep(Duration::from_secs(u64::from(pause)));
            last = attempt();
        }
        last
    }

    fn run(&self, program: &str, words: &[&str], directory: &Path) -> anyhow::Result<Output> {
        let mut command = Command::new(program);
        command.arg("-c").arg(self.configuration()).args(words).current_dir(directory);
        let output = command.stdin(Stdio::null()).output().with_context(|| program.to_owned())?;
        if output.status.success() {
            return Ok(output);
        }
        bail!("{program} {} ({}): {}", words[0], self.what, complaint(&output.stderr))
    }
}

/// apt's settings. The hooks of this system's own apt are left out: they clean up after installs.
fn configuration(directory: &Path, debian: &str) -> String {
    let directory = directory.display();
    format!(
        "#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n#clear APT::Architectures;\n\
         APT::Architecture \"{debian}\";\nAPT::Architectures {{ \"{debian}\"; }};\nAPT::Sandbox::User \"root\";\n\
         Dir::Etc::SourceList \"{directory}/sources.list\";\nDir::Etc::SourceParts \"{directory}/parts\";\n\
         Dir::State::Lists \"{directory}/lists\";\nDir::State::status \"{directory}/status\";\n\
         Dir::Cache \"{directory}/cache\";\nDir::Cache::pkgcache \"\";\nDir::Cache::srcpkgcache \"\";\n\
         Acquire::Languages \"none\";\nAcquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
         Acquire::Retries \"2\";\nDebug::NoLocking \"1\";\n"
    )
}

/// apt's own words for what went wrong, on one line.
fn complaint(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let errors: Vec<_> = text.lines().filter(|line| line.starts_with("E: ")).map(|line| &line[3..]).collect();
    match errors.first() {
        Some(first) => first.trim().to_owned(),
        None => text.lines().next_back().unwrap_or("it does not say why").trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_file_is_there_if_its_hash_says_so() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let remote = Remote::read(&format!("'http://mirror/pool/a%2bb.deb' a+b.deb 0 SHA256:{empty}")).unwrap();
        assert_eq!((remote.address.as_str(), remote.name.as_str()), ("http://mirror/pool/a%2bb.deb", "a+b.deb"));
        let directory = Scratch::new().unwrap();
        assert!(!remote.is_in(&directory));
        fs::write(directory.join("a+b.deb"), "").unwrap();
        assert!(remote.is_in(&directory));
        fs::write(directory.join("a+b.deb"), "x").unwrap();
        assert!(!remote.is_in(&directory));
        assert_eq!(Remote::read("Reading package lists..."), None);
    }

    #[test]
    fn the_first_error_is_what_is_shown() {
        let stderr = b"W: a warning\nE: Failed to fetch x  404  Not Found\nE: Unable to fetch some archives\n";
        assert_eq!(complaint(stderr), "Failed to fetch x  404  Not Found");
        assert_eq!(complaint(b""), "it does not say why");
    }
}
