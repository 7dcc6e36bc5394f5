//! What each step of a section does: every form of every step, next to an interpreter of the same sections.
//!
//! The sections are those of `rseq_core::testing`, with edge values and random ones, on the own area and an adopted
//! one.
#![no_std]
#![no_main]
// Assembly for MIPS is unstable Rust.
#![cfg_attr(any(target_arch = "mips64", target_arch = "mips64r6"), feature(asm_experimental_arch))]

mod inputs;
mod memory;

use harness::ktap::{OrFail, Unmet, Verdict};
use harness::sys::cpu::{self, Set};
use harness::{args, ensure, fail, note, program, registration, require, tests};
use rseq_core::testing::{Call, Compiled, Ending, Fault, Run, SectionIr};
use rseq_core::{Area, Registration, Token};
use rseq_rt::process::ExitCode;

use crate::inputs::{Choices, Inputs};
use crate::memory::{Arena, Image};

rseq_rt::entry!(main);

mod sections {
    use rseq_core::{Aborted, CompareFailed, OutOfRange};
    rseq_core::__every_step_sections!(#![model]);
}
use sections::SECTIONS;

const USAGE: &str = "step_test: every step of a section in every form, next to an interpreter\n\
usage: step_test [--short]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

/// The most ways in which a section ends.
const ENDINGS: usize = 4;

/// Calls of a section that are aborted one after the other: more are no accident.
const ABORTS: u32 = 1000;

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let rounds = if args::short(USAGE) { 1000 } else { 5000 };
    let (token, cpu) = require!(prepare());
    let mut arena = Arena::new();
    let adopted = Registration::adopt();
    tests! {
        suite * SECTIONS.len() as u32 => SECTIONS.iter().for_each(|ir| {
            let verdict = Trial { ir, cpu, token, run: |compiled| compiled.own }.all(&mut arena, rounds);
            suite.report(format_args!("{}, own area", ir.name), verdict);
        }),
        suite * SECTIONS.len() as u32 => SECTIONS.iter().for_each(|ir| {
            let verdict = match &adopted {
                Ok(adopted) => {
                    Trial { ir, cpu, token: adopted.token(), run: |compiled| compiled.adopted }.all(&mut arena, rounds)
                }
                Err(error) => Err(fail!("{error}")),
            };
            suite.report(format_args!("{}, adopted area", ir.name), verdict);
        }),
    }
}

/// This thread's token, and the CPU that it stays on.
fn prepare() -> Result<(harness::index::Here, u32), Unmet> {
    let token = registration::token()?;
    let allowed = cpu::affinity(0).or_fail("sched_getaffinity")?;
    let first = allowed.iter().next().or_fail("an allowed CPU")?;
    cpu::set_affinity(0, &Set::only(first)).or_fail("sched_setaffinity")?;
    Ok((token, first))
}

/// A section, and where it runs.
struct Trial<'r, A> {
    ir: &'static SectionIr,
    cpu: u32,
    token: Token<'r, A>,
    run: fn(&Compiled) -> Run<A>,
}

impl<A: Area> Trial<'_, A> {
    fn all(&self, arena: &mut Arena, rounds: u32) -> Verdict {
        let mut seen = Seen::default();
        let mut choices = Choices::new();
        for compiled in self.ir.compiled {
            let mut compared = 0;
            for _ in 0..rounds {
                let (inputs, before) = Inputs::choose(self.ir, arena.address(), self.cpu, &mut choices);
                if let Some(ending) = self.compare(compiled, arena, &inputs, &before)? {
                    seen.note(ending);
                    compared += 1;
                }
            }
            ensure!(compared > rounds / 8, "{compared} of {rounds} inputs are at addresses that the section may use");
        }
        let exits = self.ir.steps.iter().filter_map(|step| step.exit);
        let missing = exits.map(Ending::Left).chain([Ending::Committed(None)]).find(|ending| !seen.has(*ending));
        ensure!(missing.is_none(), "it never ended with {missing:?}");
        Ok(())
    }

    /// One call; None where an address is misaligned.
    fn compare(
        &self,
        compiled: &Compiled,
        arena: &mut Arena,
        inputs: &Inputs,
        before: &Image,
    ) -> Result<Option<Ending>, Unmet> {
        let mut expected = before.clone();
        let ending = match Call::new(self.ir, inputs.words()).complete(self.cpu as i32, &mut expected) {
            Ok(ending) => ending,
            Err(Fault::Misaligned(_)) => return Ok(None),
            Err(fault) => return Err(fail!("{fault:x?} with {:x?}", inputs.words())),
        };
        let found = self.call(compiled, arena, inputs, before, ending)?;
        let same = found == ending && arena.holds(&expected);
        if !same {
            note!("with {:x?} in {:x?}", inputs.words(), before.words());
            note!("expected {ending:x?} and {:x?}", expected.words());
            note!("found {found:x?} and {:x?}", arena.image().words());
        }
        ensure!(same, "{found:x?}, expected: {ending:x?}");
        Ok(Some(ending))
    }

    /// Calls the section until the kernel does not abort it.
    fn call(
        &self,
        compiled: &Compiled,
        arena: &mut Arena,
        inputs: &Inputs,
        before: &Image,
        expected: Ending,
    ) -> Result<Ending, Unmet> {
        for _ in 0..ABORTS {
            arena.fill(before);
            // SAFETY: the interpreter has shown that with these words the section stays in the arena, which is
            // only used here; there is one word for each parameter.
            let ending = match unsafe { (self.run)(compiled)(self.token, inputs.words()) } {
                Ok(output) => Ending::Committed(output),
                Err(exit) => Ending::Left(exit),
            };
            if ending == expected || self.ir.abort.is_none_or(|abort| ending != Ending::Left(abort)) {
                return Ok(ending);
            }
        }
        Err(fail!("{ABORTS} calls were aborted with {:x?}", inputs.words()))
    }
}

/// The ways in which a section has ended.
#[derive(Default)]
struct Seen {
    endings: [Option<Ending>; ENDINGS],
}

impl Seen {
    fn note(&mut self, ending: Ending) {
        let kind = match ending {
            Ending::Committed(_) => Ending::Committed(None),
            left @ Ending::Left(_) => left,
        };
        if !self.has(kind)
            && let Some(free) = self.endings.iter_mut().find(|slot| slot.is_none())
        {
            *free = Some(kind);
        }
    }

    fn has(&self, ending: Ending) -> bool {
        self.endings.contains(&Some(ending))
    }
}
