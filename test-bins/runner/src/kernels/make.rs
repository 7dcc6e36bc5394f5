//! Runs the kernel's own build: configuration, image, release.

use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use fs_err::{self as fs, File};

use super::recipe::Recipe;

/// Between two lines of progress where they cannot overwrite each other.
const PAUSE: Duration = Duration::from_secs(20);

/// One build.
#[derive(Debug)]
pub struct Make<'a> {
    /// The source tree.
    pub tree: &'a Path,
    /// Where objects go.
    pub output: PathBuf,
    /// What make printed.
    pub log: PathBuf,
    /// Commands at a time.
    pub jobs: u32,
}

impl Make<'_> {
    fn command(&self, words: &[&str]) -> Command {
        let mut make = Command::new("make");
        make.arg("-C").arg(self.tree).arg(format!("O={}", self.output.display())).args(words);
        // Flags of a make or a cargo that this runs under are not for it.
        make.env_remove("MAKEFLAGS").env_remove("MFLAGS").env_remove("CARGO_MAKEFLAGS").env("LC_ALL", "C");
        make.stdin(Stdio::null());
        make
    }

    /// The smallest configuration, and the recipe's fragment on top; fails where the kernel does not take all of it.
    pub fn configure(&self, recipe: &Recipe) -> anyhow::Result<()> {
        fs::create_dir_all(&self.output)?;
        self.quiet("tinyconfig")?;
        let path = self.output.join(".config");
        // Of two values of one option, the later one counts.
        fs::write(&path, format!("{}{}", fs::read_to_string(&path)?, recipe.fragment))?;
        self.quiet("olddefconfig")?;
        match recipe.unmet(&fs::read_to_string(&path)?).as_slice() {
            [] => Ok(()),
            unmet => bail!("this source does not take {}", unmet.join(", ")),
        }
    }

    fn quiet(&self, target: &str) -> anyhow::Result<()> {
        let output = self.command(&["-s", target]).output().context("make")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "make {target} failed:\n{}", complaint.trim_end());
        Ok(())
    }

    /// Makes `target`, with progress on stderr.
    pub fn build(&self, target: &str) -> anyhow::Result<()> {
        let mut log = File::create(&self.log)?;
        let mut make = self.command(&[&format!("-j{}", self.jobs), target]);
        make.stdout(Stdio::piped()).stderr(log.try_clone()?.into_file());
        let mut make = make.spawn().context("make")?;
        let mut progress = Progress::new(self.jobs);
        for line in make.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
            let line = line.unwrap_or_default();
            writeln!(log, "{line}")?;
            progress.line(&line);
        }
        let status = make.wait().context("make")?;
        progress.end();
        ensure!(status.success(), "make {target} failed ({status}):\n{}", self.last_lines());
        Ok(())
    }

    fn last_lines(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<_> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(15)..].join("\n");
        format!("{last}\n(all of it: {})", self.log.display())
    }

    /// As `uname -r` will say.
    pub fn release(&self) -> anyhow::Result<String> {
        let output = self.command(&["-s", "--no-print-directory", "kernelrelease"]).output();
        let output = output.context("make")?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        ensure!(output.status.success() && !text.is_empty(), "make kernelrelease failed");
        Ok(text)
    }
}

/// How far make has come: its commands, counted and timed.
struct Progress {
    began: Instant,
    shown: Instant,
    commands: u32,
    overwrites: bool,
}

impl Progress {
    fn new(jobs: u32) -> Self {
        note!("building with {jobs} commands at a time: about 15 minutes of one CPU");
        let now = Instant::now();
        Self { began: now, shown: now, commands: 0, overwrites: io::stderr().is_terminal() }
    }

    fn line(&mut self, line: &str) {
        let Some(what) = command(line) else { return };
        self.commands += 1;
        let due = if self.overwrites { Duration::from_millis(200) } else { PAUSE };
        if self.shown.elapsed() >= due {
            self.shown = Instant::now();
            self.show(what);
        }
    }

    fn show(&self, what: &str) {
        let (end, seconds) = (if self.overwrites { "\x1b[K\r" } else { "\n" }, self.began.elapsed().as_secs());
        // With stderr closed, the message has no reader.
        let _ = write!(io::stderr(), "  {} commands in {seconds} s: {what}{end}", self.commands);
    }

    fn end(&self) {
        note!("  {} commands in {} s", self.commands, self.began.elapsed().as_secs());
    }
}

/// What one of make's lines such as `  CC      kernel/fork.o` works on.
fn command(line: &str) -> Option<&str> {
    let (verb, what) = line.strip_prefix("  ")?.split_once(' ')?;
    (!verb.is_empty() && verb.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')).then(|| what.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_other_lines() {
        assert_eq!(command("  CC      kernel/fork.o"), Some("kernel/fork.o"));
        assert_eq!(command("  HOSTLD  scripts/kconfig/conf"), Some("scripts/kconfig/conf"));
        assert_eq!(command("make[1]: Entering directory '/x'"), None);
        assert_eq!(command("Kernel: arch/x86/boot/bzImage is ready  (#1)"), None);
        assert_eq!(command(""), None);
    }
}
