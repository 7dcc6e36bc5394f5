//! How long a program's operations take: two runs, of which the second does next to none, so that start-up cancels out.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// Repetitions of the run that shows what start-up costs: the fewest that the kernel's param_test takes.
const FEWEST: u64 = 10;

/// Seconds.
#[derive(Debug, Clone, Copy)]
pub struct Seconds {
    /// By the clock.
    pub wall: f64,
    /// Of processor time, all threads together.
    pub cpu: f64,
}

/// A param_test and the options of one mode.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its file.
    pub path: PathBuf,
    /// All options but the repetitions.
    pub options: Vec<String>,
}

impl Program {
    /// The time of `repetitions` operations a thread, without start-up.
    pub fn time(&self, repetitions: u64) -> anyhow::Result<Seconds> {
        let (long, short) = (self.run(repetitions)?, self.run(FEWEST)?);
        // At least a microsecond: processor time may be counted in ticks.
        let less = |long: f64, short: f64| (long - short).max(1e-6);
        Ok(Seconds { wall: less(long.wall, short.wall), cpu: less(long.cpu, short.cpu) })
    }

    fn run(&self, repetitions: u64) -> anyhow::Result<Seconds> {
        let name = self.path.display();
        let before = children()?;
        let start = Instant::now();
        let mut command = Command::new(&self.path);
        command.args(&self.options).arg("-r").arg(repetitions.to_string());
        let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {name}"))?;
        let wall = start.elapsed().as_secs_f64();
        let cpu = processor_time(&children()?) - processor_time(&before);
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{name} {:?}: {}, {}{}", self.options, output.status, said.trim(), hint(&said));
        }
        Ok(Seconds { wall, cpu })
    }
}

/// What to do where a program says that it could not register.
fn hint(said: &str) -> &'static str {
    let said = said.to_lowercase();
    match said.contains("rseq") || said.contains("regist") {
        true => " (one that registers rseq itself needs GLIBC_TUNABLES=glibc.pthread.rseq=0)",
        false => "",
    }
}

/// What this process's children that have ended used.
fn children() -> anyhow::Result<Usage> {
    getrusage(UsageWho::RUSAGE_CHILDREN).context("getrusage")
}

fn processor_time(usage: &Usage) -> f64 {
    seconds(usage.user_time()) + seconds(usage.system_time())
}

fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::hint;

    #[test]
    fn only_a_registration_that_failed_gets_the_hint() {
        let refused = "Error: rseq_register_current_thread(...) failed(22): Invalid argument";
        assert!(hint(refused).contains("GLIBC_TUNABLES"));
        assert_eq!(hint("unknown option -T"), "");
    }
}
