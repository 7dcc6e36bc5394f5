//! One run of QEMU: its console is read and kept, and it is ended in time.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Context;
use fs_err::File;

use super::console::Console;
use crate::interrupt::Interrupt;
use crate::process::{self, Follow, Stream};
use crate::verdict::{Ending, Reach};

/// What a guest gets to power off once it is done; some boards cannot.
const POWER_OFF: Duration = Duration::from_secs(2);
/// What a panicking kernel gets to print why.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// When a guest counts as hung.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From start to end.
    pub total: Duration,
    /// Without any output, until our first line.
    pub boot: Duration,
    /// Without any output, from then on.
    pub silent: Duration,
}

/// Why the guest is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It said that it was done.
    Done,
    /// Its kernel panicked; the kernel's words.
    Panic(String),
    /// Its kernel panicked because QEMU had run code that was no longer there: a fault of QEMU's.
    OldCode,
    /// QEMU ended before the guest was done; its status, and its complaint.
    Gone(String),
    /// It was too slow in all.
    TimedOut(Duration),
    /// It was silent for too long.
    Silent(Duration),
    /// The user wanted an end.
    Interrupted,
}

impl End {
    /// What a verdict needs of it; `code` is that of the first process, where that is a test.
    pub fn ending(&self, code: Option<i32>) -> Ending {
        let (reach, fault) = match self {
            Self::Done => (Reach::Whole, None),
            Self::Panic(words) => (Reach::Broken, Some(format!("the kernel panicked: {words}"))),
            Self::OldCode => {
                let words = "QEMU ran an int3 that the kernel had taken away, at which it panicked";
                (Reach::CutOff, Some(words.into()))
            }
            Self::Gone(status) => (Reach::Broken, Some(format!("QEMU ended before the guest was done ({status})"))),
            Self::TimedOut(after) => {
                (Reach::CutOff, Some(format!("not done after {:.0} s: ended", after.as_secs_f64())))
            }
            Self::Silent(after) => (Reach::CutOff, Some(format!("silent for {:.0} s: ended", after.as_secs_f64()))),
            Self::Interrupted => (Reach::Broken, Some("interrupted".into())),
        };
        Ending { reach, fault, code }
    }
}

/// A guest that has ended.
#[derive(Debug)]
pub struct Finished {
    /// How.
    pub end: End,
    /// What its console said.
    pub console: Console,
    /// Seconds until our first line.
    pub booted: Option<f64>,
    /// Seconds in all.
    pub seconds: f64,
}

impl Finished {
    /// What may help, where nothing came from a guest that was to boot.
    pub fn advice(&self) -> Option<&'static str> {
        let never_spoke = matches!(self.end, End::Silent(_)) && self.booted.is_none();
        never_spoke.then_some(
            "no test began; the host may be busy: --timeout SECONDS, which bounds the whole run, lets a guest boot for \
             longer",
        )
    }
}

/// Starts QEMU and returns when it has ended; the console goes to `log`, with the command line first.
///
/// `progress` hears how long it has run, and how many results there are.
pub fn run(
    command: Command,
    log: &Path,
    limits: Limits,
    interrupt: &Interrupt,
    progress: &dyn Fn(Duration, usize),
) -> anyhow::Result<Finished> {
    let mut file = File::create(log)?;
    writeln!(file, "{command:?}")?;
    let program = command.get_program().to_string_lossy().into_owned();
    let mut watch = Watch {
        file,
        interrupt,
        progress,
        heard: false,
        last: Duration::ZERO,
        console: Console::default(),
        complaints: Vec::new(),
        booted: None,
        due: None,
        limits,
    };
    let start = Instant::now();
    let finished = process::follow(command, &mut watch).with_context(|| program)?;
    let end = match finished.stopped {
        // All that it printed has been read only now.
        Some(End::TimedOut(_) | End::Silent(_)) if watch.console.is_over() => watch.said(),
        Some(end) => end,
        None => watch.gone(finished.status),
    };
    let booted = watch.booted.map(|booted| (booted - start).as_secs_f64());
    Ok(Finished { end, console: watch.console, booted, seconds: start.elapsed().as_secs_f64() })
}

struct Watch<'a> {
    /// The console and QEMU's complaints.
    file: File,
    interrupt: &'a Interrupt,
    progress: &'a dyn Fn(Duration, usize),
    /// Whether it has printed something since the last look.
    heard: bool,
    /// The last look before which it had.
    last: Duration,
    console: Console,
    /// What QEMU itself said.
    complaints: Vec<u8>,
    booted: Option<Instant>,
    /// When to stop waiting for a guest that has nothing more to say.
    due: Option<Instant>,
    limits: Limits,
}

impl Follow for Watch<'_> {
    type Stop = End;

    fn output(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        if stream == Stream::Err {
            self.complaints.extend(bytes);
            return Ok(());
        }
        let now = Instant::now();
        self.heard = true;
        self.console.feed(bytes);
        if self.console.started {
            self.booted.get_or_insert(now);
        }
        if self.due.is_none() && (self.console.done || self.console.panic.is_some()) {
            let wait = if self.console.done { POWER_OFF } else { LAST_WORDS };
            self.due = Some(now + wait);
        }
        Ok(())
    }

    fn poll(&mut self, total: Duration) -> io::Result<Option<End>> {
        (self.progress)(total, self.console.results());
        if std::mem::take(&mut self.heard) {
            self.last = total;
        }
        let silent = total.saturating_sub(self.last);
        Ok(match self.due {
            _ if self.interrupt.requested() => Some(End::Interrupted),
            Some(due) => (Instant::now() >= due).then(|| self.said()),
            None if total > self.limits.total => Some(End::TimedOut(total)),
            None if silent > self.patience() => Some(End::Silent(silent)),
            None => None,
        })
    }
}

