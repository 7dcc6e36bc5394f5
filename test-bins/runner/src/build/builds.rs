//! Binaries for several targets, built and checked one after the other while guests with the first ones run already.

use std::path::Path;
use std::sync::OnceLock;

use super::{Binaries, Linking, sections, toolchain};
use crate::interrupt::Interrupt;
use crate::kernels::machine::Target;
use crate::kernels::select::Cell;

/// Targets, in the order of their cells, and what their build came to.
pub struct Builds(Vec<(Target, OnceLock<Result<Binaries, String>>)>);

impl Builds {
    /// The targets of these cells, each once.
    pub fn new(cells: &[&Cell]) -> Self {
        let mut targets: Vec<(Target, OnceLock<_>)> = Vec::new();
        for cell in cells {
            if !targets.iter().any(|(target, _)| *target == cell.target) {
                targets.push((cell.target, OnceLock::new()));
            }
        }
        Self(targets)
    }

    /// The targets.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.0.iter().map(|(target, _)| target)
    }

    /// Builds and checks all of them; must be called, else [`Builds::of`] waits for ever.
    pub fn run(&self, programs: &dyn Programs, interrupt: &Interrupt, note: &dyn Fn(&str)) {
        for (target, slot) in &self.0 {
            let built =
                if interrupt.requested() { Err("interrupted".into()) } else { announced(target, programs, note) };
            let checked = built.and_then(|binaries| programs.check(&binaries).map(|_| binaries));
            let _ = slot.set(checked);
        }
    }

    /// Waits for the cell's binaries.
    pub fn of(&self, cell: &Cell) -> Result<&Binaries, String> {
        let found = self.0.iter().find(|(target, _)| *target == cell.target);
        let (_, slot) = found.ok_or("nothing builds for this target")?;
        slot.wait().as_ref().map_err(Clone::clone)
    }
}

/// Builds for a target, and says so.
pub fn announced(target: &Target, programs: &dyn Programs, note: &dyn Fn(&str)) -> Result<Binaries, String> {
    note(&format!("building for {}", target.triple));
    programs.build(target)
}

/// Where the programs of guests come from.
pub trait Programs: Sync {
    /// Why there is nothing for a target, if there is not.
    fn lacks(&self, target: &Target) -> Option<String>;

    /// Builds all of them, by name.
    fn build(&self, target: &Target) -> Result<Binaries, String>;

    /// Checks their critical sections.
    fn check(&self, binaries: &Binaries) -> Result<sections::Counts, String>;
}

/// The static suite.
pub struct Suite<'a> {
    /// The workspace.
    pub root: &'a Path,
    /// Which of its binaries.
    pub names: Vec<&'a str>,
    /// How they are linked.
    pub linking: Linking,
}

impl Programs for Suite<'_> {
    fn lacks(&self, target: &Target) -> Option<String> {
        toolchain::find(target).err()
    }

    fn build(&self, target: &Target) -> Result<Binaries, String> {
        toolchain::build(target, self.root, &self.names, self.linking)
    }

    fn check(&self, binaries: &Binaries) -> Result<sections::Counts, String> {
        sections::check(binaries, &self.names)
    }
}
