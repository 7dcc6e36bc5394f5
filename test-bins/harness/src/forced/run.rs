//! Forces an event at every point of a section, in every state, and checks the result.

use core::fmt;

use crate::ktap::{OrFail, Unmet};
use crate::options::PATIENCE;
use crate::sys::time::{self, Deadline};
use crate::{fail, late};
use rseq_core::{Area, ByCpu, Index, Token};

use super::breakpoint::{self, Plan, Published, Registers, Seen};
use super::case::{Case, Ended, Family};
use super::scene::{self, Scene, Stage, State};
use super::section::Section;

/// What is wrong with a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// An event before the commit did not lead to the abort handler.
    NotAborted,
    /// An event outside of the section did.
    AbortedOutside,
    /// `rseq_cs` was not cleared by an abort.
    StillArmed,
    /// The published words changed before the commit.
    PublishedEarly,
    /// They had not changed after it.
    NotPublished,
    /// An abort, or another index than the caller's, was not reported.
    NotReported,
    /// The operation ended in another way than it should.
    Ending(Ended),
    /// It is not there exactly once, in the right slot, with its own memory right.
    Result,
    /// It never ended.
    Endless,
    /// No state led there.
    Unreached,
    /// The kernel aborted it by itself, each time that it was tried, without a context switch.
    Interrupted,
    /// More registers changed than were declared.
    Registers(u32),
    /// An input was lost in a register.
    Input(u32),
    /// Flags changed that have to stay.
    Flags,
}

/// Where and when it went wrong.
#[derive(Clone, Copy)]
pub struct Fault {
    pub wrong: Wrong,
    /// Bytes from the section's start.
    pub offset: isize,
    pub state: State,
    pub hits: u32,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wrong, offset, state, hits } = self;
        write!(f, "{wrong:?}, with {hits} event(s) at {offset:+} bytes from the start, state {state:?}")
    }
}

/// What was tried.
#[derive(Clone, Copy, Default)]
pub struct Tally {
    /// Points.
    pub points: u32,
    /// Those before the commit and in the section.
    pub inside: u32,
    /// Events forced.
    pub events: u32,
    /// Aborts that they led to.
    pub aborts: u32,
    /// Operations that the kernel interrupted by itself, and that were tried again.
    pub repeated: u32,
}

/// How often an operation may be aborted by itself, where no context switch explains that.
const TRIES: u32 = 20;

/// A case, what it works on, and its section.
pub struct Trial<'t, 'r, A: Area, I: Index> {
    pub case: &'t Case<'r, A, I>,
    pub stage: &'t Stage,
    pub token: Token<'r, A, I>,
}

