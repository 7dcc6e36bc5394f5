//! One run of QEMU: its console is read and kept, and it is ended in time.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use super::console::Console;
use crate::interrupt::Interrupt;

const TICK: Duration = Duration::from_millis(100);
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
    /// QEMU ended before the guest was done; its status, and its complaint.
    Gone(String),
    /// It was too slow in all.
    TimedOut(Duration),
    /// It was silent for too long.
    Silent(Duration),
    /// The user wanted an end.
    Interrupted,
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

/// Starts QEMU and returns when it has ended; the console goes to `log`, with the command line first.
pub fn run(mut command: Command, log: &Path, limits: Limits, interrupt: &Interrupt) -> Result<Finished, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", log.display());
    let mut file = File::create(log).map_err(failed)?;
    writeln!(file, "{command:?}").map_err(failed)?;
    let start = Instant::now();
    let program = command.get_program().to_string_lossy().into_owned();
    let mut guard = Guard(spawn(&mut command).map_err(|error| format!("{program}: {error}"))?);
    let chunks = read(&mut guard.0);
    let mut watch = Watch {
        start,
        last: start,
        console: Console::default(),
        complaints: Vec::new(),
        booted: None,
        due: None,
        limits,
    };
    let end = loop {
        match chunks.recv_timeout(TICK) {
            Ok(chunk) => {
                file.write_all(&chunk.bytes).map_err(failed)?;
                watch.feed(&chunk);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break watch.gone(&mut guard.0),
        }
        if let Some(end) = watch.end(interrupt) {
            break end;
        }
    };
    drop(guard);
    Ok(Finished { end, console: watch.console, booted: watch.booted, seconds: start.elapsed().as_secs_f64() })
}

struct Watch {
    start: Instant,
    last: Instant,
    console: Console,
    /// What QEMU itself said.
    complaints: Vec<u8>,
    booted: Option<f64>,
    /// When to stop waiting for a guest that has nothing more to say.
    due: Option<Instant>,
    limits: Limits,
}

impl Watch {
    fn feed(&mut self, chunk: &Chunk) {
        if chunk.source == Source::Qemu {
            return self.complaints.extend(&chunk.bytes);
        }
        self.last = Instant::now();
        self.console.feed(&chunk.bytes);
        if self.console.started && self.booted.is_none() {
            self.booted = Some(self.start.elapsed().as_secs_f64());
        }
        if self.due.is_none() && (self.console.done || self.console.panic.is_some()) {
            let wait = if self.console.done { POWER_OFF } else { LAST_WORDS };
            self.due = Some(self.last + wait);
        }
    }

    /// Whether it is time, and why.
    fn end(&self, interrupt: &Interrupt) -> Option<End> {
        if interrupt.requested() {
            return Some(End::Interrupted);
        }
        if self.due.is_some_and(|due| Instant::now() >= due) {
            return Some(self.said());
        }
        let (total, silent) = (self.start.elapsed(), self.last.elapsed());
        match () {
            () if self.due.is_some() => None,
            () if total > self.limits.total => Some(End::TimedOut(total)),
            () if silent > self.patience() => Some(End::Silent(silent)),
            () => None,
        }
    }

    fn patience(&self) -> Duration {
        if self.booted.is_none() { self.limits.boot } else { self.limits.silent }
    }

    fn said(&self) -> End {
        match &self.console.panic {
            Some(words) if !self.console.done => End::Panic(words.clone()),
            _ => End::Done,
        }
    }

    fn gone(&self, child: &mut Child) -> End {
        if self.console.done || self.console.panic.is_some() {
            return self.said();
        }
        let status = child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let complaints = String::from_utf8_lossy(&self.complaints);
        End::Gone(match complaints.lines().map(str::trim).rfind(|line| !line.is_empty()) {
            Some(line) => format!("{status}: {line}"),
            None => status,
        })
    }
}

/// Ends QEMU however the function is left.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(command: &mut Command) -> std::io::Result<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0);
    let die_with_us = || Ok(set_pdeathsig(Signal::SIGKILL)?);
    // SAFETY: the closure runs between fork and exec, where only async-signal-safe functions may be called; it makes
    // one system call, allocates nothing and takes no lock.
    unsafe { command.pre_exec(die_with_us) };
    command.spawn()
}

/// Whose words they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Console,
    Qemu,
}

struct Chunk {
    source: Source,
    bytes: Vec<u8>,
}

/// Reads the console and QEMU's complaints, in chunks.
fn read(child: &mut Child) -> Receiver<Chunk> {
    let (sender, receiver) = mpsc::sync_channel(64);
    let pipes: [(Source, Option<Box<dyn Read + Send>>); 2] = [
        (Source::Console, child.stdout.take().map(|pipe| Box::new(pipe) as _)),
        (Source::Qemu, child.stderr.take().map(|pipe| Box::new(pipe) as _)),
    ];
    for (source, mut pipe) in pipes.into_iter().filter_map(|(source, pipe)| Some((source, pipe?))) {
        let sender = sender.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                if sender.send(Chunk { source, bytes: buffer[..count].to_vec() }).is_err() {
                    break;
                }
            }
        });
    }
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(name: &str, script: &str, limits: [u64; 3]) -> Finished {
        let log = std::env::temp_dir().join(format!("runner-guest-{name}-{}", std::process::id()));
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let [total, boot, silent] = limits.map(Duration::from_millis);
        let limits = Limits { total, boot, silent };
        let finished = run(command, &log, limits, &Interrupt::default()).unwrap();
        let kept = std::fs::read_to_string(&log).unwrap();
        assert!(kept.starts_with("\"sh\""), "{kept}");
        std::fs::remove_file(log).unwrap();
        finished
    }

    const DONE: &str = "echo KTAP version 1; echo 1..1; echo ok 1 a; echo '# guest: done'";

    #[test]
    fn a_guest_that_is_done_is_done_even_if_it_cannot_power_off() {
        let finished = ran("stays", &format!("{DONE}; exec sleep 100"), [60_000; 3]);
        assert_eq!(finished.end, End::Done);
        assert!(finished.booted.is_some() && finished.seconds < 30.0);
        assert_eq!(finished.console.finish().counts().passed, 1);
    }

    #[test]
    fn a_hung_guest_is_ended() {
        let finished = ran("hung", "echo KTAP version 1; exec sleep 100", [60_000, 60_000, 500]);
        assert!(matches!(finished.end, End::Silent(_)), "{:?}", finished.end);
        let silent = ran("silent", "echo SeaBIOS; exec sleep 100", [60_000, 500, 60_000]);
        assert!(matches!(silent.end, End::Silent(_)) && silent.booted.is_none(), "{:?}", silent.end);
        let endless = ran("endless", "while :; do echo x; sleep 0.05; done", [700, 60_000, 60_000]);
        assert!(matches!(endless.end, End::TimedOut(_)), "{:?}", endless.end);
    }

    #[test]
    fn a_panic_and_an_early_end_are_told_apart() {
        let panicked = ran("panic", "echo '[    1.5] Kernel panic - not syncing: VFS'", [60_000; 3]);
        assert_eq!(panicked.end, End::Panic("VFS".into()));
        let gone = ran("gone", "echo KTAP version 1; exit 7", [60_000; 3]);
        assert_eq!(gone.end, End::Gone("exit status: 7".into()));
        let words = "echo KTAP version 1; echo qemu: warning >&2; echo 'qemu: no such machine' >&2; echo x; exit 1";
        let complained = ran("complained", words, [60_000; 3]);
        assert_eq!(complained.end, End::Gone("exit status: 1: qemu: no such machine".into()));
    }
}
