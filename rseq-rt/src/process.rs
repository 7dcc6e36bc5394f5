//! The end of the program.

use crate::{io, sys};
use core::convert::Infallible;
use core::fmt::Debug;

/// The exit code of a panic, and of a start-up that could not be completed.
pub const PANICKED: ExitCode = ExitCode(101);

/// The exit code of a wrong value in `RSEQ_RT`.
pub const USAGE: ExitCode = ExitCode(2);

/// The exit code: the number that the parent process gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitCode(pub u8);

impl ExitCode {
    /// 0.
    pub const SUCCESS: Self = Self(0);
    /// 1.
    pub const FAILURE: Self = Self(1);
}

impl From<u8> for ExitCode {
    fn from(code: u8) -> Self {
        Self(code)
    }
}

/// The types that `main` may return.
pub trait Termination {
    /// The exit code that the value stands for.
    fn report(self) -> ExitCode;
}

impl Termination for () {
    fn report(self) -> ExitCode {
        ExitCode::SUCCESS
    }
}

/// An error is printed as `Error:` and its `Debug`, on standard error, and is [`ExitCode::FAILURE`].
impl<T: Termination, E: Debug> Termination for Result<T, E> {
    fn report(self) -> ExitCode {
        match self {
            Ok(value) => value.report(),
            Err(error) => {
                crate::eprintln!("Error: {error:?}");
                ExitCode::FAILURE
            }
        }
    }
}

impl Termination for Infallible {
    fn report(self) -> ExitCode {
        match self {}
    }
}

impl Termination for ExitCode {
    fn report(self) -> ExitCode {
        self
    }
}

/// Ends the process, with all its threads.
///
/// If printing to standard output failed, as on a full disk or a descriptor that is open for reading only, success
/// becomes [`ExitCode::FAILURE`], with a line on standard error: lost output is not a success.
pub fn exit(code: ExitCode) -> ! {
    match io::lost_output() {
        Some(errno) if code == ExitCode::SUCCESS => {
            crate::eprintln!("rseq-rt: standard output was lost: {errno}");
            exit_now(ExitCode::FAILURE)
        }
        _ => exit_now(code),
    }
}

/// Runs a program where the libc starts it, and ends the process, as a panic of any thread does.
#[doc(hidden)]
#[cfg(feature = "hosted")]
pub fn run(main: fn() -> ExitCode) -> ! {
    let say = std::panic::take_hook();
    std::panic::set_hook(std::boxed::Box::new(move |panic| {
        say(panic);
        exit_now(PANICKED)
    }));
    exit(main())
}

/// Ends the program before it has begun. It relies on nothing of the runtime.
#[cold]
pub(crate) fn refuse(why: &str) -> ! {
    let _ = sys::write(io::STDERR.descriptor(), why.as_bytes());
    exit_now(PANICKED)
}

/// Ends the process with exactly this code.
pub(crate) fn exit_now(code: ExitCode) -> ! {
    sys::exit_group(code.0)
}
