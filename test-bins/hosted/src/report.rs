//! KTAP for std programs, with kselftest's exit codes.

use std::process::ExitCode;

use protocol::ktap::{Plan, SkipAll, TestLine, VERSION};
use protocol::outcome::{Counts, Outcome, SKIP};

/// Results, printed as they come.
#[derive(Debug)]
pub struct Report(Counts);

impl Report {
    /// Announces `plan` results.
    pub fn new(plan: u64) -> Self {
        println!("{VERSION}\n{}", Plan(plan));
        Self(Counts::default())
    }

    /// Prints one result.
    pub fn result(&mut self, name: &str, result: anyhow::Result<()>) {
        let outcome = match result {
            Ok(()) => Outcome::Pass,
            Err(why) => {
                println!("# {name}: {why:#}");
                Outcome::Fail
            }
        };
        self.0.add(outcome);
        println!("{}", TestLine { number: self.0.total(), name, outcome, directive: None, reason: "" });
    }

    /// The exit code of all of them.
    pub fn finish(self) -> ExitCode {
        ExitCode::from(self.0.exit_code())
    }
}

/// Reports that nothing can be tested here.
pub fn skip(reason: &str) -> ExitCode {
    println!("{VERSION}\n{}", SkipAll(reason));
    ExitCode::from(SKIP)
}

/// Says what was not tested, also where the test passes, which hides what `eprintln` writes.
pub fn skipped(reason: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}
