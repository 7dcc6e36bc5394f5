//! A program under a host: its output is read to the end, and it and its children end in time.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::interrupt::Interrupt;

const TICK: Duration = Duration::from_millis(10);

/// How it ended and what it printed.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code, as a shell has it.
    pub code: i32,
    /// Whether it was killed for taking too long.
    pub late: bool,
    /// Its stdout.
    pub output: String,
    /// Its stderr.
    pub complaints: String,
}

/// Runs the command for at most `limit`.
pub fn run(mut command: Command, limit: Duration, interrupt: &Interrupt) -> io::Result<Ended> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let output = reader(child.stdout.take());
    let complaints = reader(child.stderr.take());
    let group = Pid::from_raw(child.id() as i32);
    let start = Instant::now();
    let (mut late, mut ended) = (false, None);
    while ended.is_none() {
        ended = child.try_wait()?;
        let overdue = start.elapsed() > limit || interrupt.requested();
        if ended.is_none() && overdue {
            late = true;
            let _ = killpg(group, Signal::SIGKILL);
            ended = Some(child.wait()?);
        }
        thread::sleep(TICK);
    }
    // What it left behind would hold its output open. The group has a member or is gone: our child was its leader.
    let _ = killpg(group, Signal::SIGKILL);
    let code = ended.map_or(-1, |status| status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()));
    let text = |reader: thread::JoinHandle<Vec<u8>>| String::from_utf8_lossy(&reader.join().unwrap_or_default()).into();
    Ok(Ended { code, late, output: text(output), complaints: text(complaints) })
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(script: &str, limit: u64) -> Ended {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, Duration::from_millis(limit), &Interrupt::default()).unwrap()
    }

    #[test]
    fn output_and_code_are_told_and_what_hangs_is_ended() {
        let ended = ran("echo a; echo b >&2; sleep 100 & exit 4", 60_000);
        assert_eq!((ended.code, ended.late), (4, false));
        assert_eq!((ended.output.as_str(), ended.complaints.as_str()), ("a\n", "b\n"));
        let hung = ran("echo a; sleep 100", 200);
        assert_eq!((hung.late, hung.output.as_str(), hung.code), (true, "a\n", 137));
    }
}
