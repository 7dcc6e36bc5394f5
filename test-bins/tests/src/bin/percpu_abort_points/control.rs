//! Sections of types made wrong: a stack that publishes its top before its item, and one that is not armed.

use core::hint::black_box;

use harness::ensure;
use harness::forced::case::{Case, case};
use harness::forced::run::{Trial, Wrong};
use harness::forced::scene::{NEW, Own, STRIDE, Stage, Words, words};
use harness::forced::section::Section;
use harness::ktap::{Suite, Verdict};
use harness::{fail, note};
use rseq_core::ops::this_cpu::Error;
use rseq_core::{Ambient, ByCpu, Committed, CompareFailed, OutOfRange, Token, critical_section};

use crate::layout::{any, one};

/// How many there are.
pub const CONTROLS: u32 = 2;

mod unarmed {
    use rseq_core::ops::this_cpu::Error;
    use rseq_core::{Committed, CompareFailed, OutOfRange};
    rseq_core::__pool_sections!(#![unarmed]);
}

type Push = unsafe fn(Token<'static, Ambient>, *mut usize, usize, usize, usize) -> Result<Committed, Error>;

/// Called by its address only.
static UNARMED: Push = unarmed::push::<STRIDE, _, _>;

critical_section! {
    #![unchecked]

    /// As a pool's `push`, but the count is there before the word.
    ///
    /// # Errors
    ///
    /// As a pool's.
    ///
    /// # Safety
    ///
    /// As a pool's.
    unsafe fn push_count_first(base: *mut usize, len: usize, limit: usize, word: usize) -> Result<Committed, Error> {
        exits(OutOfRange, CompareFailed) scratch(i, count) abort(restart) stride(STRIDE);
        load_index(i);
        bound(i, len) else OutOfRange;
        scale(i, STRIDE);
        add(i, base);
        load(count, [i]);
        bound(count, limit) else CompareFailed;
        add(count, 1);
        repeatable store([i], count);
        commit store([i + count * 8], word);
    }
}

/// A list without words, or a full one.
fn empty_or_full(_: &Own, fails: u8) -> Words {
    one(if fails == 1 { 5 } else { 0 })
}

/// Runs them; `claim` takes each section that one of them runs.
#[rustfmt::skip]
pub fn run(suite: &mut Suite, stage: &Stage, claim: &mut dyn FnMut(&Section)) {
    let wrong: [Case<'static, Ambient, ByCpu>; 2] = [
        case!("pool push, count first", Here compares 1 scratch 2 takes 0,
            slot [empty_or_full] private [8, 16] => [|_| words(&[(0, 1), (8, NEW)])] [any]
            |s| push_count_first::<STRIDE, _, _>(s.token, s.base, s.len, 5, NEW)),
        case!("pool push, unarmed", Here compares 1 scratch 2 takes 0,
            slot [empty_or_full] private [8, 16] => [|_| words(&[(0, 1), (8, NEW)])] [any]
            |s| black_box(UNARMED)(s.token, s.base, s.len, 5, NEW)),
    ];
    let [early, unarmed] = wrong.each_ref().map(|case| Trial { case, stage, token: Ambient::token() });
    let verdict = early.find().and_then(|section| caught(&early, &section, claim, Wrong::PublishedEarly));
    suite.report(format_args!("control caught: a count before its word"), verdict);
    let verdict =
        Section::unarmed(UNARMED as usize).and_then(|section| caught(&unarmed, &section, claim, Wrong::NotAborted));
    suite.report(format_args!("control caught: descriptor not stored"), verdict);
}

/// The section must fail, and for the expected reason.
fn caught(
    trial: &Trial<'_, 'static, Ambient, ByCpu>,
    section: &Section,
    claim: &mut dyn FnMut(&Section),
    expected: Wrong,
) -> Verdict {
    claim(section);
    match trial.every_point(section)? {
        Ok(_) => Err(fail!("not caught")),
        Err(fault) => {
            ensure!(fault.wrong == expected, "caught for another reason: {fault}");
            note!("{}: {fault}", trial.case.name);
            Ok(())
        }
    }
}
