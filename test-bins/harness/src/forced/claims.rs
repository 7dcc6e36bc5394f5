//! The sections that cases have run: a section of this program that none has run is a failure.

use rseq_core::{Area, Index, Token};

use crate::ktap::{Suite, Verdict};
use crate::{fail, note, skip};

use super::case::Case;
use super::run::{Tally, Trial};
use super::scene::Stage;
use super::section::{self, Section};

/// The most sections that a program may have.
const MOST: usize = 256;

/// One index in one kind of area.
pub struct By<'t> {
    pub stage: &'t Stage,
    pub name: &'t str,
    pub area: &'t str,
}

impl By<'_> {
    /// All of some cases.
    pub fn all<'r, A: Area, I: Index>(
        &self,
        suite: &mut Suite,
        claims: &mut Claims,
        token: Option<Token<'r, A, I>>,
        cases: impl IntoIterator<Item = Case<'r, A, I>>,
    ) {
        for case in cases {
            let trial = token.map(|token| Trial { case: &case, stage: self.stage, token });
            let verdict = match trial {
                Some(trial) => self.one(&trial, claims),
                None => Err(skip!("this kernel has no mm_cid (Linux 6.3)")),
            };
            suite.report(format_args!("{} by {}, {}", case.name, self.name, self.area), verdict);
        }
    }

    fn one<A: Area, I: Index>(&self, trial: &Trial<'_, '_, A, I>, claims: &mut Claims) -> Verdict {
        let section = trial.find()?;
        let is_new = claims.take(&section);
        let tally = trial.every_point(&section)?.map_err(|fault| fail!("{fault}"))?;
        let Tally { points, inside, events, aborts, repeated } = tally;
        let (operation, index, area) = (trial.case.name, self.name, self.area);
        note!(
            "{operation:<32} {index} {area:<12} {points:3} points, {inside:3} inside, {events:4} events, {aborts:4} \
             aborts, {repeated} repeated"
        );
        if is_new {
            claims.add(&tally);
        }
        Ok(())
    }
}

/// The sections that a case has run.
pub struct Claims {
    descriptors: [usize; MOST],
    count: usize,
    /// Those that are no controls.
    operations: u32,
    sum: Tally,
}

impl Default for Claims {
    fn default() -> Self {
        Self { descriptors: [0; MOST], count: 0, operations: 0, sum: Tally::default() }
    }
}

impl Claims {
    /// Whether it is the first case to run this section.
    pub fn take(&mut self, section: &Section) -> bool {
        let address = section.descriptor as usize;
        let is_new = !self.descriptors[..self.count].contains(&address) && self.count < MOST;
        if is_new {
            self.descriptors[self.count] = address;
            self.count += 1;
        }
        is_new
    }

    /// Notes what was tried in all.
    pub fn note(&self) {
        let Self { operations, sum, .. } = self;
        note!("in all: {operations} sections, {} points, {} events, {} aborts", sum.points, sum.events, sum.aborts);
    }

    fn add(&mut self, tally: &Tally) {
        self.operations += 1;
        self.sum.points += tally.points;
        self.sum.events += tally.events;
        self.sum.aborts += tally.aborts;
    }

    /// Whether every section of the file had a case. Without fat LTO there are also those of functions that nothing
    /// calls: those of an object file share what keeps them all, see linker/README.md.
    pub fn are_all(&self, has_mm_cid: bool, profile: &str) -> Verdict {
        if !has_mm_cid {
            return Err(skip!("this kernel has no mm_cid (Linux 6.3), so the sections by it did not run"));
        }
        let has_case = |descriptor: &usize| self.descriptors[..self.count].contains(descriptor);
        let orphan =
            section::descriptors().map(|descriptor| descriptor as usize).find(|descriptor| !has_case(descriptor));
        match orphan {
            Some(_) if profile != "suite" => {
                Err(skip!("only the profile suite leaves out sections of functions that nothing calls"))
            }
            Some(descriptor) => Err(fail!("no case runs the section of the descriptor at {descriptor:#x}")),
            None => Ok(()),
        }
    }
}
