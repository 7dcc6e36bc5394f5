//! A program under a host: its output is read to the end, and it and its children end in time.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use crate::interrupt::Interrupt;
use crate::process::{self, Capture};

/// How it ended and what it printed.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code, as a shell has it.
    pub code: i32,
    /// Whether it was killed for taking too long.
    pub timed_out: bool,
    /// Its stdout.
    pub output: String,
    /// Its stderr.
    pub complaints: String,
}

/// Runs the command for at most `limit`.
pub fn run(command: Command, limit: Duration, interrupt: &Interrupt) -> io::Result<Ended> {
    let mut read = Capture::until(|elapsed| elapsed > limit || interrupt.requested());
    let finished = process::follow(command, &mut read)?;
    let status = finished.status;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let timed_out = finished.stopped.is_some();
    Ok(Ended { code, timed_out, output: text(&read.out), complaints: text(&read.err) })
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
        assert_eq!((ended.code, ended.timed_out), (4, false));
        assert_eq!((ended.output.as_str(), ended.complaints.as_str()), ("a\n", "b\n"));
        // On a busy machine it may be ended before it prints.
        let mut tries = [200, 2_000, 20_000].into_iter().map(|limit| ran("echo a; sleep 100", limit));
        let hung = tries.find(|hung| !hung.output.is_empty()).unwrap();
        assert_eq!((hung.timed_out, hung.output.as_str(), hung.code), (true, "a\n", 137));
    }
}
