//! A program in a separate process: its output is relayed, and it and all that it started end in time.

use harness::sys::call;
use harness::sys::file::{self, File};
use harness::sys::process::{self, Child};
use harness::sys::time::{self, Deadline, MILLISECOND, SECOND};
use linux_raw_sys::general as raw;
use protocol::list::{Run, pointers};
use rseq_core::sys::Errno;
use rseq_rt::eprintln;
use rseq_rt::io::{STDERR, STDOUT};

use crate::relay::Relay;

/// `F_SETFL` of fcntl.h.
const SET_FLAGS: usize = 4;
/// The exit code of a program that could not be started, as shells have it.
const NOT_STARTED: u8 = 127;
/// What a program that has closed its output gets to end, again and again.
const PAUSE: u64 = 2 * MILLISECOND;
/// How long to wait for output before looking at the deadline. Each look takes a CPU from the program: on a slow
/// machine, one every few milliseconds interrupts each of its sections.
const LOOK: u64 = 200 * MILLISECOND;

/// How a program ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With this code.
    Code(u8),
    /// By this signal.
    Signal(u32),
    /// It ran for too long and was killed.
    TimedOut,
}

/// What became of a program.
pub struct Ended {
    /// How.
    pub end: End,
    /// Whether processes that it had started still held its output open.
    pub left_processes: bool,
}

/// Runs the program to its end.
pub fn run(run: &Run<'_>, relay: &mut Relay) -> Result<Ended, Errno> {
    let (reader, writer) = file::pipe()?;
    set_nonblocking(&reader)?;
    let child = Child::fork(&mut || start(run, &reader, &writer))?;
    drop(writer);
    let mut watch = Watch { pid: child.pid, end: None, deadline: Deadline::after(run.seconds * SECOND) };
    // Orphans are reaped together with it below, which its own type cannot do.
    core::mem::forget(child);
    let left_processes = watch.follow(&reader, relay);
    relay.finish();
    kill_all();
    while reap().is_some() {}
    Ok(Ended { end: watch.end.unwrap_or(End::TimedOut), left_processes })
}

/// In the child: the pipe becomes its output, and the program takes the process over.
fn start(run: &Run<'_>, reader: &File, writer: &File) -> u8 {
    if [STDOUT, STDERR].into_iter().try_for_each(|stream| writer.duplicate_to(stream)).is_err() {
        return NOT_STARTED;
    }
    close(reader);
    close(writer);
    let (environment, variables) = pointers([c"PATH=/bin", c"HOME=/"].into_iter().chain(run.assignments()));
    let (arguments, count) = pointers(run.command());
    let errno = process::execute(
        run.path(),
        arguments.get(..count).unwrap_or(&[]),
        environment.get(..variables).unwrap_or(&[]),
    );
    eprintln!("cannot start {}: {errno}", run.path().to_str().unwrap_or("?"));
    NOT_STARTED
}

struct Watch {
    pid: u32,
    end: Option<End>,
    deadline: Deadline,
}

impl Watch {
    /// Relays output until it ends; returns whether others than the program had to be killed for that.
    fn follow(&mut self, reader: &File, relay: &mut Relay) -> bool {
        let mut straggling: Option<Deadline> = None;
        loop {
            match read(reader, relay) {
                Ok(0) => break,
                Ok(_) => continue,
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(_) => break,
            }
            self.look();
            if self.end.is_some() && straggling.get_or_insert_with(|| Deadline::after(SECOND)).is_past() {
                return true;
            }
            self.kill_if_due();
            wait_for_output(reader);
        }
        self.wait();
        false
    }

    /// Its output is closed: waits for its end.
    fn wait(&mut self) {
        while self.end.is_none() {
            self.look();
            self.kill_if_due();
            time::sleep(PAUSE);
        }
    }

    /// Reaps all processes that have ended.
    fn look(&mut self) {
        while let Some((pid, end)) = reap() {
            if pid == self.pid {
                self.end = self.end.or(Some(end));
            }
        }
    }

    fn kill_if_due(&mut self) {
        if self.end.is_none() && self.deadline.is_past() {
            self.end = Some(End::TimedOut);
            kill_all();
        }
    }
}

/// Everything but the first process, which this is.
fn kill_all() {
    // SAFETY: sends a signal; takes numbers only.
    let _ = unsafe { call(raw::__NR_kill, [usize::MAX, raw::SIGKILL as usize]) };
}

/// A process that has ended, if there is one.
fn reap() -> Option<(u32, End)> {
    let mut status = 0u32;
    let args = [usize::MAX, &raw mut status as usize, (raw::WNOHANG | raw::__WALL) as usize, 0];
    // SAFETY: the kernel writes one int at `status` and is given no rusage.
    let pid = unsafe { call(raw::__NR_wait4, args) }.ok().filter(|pid| *pid > 0)?;
    let end = match (status & 0x7f, status >> 8 & 0xff) {
        (0, code) => End::Code(code as u8),
        (signal, _) => End::Signal(signal),
    };
    Some((pid as u32, end))
}

fn read(reader: &File, relay: &mut Relay) -> Result<usize, Errno> {
    let mut bytes = [0; 1024];
    let args = [reader.descriptor() as usize, bytes.as_mut_ptr() as usize, bytes.len()];
    // SAFETY: the kernel writes at most `bytes.len()` bytes into `bytes`.
    let count = unsafe { call(raw::__NR_read, args) }?;
    relay.feed(bytes.get(..count).unwrap_or(&[]));
    Ok(count)
}

/// Returns when there is output or its end, and after [`LOOK`].
fn wait_for_output(reader: &File) {
    let mut file = raw::pollfd { fd: reader.descriptor(), events: raw::POLLIN as i16, revents: 0 };
    let mut time = raw::__kernel_old_timespec { tv_sec: 0, tv_nsec: LOOK as _ };
    let args = [&raw mut file as usize, 1, &raw mut time as usize, 0, 0];
    // SAFETY: the kernel reads and writes one pollfd, may write the time that is left to `time`, which is this
    // function's own, and is given no signal mask.
    if unsafe { call(raw::__NR_ppoll, args) }.is_err() {
        time::sleep(PAUSE);
    }
}

fn set_nonblocking(file: &File) -> Result<(), Errno> {
    // SAFETY: sets a flag of an open file; takes numbers only.
    unsafe { call(raw::__NR_fcntl, [file.descriptor() as usize, SET_FLAGS, raw::O_NONBLOCK as usize]) }.map(drop)
}

fn close(file: &File) {
    // SAFETY: closes a descriptor of this child alone, which ends without dropping the file.
    let _ = unsafe { call(raw::__NR_close, [file.descriptor() as usize]) };
}
