//! Child processes: started in a group of their own, followed while they run, ended in time.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use thiserror::Error;

/// How often progress is shown, and deadlines and Ctrl-C are looked for.
const TICK: Duration = Duration::from_millis(100);
/// How long a process that has ended may leave its pipes open in children of its own.
const STRAGGLERS: Duration = Duration::from_secs(1);
/// How much later than planned we may look before the time counts as one in which we were stopped ourselves.
const STOPPED: Duration = Duration::from_secs(1);
/// Chunks read ahead; a child that prints faster than it is followed is slowed down.
const QUEUED: usize = 64;

/// Which stream a chunk came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// What a caller makes of a child while it runs. An error ends the child.
pub trait Follow {
    /// Why the child is ended before it ends by itself.
    type Stop;

    /// Some output, cut anywhere.
    fn output(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()>;

    /// Called about every 100 ms until the child has ended; a reason ends it. `elapsed` is the time since its start,
    /// less what this process was stopped for (Ctrl-Z): then it reads nothing that the child prints, and no deadline is
    /// the child's fault.
    fn poll(&mut self, elapsed: Duration) -> io::Result<Option<Self::Stop>>;
}

/// Keeps all output, until the child has ended or `stop` says of the time since its start that it must.
#[derive(Debug)]
pub struct Capture<P> {
    /// What it wrote to stdout.
    pub out: Vec<u8>,
    /// What it wrote to stderr.
    pub err: Vec<u8>,
    stop: P,
}

impl<P: FnMut(Duration) -> bool> Capture<P> {
    /// One that has no output yet.
    pub fn until(stop: P) -> Self {
        Self { out: Vec::new(), err: Vec::new(), stop }
    }
}

impl<P: FnMut(Duration) -> bool> Follow for Capture<P> {
    type Stop = ();

