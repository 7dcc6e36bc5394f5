//! Options of a test binary, pulled one by one.

use core::fmt;
use core::ops::RangeInclusive;

use rseq_rt::{eprintln, println};

use crate::ktap::{LIST, ONLY};
use crate::sys::process;

/// The exit code of a usage error: `EX_USAGE` of sysexits.h, as kselftest has taken 0 to 4.
pub const USAGE: u8 = 64;

/// Taken by every test: run with a registration of the original 32 bytes ([`crate::program::run`] does so).
pub const LEGACY: &str = "--legacy";

/// Whether `--short` is given, in a test with no other options than those of every test.
pub fn short(usage: &'static str) -> bool {
    let mut short = false;
    let mut args = Args::new(rseq_rt::env::args().skip(1), usage);
    while let Some(option) = args.next_option() {
        match option {
            "--short" => short = true,
            other => args.unknown(other),
        }
    }
    short
}

/// As [`short`], for a test to which `--short` makes no difference.
pub fn only_short(usage: &'static str) {
    short(usage);
}

/// The remaining arguments.
pub struct Args<I> {
    rest: I,
    usage: &'static str,
}

impl<I: Iterator<Item = &'static str>> Args<I> {
    /// `rest` are the arguments after the program's name, `usage` the text that `--help` prints.
    pub fn new(rest: I, usage: &'static str) -> Self {
        Self { rest, usage }
    }

    /// The next option; `--help` prints the usage and ends the process with 0.
    pub fn next_option(&mut self) -> Option<&'static str> {
        let option = self.rest.by_ref().find(|word| *word != LEGACY && *word != LIST)?;
        if option == ONLY {
            self.value(option);
            return self.next_option();
        }
        if option == "--help" || option == "-h" {
            println!("{}", self.usage);
            process::exit(0);
        }
        Some(option)
    }

    /// The value of `option`.
    pub fn value(&mut self, option: &str) -> &'static str {
        match self.rest.next() {
            Some(value) => value,
            None => self.refuse(format_args!("{option} needs a value")),
        }
    }

    /// The value of `option`, a decimal number within `range`.
    pub fn number(&mut self, option: &str, range: RangeInclusive<u32>) -> u32 {
        let value = self.value(option);
        match value.parse::<u32>() {
            Ok(number) if range.contains(&number) => number,
            _ => self.refuse(format_args!(
                "{option} takes a number from {} to {}, not '{value}'",
                range.start(),
                range.end()
            )),
        }
    }

    /// Refuses an unknown option. As PID 1 it only prints a note: the kernel passes words of its own command line.
    pub fn unknown(&self, option: &str) {
        if process::id() == 1 {
            crate::note!("ignored argument '{option}'");
            return;
        }
        self.refuse(format_args!("unknown option '{option}'"));
    }

    /// Ends the process with [`USAGE`], the message and the usage on standard error.
    pub fn refuse(&self, message: fmt::Arguments<'_>) -> ! {
        eprintln!("error: {message}");
        eprintln!("{}", self.usage);
        process::exit(USAGE)
    }
}