impl Watch<'_> {
    fn patience(&self) -> Duration {
        if self.booted.is_none() { self.limits.boot } else { self.limits.silent }
    }

    fn said(&self) -> End {
        match self.console.panicked() {
            Some(_) if !self.console.done && self.console.ran_old_code => End::OldCode,
            Some(words) if !self.console.done => End::Panic(words.to_owned()),
            _ => End::Done,
        }
    }

    fn gone(&self, status: ExitStatus) -> End {
        if self.console.is_over() {
            return self.said();
        }
        let complaints = String::from_utf8_lossy(&self.complaints);
        End::Gone(match complaints.lines().map(str::trim).rfind(|line| !line.is_empty()) {
            Some(line) => format!("{status}: {line}"),
            None => status.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn ran(script: &str, limits: [u64; 3]) -> Finished {
        ran_with(script, limits, &|_, _| {})
    }

    fn ran_with(script: &str, limits: [u64; 3], progress: &dyn Fn(Duration, usize)) -> Finished {
        let scratch = Scratch::new().unwrap();
        let log = scratch.join("log");
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let [total, boot, silent] = limits.map(Duration::from_millis);
        let limits = Limits { total, boot, silent };
        let finished = run(command, &log, limits, &Interrupt::default(), progress).unwrap();
        let kept = std::fs::read_to_string(&log).unwrap();
        assert!(kept.starts_with("\"sh\""), "{kept}");
        finished
    }

    /// The end of a guest that is followed by a process which is stopped at its first look.
    fn ran_while_stopped(script: &str, limits: [u64; 3], milliseconds: u64) -> End {
        let stopped = std::cell::Cell::new(false);
        let progress = |_, _| {
            if !stopped.replace(true) {
                std::thread::sleep(Duration::from_millis(milliseconds));
            }
        };
        ran_with(script, limits, &progress).end
    }

    #[test]
    fn a_guest_is_not_to_blame_for_a_runner_that_is_stopped() {
        let scripts = [format!("{CHATTY}; {DONE}"), format!("sleep 3.2; {DONE}")];
        std::thread::scope(|scope| {
            for limits in [[2000, 60_000, 60_000], [60_000, 2000, 60_000]] {
                for script in &scripts {
                    scope.spawn(move || assert_eq!(ran_while_stopped(script, limits, 2500), End::Done, "{limits:?}"));
                }
            }
        });
    }

    #[test]
    fn what_was_printed_and_not_read_at_a_deadline_counts() {
        let panic = "echo '[    1.5] Kernel panic - not syncing: x'";
        for (last, end) in [(DONE, End::Done), (panic, End::Panic("x".into()))] {
            let script = format!("{CHATTY}; {last}; exec sleep 100");
            assert_eq!(ran_while_stopped(&script, [500, 60_000, 60_000], 900), end);
        }
    }

    /// Prints in many pieces, not at once.
    const CHATTY: &str = "sleep 0.3; i=0; while [ $i -lt 200 ]; do echo x; i=$((i + 1)); done";
    const DONE: &str = "echo KTAP version 1; echo 1..1; echo ok 1 a; echo '# guest: done'";

    #[test]
    fn a_guest_that_is_done_is_done_even_if_it_cannot_power_off() {
        let finished = ran(&format!("{DONE}; exec sleep 100"), [60_000; 3]);
        assert_eq!(finished.end, End::Done);
        assert!(finished.booted.is_some() && finished.seconds < 30.0);
        assert_eq!(finished.console.finish().counts().passed, 1);
    }

    #[test]
    fn a_hung_guest_is_ended() {
        let finished = ran("echo KTAP version 1; exec sleep 100", [60_000, 60_000, 500]);
        assert!(matches!(finished.end, End::Silent(_)) && finished.advice().is_none(), "{:?}", finished.end);
        let silent = ran("echo SeaBIOS; exec sleep 100", [60_000, 500, 60_000]);
        assert!(matches!(silent.end, End::Silent(_)) && silent.booted.is_none(), "{:?}", silent.end);
        assert!(silent.advice().unwrap().contains("--timeout SECONDS"));
        let endless = ran("while :; do echo x; sleep 0.05; done", [700, 60_000, 60_000]);
        assert!(matches!(endless.end, End::TimedOut(_)), "{:?}", endless.end);
    }

    #[test]
    fn a_panic_and_an_early_end_are_told_apart() {
        let panicked = ran("echo '[    1.5] Kernel panic - not syncing: VFS'", [60_000; 3]);
        assert_eq!(panicked.end, End::Panic("VFS".into()));
        let lines = ["int3: 0000 [#1]", "Code: 66 <90>", "Kernel panic - not syncing: x"];
        let old = ran(&lines.map(|line| format!("echo '[    1.5] {line}'")).join("; "), [60_000; 3]);
        assert_eq!((&old.end, old.end.ending(None).reach), (&End::OldCode, Reach::CutOff));
        let gone = ran("echo KTAP version 1; exit 7", [60_000; 3]);
        assert_eq!(gone.end, End::Gone("exit status: 7".into()));
        let words = "echo KTAP version 1; echo qemu: warning >&2; echo 'qemu: no such machine' >&2; echo x; exit 1";
        let complained = ran(words, [60_000; 3]);
        assert_eq!(complained.end, End::Gone("exit status: 1: qemu: no such machine".into()));
    }
}