    fn output(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        match stream {
            Stream::Out => self.out.extend_from_slice(bytes),
            Stream::Err => self.err.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn poll(&mut self, elapsed: Duration) -> io::Result<Option<()>> {
        Ok((self.stop)(elapsed).then_some(()))
    }
}

/// A child that has ended.
#[derive(Debug)]
pub struct Finished<S> {
    /// How, by the kernel's account.
    pub status: ExitStatus,
    /// Why it was killed, if it was.
    pub stopped: Option<S>,
    /// From start to end.
    pub elapsed: Duration,
    /// Whether processes that it started still held its output open.
    pub left_processes: bool,
}

/// Runs the command and returns when it and everything in its process group is gone.
pub fn follow<F: Follow>(mut command: Command, follower: &mut F) -> io::Result<Finished<F::Stop>> {
    let start = Instant::now();
    let mut child = Guard { child: spawn(&mut command)?, is_reaped: false };
    let events = watch(&mut child);
    let mut stopped = None;
    let mut open = 2;
    // When it ended, and when that was read from the queue, in which what it wrote may still be.
    let mut ended: Option<(Instant, Instant)> = None;
    let mut left_processes = false;
    let mut tick = start + TICK;
    let mut held_up = Duration::ZERO;
    while open > 0 || ended.is_none() {
        match events.recv_timeout(tick.saturating_duration_since(Instant::now())) {
            Ok(Event::Output(stream, bytes)) => follower.output(stream, &bytes)?,
            Ok(Event::Closed) => open -= 1,
            Ok(Event::Ended(when)) => ended = Some((when, Instant::now())),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let now = Instant::now();
        if now < tick {
            continue;
        }
        held_up += Some(now - tick).filter(|late| *late > STOPPED).unwrap_or_default();
        tick = now + TICK;
        match ended {
            None if stopped.is_none() => {
                stopped = follower.poll(start.elapsed().saturating_sub(held_up))?;
                if stopped.is_some() {
                    child.kill_group();
                }
            }
            Some((_, known)) if !left_processes && known.elapsed() > STRAGGLERS => {
                left_processes = true;
                child.kill_group();
            }
            // A process that left the group too is not waited for.
            Some((_, known)) if known.elapsed() > 2 * STRAGGLERS => break,
            _ => {}
        }
    }
    let elapsed = ended.map_or_else(Instant::now, |(when, _)| when) - start;
    Ok(Finished { status: child.reap()?, stopped, elapsed, left_processes })
}

/// Why a command did not do its work.
#[derive(Debug, Error)]
pub enum Failure {
    /// It did not start.
    #[error("cannot start {0}")]
    Start(String, #[source] io::Error),
    /// Its output could not be read, or its reader gave up.
    #[error("{0}")]
    Output(String, #[source] io::Error),
    /// It ended with this status.
    #[error("{0}: {1}")]
    Ended(String, ExitStatus),
}

/// Runs a command to its end, in our own process group, so that Ctrl-C reaches both. Its output goes where ours does.
pub fn succeed(command: &mut Command) -> Result<(), Failure> {
    let status = command.stdin(Stdio::null()).status();
    ended(command, status.map_err(|error| Failure::Start(format!("{command:?}"), error))?)
}

/// Like [`succeed`], and returns what it printed on stdout.
pub fn output(command: &mut Command) -> Result<Vec<u8>, Failure> {
    let mut output = Vec::new();
    lines(command, |line| {
        output.extend_from_slice(line);
        Ok(())
    })?;
    Ok(output)
}

/// Like [`succeed`], and hands on each line of stdout as it comes, with its newline. An error of `each` ends it.
pub fn lines(command: &mut Command, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> Result<(), Failure> {
    let start = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = start.map_err(|error| Failure::Start(format!("{command:?}"), error))?;
    let mut read = || {
        let mut stdout = child.stdout.take().map(BufReader::new).ok_or(io::ErrorKind::BrokenPipe)?;
        let mut line = Vec::new();
        while stdout.read_until(b'\n', &mut line)? > 0 {
            each(&line)?;
            line.clear();
        }
        Ok(())
    };
    if let Err(error) = read() {
        let _ = child.kill().and_then(|()| child.wait());
        return Err(Failure::Output(format!("{command:?}"), error));
    }
    let status = child.wait().map_err(|error| Failure::Output(format!("{command:?}"), error))?;
    ended(command, status)
}

fn ended(command: &Command, status: ExitStatus) -> Result<(), Failure> {
    if status.success() { Ok(()) } else { Err(Failure::Ended(format!("{command:?}"), status)) }
}

/// Ends the child's group however the function is left.
struct Guard {
    child: Child,
    is_reaped: bool,
}

impl Guard {
    fn kill_group(&self) {
        // The group exists until the child is waited for, so that no other group can have its number.
        let _ = killpg(self.pid(), Signal::SIGKILL);
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    fn reap(&mut self) -> io::Result<ExitStatus> {
        self.kill_group();
        let status = self.child.wait()?;
        self.is_reaped = true;
        Ok(status)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A child that has ended may have left others in its group.
        if !self.is_reaped {
            let _ = self.reap();
        }
    }
}

fn spawn(command: &mut Command) -> io::Result<Child> {
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let die_with_us = || Ok(set_pdeathsig(Signal::SIGKILL)?);
    // SAFETY: the closure runs between fork and exec, where only async-signal-safe functions may be called; it makes
    // one system call, allocates nothing and takes no lock.
    unsafe { command.pre_exec(die_with_us) };
    command.spawn()
}

enum Event {
    Output(Stream, Vec<u8>),
    Closed,
    Ended(Instant),
}

fn watch(child: &mut Guard) -> Receiver<Event> {
    let (sender, receiver) = mpsc::sync_channel(QUEUED);
    if let Some(stdout) = child.child.stdout.take() {
        read(Stream::Out, stdout, sender.clone());
    }
    if let Some(stderr) = child.child.stderr.take() {
        read(Stream::Err, stderr, sender.clone());
    }
    report_end(child.pid(), sender);
    receiver
}

fn read(stream: Stream, mut pipe: impl Read + Send + 'static, sender: SyncSender<Event>) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            if sender.send(Event::Output(stream, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
        drop(sender.send(Event::Closed));
    });
}

/// Says when the child ended, and leaves it to be waited for.
fn report_end(pid: Pid, sender: SyncSender<Event>) {
    thread::spawn(move || {
        let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
        drop(sender.send(Event::Ended(Instant::now())));
    });
}
