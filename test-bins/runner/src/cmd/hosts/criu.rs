//! Checkpoint and restore: a program is dumped with threads inside of sections, ends, and goes on from the images.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use fs_err as fs;
use fs_err::File;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::child::{self, Ended};
use crate::interrupt::Interrupt;
use crate::kernels::version::Version;
use crate::scratch::Scratch;
use crate::tool;

/// The program, which checks its sums.
pub const PROGRAM: &str = "param_test";
/// Operations of eight threads, each with a delay in its section, so that threads are there when they are dumped.
pub const RUNS: &[&[&str]] = &[
    &["-T", "l", "-t", "8", "-r", "5000", "-3", "100000"],
    &["-T", "i", "-t", "8", "-r", "5000", "-2", "100000"],
    &["-T", "s", "-t", "8", "-r", "5000", "-3", "100000"],
];
/// The first that moves every thread out of its section, and not only the first thread of a process.
const FIRST: &str = "3.18";
/// How long a program works before it is dumped.
const HEAD_START: Duration = Duration::from_millis(500);
/// What CRIU writes of each thread that it moves to its abort handler.
const MOVED: &str = "task is in rseq critical section";

/// Fails where CRIU does not work, or loses updates by itself.
pub fn check(limit: Duration, interrupt: &Interrupt) -> anyhow::Result<()> {
    let version = tool::version("criu").context("criu does not say its version")?;
    let is_old = Version::of(&version) < Version::of(FIRST);
    ensure!(!is_old, "criu {version} leaves threads inside of sections, which then lose updates: {FIRST} is needed");
    let mut command = Command::new("criu");
    command.arg("check");
    criu(command, limit, interrupt).map(drop)
}

/// Runs the program with these arguments, dumps it, restores it, and returns how it ended, and how many threads were
/// inside of sections.
pub fn cycle(
    program: &Path,
    arguments: &[&str],
    limit: Duration,
    interrupt: &Interrupt,
) -> anyhow::Result<(Ended, usize)> {
    let scratch = Scratch::new()?;
    let output = scratch.join("output");
    let file = File::create(&output)?.into_parts().0;
    // CRIU restores sessions whole: the program gets one of its own.
    let mut setsid = Command::new("setsid");
    setsid.arg(program).args(arguments).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let mut started = Started(setsid.spawn().context("setsid")?);
    thread::sleep(HEAD_START);
    ensure!(started.0.try_wait()?.is_none(), "it ended before it was dumped: {}", fs::read_to_string(&output)?);
    let images = |action: &str, log: &str| {
        let mut command = Command::new("criu");
        command.args([action, "-v4", "-o", log, "-D"]).arg(&*scratch);
        command
    };
    let mut dump = images("dump", "dump.log");
    dump.arg("-t").arg(started.0.id().to_string());
    criu(dump, limit, interrupt).with_context(|| last_error(&scratch.join("dump.log")))?;
    // Its number is free again once it has been waited for.
    started.0.wait()?;
    let moved = fs::read_to_string(scratch.join("dump.log"))?.matches(MOVED).count();
    let restored = criu(images("restore", "restore.log"), limit, interrupt);
    if restored.is_err() {
        // It has its number again, in a session of its own, where the end of criu does not end it.
        let _ = kill(Pid::from_raw(started.0.id().cast_signed()), Signal::SIGKILL);
    }
    let mut ended = restored.with_context(|| last_error(&scratch.join("restore.log")))?;
    ended.output = fs::read_to_string(&output)?;
    Ok((ended, moved))
}

/// A program that does not outlive an error.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn criu(command: Command, limit: Duration, interrupt: &Interrupt) -> anyhow::Result<Ended> {
    let ended = child::run(command, limit, interrupt).context("criu")?;
    let words = ended.complaints.lines().map(str::trim).rfind(|line| line.contains("Error"));
    ensure!(!ended.timed_out, "criu did not end within {} s", limit.as_secs());
    if ended.code != 0 {
        bail!("criu does not work here: {}", words.unwrap_or("it does not say why"));
    }
    Ok(ended)
}

fn last_error(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines().find(|line| line.contains("Error")).unwrap_or("no error in its log").to_owned()
}
