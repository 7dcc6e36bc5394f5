//! One child process: started in a group of its own, read line by line, ended in time.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use crate::interrupt::Interrupt;
use crate::ktap::Splitter;

/// How often progress is shown and Ctrl-C looked for.
const TICK: Duration = Duration::from_millis(100);
/// How long a process that has ended may leave its pipes open in children of its own.
const STRAGGLERS: Duration = Duration::from_secs(1);

/// Lines read ahead; a child that prints faster than we follow is slowed down.
const QUEUED_LINES: usize = 1024;

/// Which stream a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// What a caller hears while a child runs.
pub trait Listener {
    /// A line, without its newline. An error ends the child.
    fn line(&mut self, stream: Stream, text: &str) -> io::Result<()>;
    /// Time has passed.
    fn tick(&mut self, elapsed: Duration) -> io::Result<()>;
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By `exit` with this code.
    Code(i32),
    /// By a signal that nobody here sent.
    Signal(i32),
    /// Still running at its deadline, and killed.
    TimedOut,
    /// Killed because the user wanted an end.
    Interrupted,
}

/// A child that has ended.
#[derive(Debug)]
pub struct Finished {
    /// How.
    pub end: End,
    /// From start to end.
    pub elapsed: Duration,
    /// Whether processes that it started still held its output open.
    pub left_processes: bool,
}

/// Runs `program` and returns when it and everything in its process group is gone.
pub fn run(
    program: &Path,
    args: &[&str],
    timeout: Duration,
    interrupt: &Interrupt,
    listener: &mut dyn Listener,
) -> io::Result<Finished> {
    let start = Instant::now();
    let child = Guard(spawn(program, args)?);
    let mut run = Run { start, deadline: start + timeout, interrupt, listener, killed: None };
    run.follow(child)
}

/// Ends the child's group however the function is left.
struct Guard(Child);

impl Guard {
    fn kill_group(&self) {
        // The group exists until the child is waited for, so that no other group can have its number.
        let _ = killpg(self.pid(), Signal::SIGKILL);
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id().cast_signed())
    }

    fn reap(&mut self) -> io::Result<ExitStatus> {
        self.kill_group();
        self.0.wait()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            let _ = self.reap();
        }
    }
}

fn spawn(program: &Path, args: &[&str]) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.args(args).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let die_with_us = || Ok(set_pdeathsig(Signal::SIGKILL)?);
    // SAFETY: the closure runs between fork and exec, where only async-signal-safe functions may be
    // called; it makes one system call, allocates nothing and takes no lock.
    unsafe { command.pre_exec(die_with_us) };
    command.spawn()
}

enum Event {
    Line(Stream, String),
    Closed,
    Ended(Instant),
}

struct Run<'a> {
    start: Instant,
    deadline: Instant,
    interrupt: &'a Interrupt,
    listener: &'a mut dyn Listener,
    killed: Option<End>,
}

impl Run<'_> {
    fn follow(&mut self, mut child: Guard) -> io::Result<Finished> {
        let events = watch(&mut child);
        let mut open = 2;
        let mut ended: Option<Instant> = None;
        let mut left_processes = false;
        while open > 0 || ended.is_none() {
            match events.recv_timeout(TICK) {
                Ok(Event::Line(stream, text)) => self.listener.line(stream, &text)?,
                Ok(Event::Closed) => open -= 1,
                Ok(Event::Ended(when)) => ended = Some(when),
                Err(RecvTimeoutError::Timeout) => self.listener.tick(self.start.elapsed())?,
                Err(RecvTimeoutError::Disconnected) => break,
            }
            match ended {
                None => self.end_if_due(&child),
                Some(when) if !left_processes && when.elapsed() > STRAGGLERS => {
                    left_processes = true;
                    child.kill_group();
                }
                // A process that left the group too is not waited for.
                Some(when) if when.elapsed() > 2 * STRAGGLERS => break,
                Some(_) => {}
            }
        }
        let elapsed = ended.unwrap_or_else(Instant::now) - self.start;
        let end = how(child.reap()?, self.killed);
        Ok(Finished { end, elapsed, left_processes })
    }

    fn end_if_due(&mut self, child: &Guard) {
        if self.killed.is_some() {
            return;
        }
        if self.interrupt.requested() {
            self.killed = Some(End::Interrupted);
        } else if Instant::now() >= self.deadline {
            self.killed = Some(End::TimedOut);
        }
        if self.killed.is_some() {
            child.kill_group();
        }
    }
}

/// A child that ended by itself just before it was killed counts as what it did.
fn how(status: ExitStatus, killed: Option<End>) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Code(code),
        (None, signal) => killed.unwrap_or(End::Signal(signal.unwrap_or_default())),
    }
}

fn watch(child: &mut Guard) -> Receiver<Event> {
    let (sender, receiver) = mpsc::sync_channel(QUEUED_LINES);
    if let Some(stdout) = child.0.stdout.take() {
        read_lines(Stream::Out, stdout, sender.clone());
    }
    if let Some(stderr) = child.0.stderr.take() {
        read_lines(Stream::Err, stderr, sender.clone());
    }
    report_end(child.pid(), sender);
    receiver
}

fn read_lines(stream: Stream, mut pipe: impl Read + Send + 'static, sender: SyncSender<Event>) {
    thread::spawn(move || {
        let mut splitter = Splitter::default();
        let mut buffer = [0; 4096];
        let send = |text: &str| drop(sender.send(Event::Line(stream, text.to_owned())));
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            splitter.push(&buffer[..count], send);
        }
        if let Some(text) = splitter.rest() {
            send(&text);
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
