//! apt for another architecture and another suite, with lists and state of its own.
//!
//! apt checks the suite's signature, and every index and package against it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use super::mirror::KEYRING;

const ATTEMPTS: u32 = 3;
/// Every kernel package of a suite.
const KERNELS: &str = "^linux-(image|binary|modules)-[0-9]";

/// One architecture of one suite.
#[derive(Debug)]
pub struct Apt {
    directory: PathBuf,
    what: String,
}

impl Apt {
    /// Prepares the state in `directory`, which belongs to this alone.
    pub fn new(directory: PathBuf, debian: &str, suite: &str, mirror: &str) -> Result<Self, String> {
        let apt = Self { what: format!("{suite} for {debian}"), directory };
        let write = || -> std::io::Result<()> {
            for below in ["lists/partial", "cache/archives/partial", "parts"] {
                fs::create_dir_all(apt.directory.join(below))?;
            }
            let source = format!("deb [arch={debian} signed-by={KEYRING}] {mirror} {suite} main\n");
            fs::write(apt.directory.join("sources.list"), source)?;
            fs::write(apt.directory.join("status"), "")?;
            fs::write(apt.configuration(), configuration(&apt.directory, debian))
        };
        write().map_err(|error| format!("{}: {error}", apt.directory.display()))?;
        Ok(apt)
    }

    fn configuration(&self) -> PathBuf {
        self.directory.join("apt.conf")
    }

    /// Gets the suite's lists.
    pub fn update(&self) -> Result<(), String> {
        self.retried(|| self.run("apt-get", &["update"], &self.directory)).map(drop)
    }

    /// The names of its kernel packages.
    pub fn kernels(&self) -> Result<Vec<String>, String> {
        let output = self.run("apt-cache", &["search", "--names-only", KERNELS], &self.directory)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
    }

    /// Gets packages into `into`; what is there whole already is not fetched again.
    pub fn download(&self, packages: &[&str], into: &Path) -> Result<(), String> {
        let words: Vec<_> = ["download"].iter().chain(packages).copied().collect();
        self.retried(|| self.run("apt-get", &words, into)).map(drop)
    }

    fn retried<T>(&self, attempt: impl Fn() -> Result<T, String>) -> Result<T, String> {
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

    fn run(&self, program: &str, words: &[&str], directory: &Path) -> Result<Output, String> {
        let mut command = Command::new(program);
        command.arg("-c").arg(self.configuration()).args(words).current_dir(directory);
        let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{program}: {error}"))?;
        if output.status.success() {
            return Ok(output);
        }
        Err(format!("{program} {} ({}): {}", words[0], self.what, complaint(&output.stderr)))
    }
}

/// apt's settings. The hooks of this system's own apt are left out: they clean up behind installs.
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

    #[test]
    fn the_first_error_is_what_is_shown() {
        let stderr = b"W: a warning\nE: Failed to fetch x  404  Not Found\nE: Unable to fetch some archives\n";
        assert_eq!(complaint(stderr), "Failed to fetch x  404  Not Found");
        assert_eq!(complaint(b""), "it does not say why");
    }
}