impl<'r, A: Area, I: Index> Trial<'_, 'r, A, I> {
    /// The section that the case runs: the descriptor that it leaves in `rseq_cs`.
    pub fn find(&self) -> Result<Section, Unmet> {
        for _ in 0..1000 {
            self.stage.reset(|own| (self.case.start)(own, 0));
            self.call(State::Commits, false);
            let descriptor = breakpoint::rseq_cs();
            if descriptor != 0 {
                // SAFETY: the linker lists this program's descriptors.
                return unsafe { Section::read(descriptor as *mut _, true) };
            }
        }
        Err(fail!("the operation leaves no descriptor in rseq_cs"))
    }

    /// Every point in every state, with one event and with two.
    pub fn every_point(&self, section: &Section) -> Result<Result<Tally, Fault>, Unmet> {
        let mut tally = Tally { points: section.points().len() as u32, ..Tally::default() };
        let moves = self.stage.other_cpu(0).is_some();
        breakpoint::set_registers(Registers::default());
        for &point in section.points() {
            tally.inside += u32::from(section.contains(point));
            let mut reached = false;
            for state in self.states().filter(|state| *state != State::Moves || moves) {
                for hits in 1..=if section.contains(point) { 2 } else { 1 } {
                    match self.undisturbed(section, point, state, hits, &mut tally.repeated)? {
                        Ok(seen) => {
                            reached |= seen.aborted + seen.passed > 0;
                            tally.events += seen.aborted + seen.passed;
                            tally.aborts += seen.aborted;
                        }
                        Err(wrong) => return Ok(Err(Self::fault(section, point, state, hits, wrong))),
                    }
                }
            }
            if !reached {
                return Ok(Err(Self::fault(section, point, State::Commits, 1, Wrong::Unreached)));
            }
        }
        Ok(self.registers(section).map(|()| tally))
    }

    fn states(&self) -> impl Iterator<Item = State> {
        let fails = (1..=self.case.compares).map(State::Fails);
        let elsewhere = (self.case.family != Family::Unchecked).then_some(State::Elsewhere);
        [State::Commits].into_iter().chain(fails).chain([State::Moves]).chain(elsewhere)
    }

    fn registers(&self, section: &Section) -> Result<(), Fault> {
        let registers = breakpoint::registers();
        let declared = self.case.scratch + super::arch::TEMPORARIES;
        let wrong = match () {
            () if super::arch::INPUTS_IN_REGISTERS && registers.lost != 0 => Wrong::Input(registers.lost),
            () if registers.changed() > declared => Wrong::Registers(registers.changed()),
            () if registers.has_flags() => Wrong::Flags,
            () => return Ok(()),
        };
        Err(Self::fault(section, section.end, State::Commits, 1, wrong))
    }

    fn fault(section: &Section, point: usize, state: State, hits: u32, wrong: Wrong) -> Fault {
        Fault { wrong, offset: point.wrapping_sub(section.start) as isize, state, hits }
    }

    /// An operation that the kernel did not interrupt by itself; interrupted ones are tried again.
    ///
    /// A context switch shows an interruption, and says nothing of the section: on a busy machine there may be one in
    /// most operations, which then take as long as the time between two of them. Not every interruption shows:
    /// kernels before 6.19 remember a signal that came outside of a section, and abort the next section that is
    /// interrupted for the thread's own work. That abort, [`TRIES`] times, is [`Wrong::Interrupted`].
    fn undisturbed(
        &self,
        section: &Section,
        point: usize,
        state: State,
        hits: u32,
        repeated: &mut u32,
    ) -> Result<Result<Seen, Wrong>, Unmet> {
        let (registers, deadline) = (breakpoint::registers(), Deadline::after(PATIENCE));
        let (mut aborts, mut switched) = (0, 0);
        while aborts < TRIES {
            let before = breakpoint::interruptions().or_fail("getrusage")?;
            let result = self.once(section, point, state, hits)?;
            let is_switched = breakpoint::interruptions().or_fail("getrusage")? != before;
            match result {
                _ if is_switched && deadline.is_past() => {
                    return Err(late!("switched away from {switched} times, in each operation at one point"));
                }
                // What came due meanwhile is done before the next try.
                _ if is_switched => time::sleep(time::MICROSECOND),
                Err(Wrong::Interrupted) => aborts += 1,
                result => return Ok(result),
            }
            switched += u32::from(is_switched);
            breakpoint::set_registers(registers);
            *repeated += 1;
        }
        Ok(Err(Wrong::Interrupted))
    }

    /// One operation with `hits` events at `point`.
    fn once(&self, section: &Section, point: usize, state: State, hits: u32) -> Result<Result<Seen, Wrong>, Unmet> {
        self.stage.reset(|own| (self.case.start)(own, state.fails()));
        let here = self.token.cpu_id();
        let moves_to = self.stage.other_cpu(here).filter(|_| state == State::Moves);
        let watches = state == State::Commits && hits == 1;
        let watched = if watches { [section.entry, section.end] } else { [0; 2] };
        let abort_ends = self.case.family == Family::Caller;
        let plan = Plan { point, hits, abort: section.abort, moves_to, watched, abort_ends };
        let inputs = self.scene(state, false).inputs(self.case.takes);
        breakpoint::set(&plan, &self.published(), &inputs);
        let before = scene::index_now::<I>();
        let called = self.until_ended(section, point, state);
        let seen = breakpoint::clear();
        let checked = called.and_then(|(ended, slot)| self.check(section, point, state, &seen, ended, slot, before));
        if state == State::Moves && self.token.cpu_id() == here && seen.aborted + seen.passed > 0 {
            scene::go_to(here).or_fail("sched_setaffinity")?;
            return Err(fail!("the thread did not go to the other CPU"));
        }
        Ok(checked.map(|()| seen))
    }

    fn published(&self) -> Published {
        self.stage.published(self.case.private)
    }

    fn scene(&self, state: State, is_retry: bool) -> Scene<'r, A, I> {
        let is_elsewhere = state == State::Elsewhere && !is_retry;
        let at = scene::index_now::<I>() + usize::from(is_elsewhere);
        let len = if is_elsewhere { 0 } else { self.stage.slots() };
        self.case.scene(self.stage, self.token, at, len, state.fails())
    }

    fn call(&self, state: State, is_retry: bool) -> (Ended, usize) {
        let scene = self.scene(state, is_retry);
        (core::hint::black_box(self.case.call)(&scene), scene.at)
    }

    /// Calls, as a caller would, until the operation is over. The slot is that of the last call.
    fn until_ended(&self, section: &Section, point: usize, state: State) -> Result<(Ended, usize), Wrong> {
        for attempt in 0..6 {
            let before = breakpoint::seen();
            let (ended, slot) = self.call(state, attempt > 0);
            if self.case.family != Family::Caller {
                return Ok((ended, slot));
            }
            let aborted = breakpoint::seen().aborted > before.aborted;
            let is_elsewhere = state == State::Elsewhere && attempt == 0;
            let has_moved = point < section.start && scene::index_now::<I>() != slot;
            if (aborted || is_elsewhere || has_moved) != (ended == Ended::Aborted) {
                // A section that leaves by a wrong exit stays in `rseq_cs`; one that commits has published.
                let was_aborted = breakpoint::rseq_cs() == 0 && self.published().is_untouched();
                return Err(match ended {
                    Ended::Aborted if was_aborted => Wrong::Interrupted,
                    Ended::Aborted => Wrong::Ending(ended),
                    _ => Wrong::NotReported,
                });
            }
            if ended != Ended::Aborted {
                return Ok((ended, slot));
            }
        }
        Err(Wrong::Endless)
    }

    #[allow(clippy::too_many_arguments, reason = "everything that is known of one operation")]
    fn check(
        &self,
        section: &Section,
        point: usize,
        state: State,
        seen: &Seen,
        ended: Ended,
        slot: usize,
        before: usize,
    ) -> Result<(), Wrong> {
        let (inside, after) = (section.contains(point), point >= section.end);
        let refuses = matches!(self.case.family, Family::Here | Family::Pinned);
        // The thread is at another index before the section compares.
        let is_unpinned = self.case.family == Family::Pinned && !after && scene::index_now::<I>() != before;
        let expected = match state {
            State::Fails(_) => Ended::CompareFailed,
            State::Elsewhere if refuses => Ended::OutOfRange,
            _ if is_unpinned => Ended::CompareFailed,
            _ => Ended::Committed,
        };
        let commits = expected == Ended::Committed;
        // Where the exits join the way after the commit, an attempt that was turned away comes by as well.
        let is_published = after && commits && state != State::Elsewhere;
        let faults = [
            (inside && seen.passed > 0, Wrong::NotAborted),
            (!inside && seen.aborted > 0 || seen.aborted_after > 0, Wrong::AbortedOutside),
            (seen.armed > 0, Wrong::StillArmed),
            (!after && seen.published > 0, Wrong::PublishedEarly),
            (is_published && seen.passed > seen.published, Wrong::NotPublished),
            (ended != expected, Wrong::Ending(ended)),
        ];
        if let Some((_, wrong)) = faults.into_iter().find(|(is_so, _)| *is_so) {
            return Err(wrong);
        }
        let slot = match self.case.family {
            Family::Caller => slot,
            // After the commit, the move came too late for it.
            _ if after => before,
            _ => scene::index_now::<I>(),
        };
        // By CPU, the operation took place where the thread was sent, unless it was over by then.
        let right_cpu = I::OFFSET != ByCpu::OFFSET || seen.aborted + seen.passed == 0 || {
            slot == if after { before } else { scene::index_now::<I>() }
        };
        // SAFETY: the stage's own memory; nothing writes it now.
        let own = unsafe { &*self.stage.own() };
        let result = if commits {
            let end = (self.case.end)(own);
            right_cpu && self.stage.changed_only(slot, &end, self.case.private) && (self.case.own)(own)
        } else {
            self.published().is_untouched()
        };
        if result { Ok(()) } else { Err(Wrong::Result) }
    }
}
