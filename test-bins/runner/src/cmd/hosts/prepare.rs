//! From a host to commands.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use fs_err as fs;

use super::group::Group;
use super::known::{Host, How};
use super::{child, criu, seccomp};
use crate::build::Binaries;
use crate::interrupt::Interrupt;
use crate::kernels::install::is_program;
use crate::scratch::Scratch;

/// Joins the group whose file stands first, and becomes the program.
const JOIN: &str = "echo $$ > \"$0\" && exec \"$@\"";
/// Puts the file that stands first over the list of possible CPUs, and becomes the program.
const FAKE: &str = "mount --bind \"$0\" /sys/devices/system/cpu/possible && exec \"$@\"";
/// The directory of the programs that have no other files.
const ROOT: &str = "root";
/// What a trial of a host may take.
const TRIAL: Duration = Duration::from_secs(20);

/// Why a host is not ready.
#[derive(Debug)]
pub enum Unprepared {
    /// It is not on this machine, or does not work here.
    Absent(anyhow::Error),
    /// What it needs of ours could not be made.
    Failed(anyhow::Error),
}

/// The control group of a host that has one.
fn group(how: How) -> anyhow::Result<Option<Group>> {
    Ok(match how {
        How::Quota => Some(Group::with_quota()?),
        How::Cpuset => Some(Group::with_changing_cpus()?),
        How::Chroot | How::PossibleCpus(_) | How::Words(_) | How::Seccomp | How::Criu => None,
    })
}

/// A host that is ready; what it set up goes away with it.
pub struct Prepared {
    how: How,
    group: Option<Group>,
    scratch: Scratch,
}

impl Prepared {
    /// Sets the host up.
    pub fn new(host: &Host, binaries: &Binaries, interrupt: &Interrupt) -> Result<Self, Unprepared> {
        let (program, package) = host.needs;
        if !program.is_empty() && !is_program(program) {
            return Err(Unprepared::Absent(anyhow!("{program} is not installed (Debian: {package})")));
        }
        let scratch = Scratch::new().map_err(Unprepared::Failed)?;
        let mut prepared = Self { how: host.how, group: None, scratch };
        prepared.fill(binaries).map_err(Unprepared::Failed)?;
        prepared.group = group(host.how).map_err(Unprepared::Absent)?;
        prepared.try_it(host, binaries, interrupt).map_err(Unprepared::Absent)?;
        Ok(prepared)
    }

    /// A program of no consequence, to see whether the host works at all.
    fn try_it(&self, host: &Host, binaries: &Binaries, interrupt: &Interrupt) -> anyhow::Result<()> {
        if host.how == How::Criu {
            return criu::check(TRIAL, interrupt);
        }
        let probe = binaries.get("probe").context("probe was not built")?;
        let mut command = self.command("probe", probe);
        complain(&mut command, interrupt)
    }

    /// Writes the files that the host needs: the programs where they are all that there is, for every user that they
    /// may become.
    fn fill(&self, binaries: &Binaries) -> anyhow::Result<()> {
        match self.how {
            How::PossibleCpus(text) => fs::write(self.scratch.join("possible"), text)?,
            How::Chroot => {
                let root = self.scratch.join(ROOT);
                fs::create_dir(&root)?;
                for (name, path) in binaries {
                    fs::copy(path, root.join(name))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The command that starts a program under the host, without the program's arguments.
    pub fn command(&self, name: &str, path: &Path) -> Command {
        match self.how {
            // One to dump and restore is started by the module for that.
            How::Words([]) | How::Criu => Command::new(path),
            How::Words([first, rest @ ..]) => {
                let mut command = Command::new(first);
                command.args(rest).arg(path);
                if *first == "rr" {
                    command.env("_RR_TRACE_DIR", self.scratch.join("rr"));
                }
                command
            }
            How::Seccomp => {
                let mut command = Command::new(path);
                let filter = seccomp::program();
                // SAFETY: between fork and exec only async-signal-safe functions may be called: the closure makes two
                // system calls with memory that was allocated before.
                unsafe { command.pre_exec(move || seccomp::install(&filter)) };
                command
            }
            How::Chroot => {
                let mut command = Command::new("chroot");
                command.arg(self.scratch.join(ROOT)).arg(format!("/{name}"));
                command
            }
            How::PossibleCpus(_) => {
                let mut command = Command::new("unshare");
                command.args(["--mount", "sh", "-c", FAKE]).arg(self.scratch.join("possible")).arg(path);
                command
            }
            How::Quota | How::Cpuset => {
                let processes = self.group.as_ref().map(Group::processes).unwrap_or_default();
                let mut command = Command::new("sh");
                command.args(["-c", JOIN]).arg(processes).arg(path);
                command
            }
        }
    }
}

/// Runs a command that has to end with 0 or 4; else its last words.
fn complain(command: &mut Command, interrupt: &Interrupt) -> anyhow::Result<()> {
    let command = std::mem::replace(command, Command::new("true"));
    let program = command.get_program().to_string_lossy().into_owned();
    let ended = child::run(command, TRIAL, interrupt).with_context(|| program)?;
    let words = ended.complaints.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it does not say why");
    ensure!(!ended.timed_out && [0, 4].contains(&ended.code), "it does not work here: {words}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::hosts::known::HOSTS;

    fn absent(host: Host, binaries: &Binaries) -> String {
        match Prepared::new(&host, binaries, &Interrupt::default()) {
            Err(Unprepared::Absent(why)) => why.to_string(),
            other => panic!("{:?}", other.err()),
        }
    }

    #[test]
    fn what_is_not_installed_or_does_not_work_is_named() {
        let none = Host { needs: ("no-such-tracer", "tracers"), ..HOSTS[0] };
        assert_eq!(absent(none, &Binaries::new()), "no-such-tracer is not installed (Debian: tracers)");
        let probe = || Binaries::from([("probe".to_owned(), "/bin/true".into())]);
        let broken = Host { how: How::Words(&["sh", "-c", "echo no counters >&2; exit 1"]), ..HOSTS[0] };
        assert_eq!(absent(broken, &probe()), "it does not work here: no counters");
        assert!(Prepared::new(&HOSTS[0], &probe(), &Interrupt::default()).is_ok());
    }
}
