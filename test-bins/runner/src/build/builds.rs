//! Binaries for several targets, built and checked one after the other while guests with the first ones run already.

use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;

use super::{Binaries, Linking, sections, toolchain};
use crate::interrupt::Interrupt;
use crate::kernels::machine::Target;
use crate::kernels::select::Cell;

/// Targets, in the order of their cells, and what their build came to.
pub struct Builds(Vec<(Target, OnceLock<Result<Binaries, String>>)>, Linking);

impl Builds {
    /// The targets of these cells, each once.
    pub fn new(cells: &[&Cell], linking: Linking) -> Self {
        let mut targets: Vec<(Target, OnceLock<_>)> = Vec::new();
        for cell in cells {
            if !targets.iter().any(|(target, _)| *target == cell.target) {
                targets.push((cell.target, OnceLock::new()));
            }
        }
        Self(targets, linking)
    }

    /// The targets.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.0.iter().map(|(target, _)| target)
    }

    /// Builds and checks all of them; must be called, else [`Builds::of`] waits for ever.
    pub fn run(&self, root: &Path, names: &[&str], interrupt: &Interrupt) {
        for (target, slot) in &self.0 {
            let _ = slot.set(build(target, root, names, self.1, interrupt));
        }
    }

    /// Waits for the cell's binaries.
    pub fn of(&self, cell: &Cell) -> Result<&Binaries, String> {
        let found = self.0.iter().find(|(target, _)| *target == cell.target);
        let (_, slot) = found.ok_or("nothing builds for this target")?;
        slot.wait().as_ref().map_err(Clone::clone)
    }
}

fn build(
    target: &Target,
    root: &Path,
    names: &[&str],
    linking: Linking,
    interrupt: &Interrupt,
) -> Result<Binaries, String> {
    let binaries = built(target, root, names, linking, interrupt)?;
    sections::check(&binaries, names).map(|_| binaries)
}

/// The binaries for a target, as they come from the compiler.
pub fn built(
    target: &Target,
    root: &Path,
    names: &[&str],
    linking: Linking,
    interrupt: &Interrupt,
) -> Result<Binaries, String> {
    if interrupt.requested() {
        return Err("interrupted".into());
    }
    // With stderr closed there is nobody left to tell.
    let _ = writeln!(io::stderr(), "building for {}", target.triple);
    toolchain::build(target, root, names, linking)
}
