//! KTAP for std programs, with kselftest's exit codes.

use std::process::ExitCode;

/// Results, printed as they come.
#[derive(Debug)]
pub struct Report {
    number: usize,
    failed: usize,
}

impl Report {
    /// Announces `plan` results.
    pub fn new(plan: usize) -> Self {
        println!("KTAP version 1\n1..{plan}");
        Self { number: 0, failed: 0 }
    }

    /// Prints one result.
    pub fn result(&mut self, name: &str, result: Result<(), String>) {
        self.number += 1;
        let number = self.number;
        match result {
            Ok(()) => println!("ok {number} {name}"),
            Err(why) => {
                self.failed += 1;
                println!("# {name}: {why}\nnot ok {number} {name}");
            }
        }
    }

    /// The exit code of all of them.
    pub fn finish(self) -> ExitCode {
        ExitCode::from(u8::from(self.failed > 0))
    }
}

/// Says that nothing can be tested here.
pub fn skip(reason: &str) -> ExitCode {
    println!("KTAP version 1\n1..0 # SKIP {reason}");
    ExitCode::from(4)
}
