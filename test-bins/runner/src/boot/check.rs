//! `boot --check`: builds, checks the critical sections, and boots none.

use std::io::{self, Write};

use crate::build::{Builds, Programs, checked};
use crate::exit::FAILED;
use crate::interrupt::Interrupt;
use crate::kernels::select::Cell;
use crate::ktap::{Outcome, Plan, TestLine, VERSION};

/// Builds for every target of the cells, and says of each what became of it.
pub fn run(cells: &[Cell], programs: &dyn Programs, interrupt: &Interrupt) -> io::Result<u8> {
    let builds = Builds::new(&cells.iter().collect::<Vec<_>>());
    let mut out = io::stdout().lock();
    writeln!(out, "{VERSION}\n{}", Plan(builds.targets().count() as u64))?;
    let mut code = 0;
    let say = |text: &str| note!("{text}");
    for (number, target) in (1..).zip(builds.targets()) {
        let built = || checked(target, programs, interrupt, &say);
        let (outcome, reason) = match programs.unavailable_reason(target).map_or_else(|| Ok(built()), Err) {
            Err(reason) => (Outcome::Skip, reason),
            Ok(Ok((_, counts))) => {
                writeln!(out, "# {counts}")?;
                (Outcome::Pass, String::new())
            }
            Ok(Err(error)) => {
                code = FAILED;
                writeln!(out, "# {error:#}")?;
                (Outcome::Fail, String::new())
            }
        };
        writeln!(out, "{}", TestLine { number, name: target.name, outcome, directive: None, reason })?;
        out.flush()?;
    }
    Ok(code)
}
