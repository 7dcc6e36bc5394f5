//! Binaries for several targets, built and checked one after the other while guests with the first ones run already.

use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, anyhow, ensure};

use super::{Binaries, Linking, check, toolchain};
use crate::interrupt::Interrupt;
use crate::kernels::machine::Target;
use crate::kernels::select::Cell;

/// Targets, in the order of their cells, and what their build came to.
pub struct Builds(Vec<(Target, OnceLock<anyhow::Result<Binaries>>)>);

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
            let _ = slot.set(checked(target, programs, interrupt, note).map(|(binaries, _)| binaries));
        }
    }

    /// Waits for the cell's binaries.
    pub fn of(&self, cell: &Cell) -> anyhow::Result<&Binaries> {
        let found = self.0.iter().find(|(target, _)| *target == cell.target);
        let (_, slot) = found.context("nothing builds for this target")?;
        slot.wait().as_ref().map_err(|error| anyhow!("{error:#}"))
    }
}

/// Builds for a target and checks the critical sections, unless the user wants an end.
pub fn checked(
    target: &Target,
    programs: &dyn Programs,
    interrupt: &Interrupt,
    note: &dyn Fn(&str),
) -> anyhow::Result<(Binaries, check::Counts)> {
    ensure!(!interrupt.requested(), "interrupted");
    let binaries = announced(target, programs, note)?;
    let counts = programs.check(&binaries)?;
    Ok((binaries, counts))
}

/// Builds for a target, and says so.
pub fn announced(target: &Target, programs: &dyn Programs, note: &dyn Fn(&str)) -> anyhow::Result<Binaries> {
    note(&format!("building for {}", target.triple));
    programs.build(target)
}

/// Where the programs of guests come from.
pub trait Programs: Sync {
    /// Why there is nothing for a target, if there is not.
    fn unavailable_reason(&self, target: &Target) -> Option<String>;

    /// Builds all of them, by name.
    fn build(&self, target: &Target) -> anyhow::Result<Binaries>;

    /// Checks their critical sections.
    fn check(&self, binaries: &Binaries) -> anyhow::Result<check::Counts>;
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
    fn unavailable_reason(&self, target: &Target) -> Option<String> {
        toolchain::find(target).err().map(|error| error.to_string())
    }

    fn build(&self, target: &Target) -> anyhow::Result<Binaries> {
        toolchain::build(target, self.root, &self.names, self.linking)
    }

    fn check(&self, binaries: &Binaries) -> anyhow::Result<check::Counts> {
        check::check(binaries, &self.names)
    }
}
