//! The sections of stacks. Batches have a number of bytes that is no multiple of a word, so that copies take every way.

use harness::forced::case::{self, Case, case, own};
use harness::forced::scene::{LENGTH, NEW, Own, SECOND, START, STRIDE, Words, takes, words};
use rseq_core::{Area, Index};

use crate::layout::{any, one, with_bytes};

mod sections {
    use rseq_core::{Committed, CompareFailed, OutOfRange};
    rseq_core::__stack_sections!();
}
use sections::*;

mod data {
    use rseq_core::{Committed, CompareFailed, OutOfRange};
    rseq_core::__stack_sections!(#![model]);
}

/// How many there are.
pub const SECTIONS: usize = data::SECTIONS.len();

/// Their names, and whose they are.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    const NAMES: [&str; SECTIONS] = case::names(data::SECTIONS);
    NAMES.into_iter().map(|name| ("stack", name))
}

const WORD: usize = size_of::<usize>();
const HEADER: usize = 32;
/// The top of the stack where it has two items.
const TOP: usize = HEADER + 2 * WORD;

/// An open slot with this top and two items.
fn stack(top: usize) -> Words {
    words(&[(0, top), (8, STRIDE), (16, HEADER), (24, 2 * STRIDE), (HEADER, START), (HEADER + WORD, SECOND)])
}

/// A slot with this top and without items, which has room up to `end`.
fn empty(top: usize, end: usize) -> Words {
    words(&[(0, top), (8, end), (16, HEADER), (24, 2 * STRIDE)])
}

fn closed(top: usize) -> Words {
    words(&[(0, top), (16, usize::MAX), (24, 2 * STRIDE), (HEADER, START), (HEADER + WORD, SECOND)])
}

fn two_items(_: &Own, fails: u8) -> Words {
    if fails == 1 { closed(TOP) } else { stack(TOP) }
}

fn one_more(_: &Own) -> Words {
    let mut slot = stack(TOP + WORD);
    slot[TOP / WORD] = NEW;
    slot
}

fn batch(own: &Own) -> Words {
    with_bytes(empty(HEADER + LENGTH, STRIDE), HEADER, own)
}

fn is_counted(own: &Own) -> bool {
    // The third word of the state, at the beginning of its 8 bytes.
    let [.., count] = own.state.map(u64::to_ne_bytes);
    count[..WORD] == LENGTH.to_ne_bytes()
}

/// All of them.
#[rustfmt::skip]
pub fn cases<'r, A: Area, I: Index>() -> [Case<'r, A, I>; SECTIONS] {
    [
        case!("stack push", Here compares 1 scratch 3 takes takes::BASE | takes::NEW,
            slot [two_items] private [TOP, STRIDE] => [one_more] [any]
            |s| push::<STRIDE, A, I>(s.token, s.base, s.len, NEW)),
        case!("stack pop", Here compares 1 scratch 3 takes takes::BASE | takes::POPPED,
            slot [two_items] => [|_| stack(TOP - WORD)] [|own| own.popped == SECOND]
            |s| pop::<STRIDE, A, I>(s.token, s.base, s.len, own!(s popped as usize))),
        case!("stack push_batch", Here compares 1 scratch 3 takes takes::BASE | takes::FROM | takes::STATE,
            slot [|_, fails| empty(HEADER, if fails == 1 { 0 } else { STRIDE })] private [HEADER, STRIDE]
            => [batch] [is_counted]
            |s| push_batch::<STRIDE, A, I>(s.token, s.base, s.len, own!(s from as usize), LENGTH,
                own!(s state as usize))),
        case!("stack pop_batch", Here compares 1 scratch 3 takes takes::BASE | takes::TO | takes::STATE,
            slot [|own, fails| if fails == 1 { closed(HEADER + LENGTH) } else { batch(own) }]
            => [|own| with_bytes(empty(HEADER, STRIDE), HEADER, own)]
            [|own| own.to[..LENGTH] == own.from[..LENGTH] && is_counted(own)]
            |s| pop_batch::<STRIDE, A, I>(s.token, s.base, s.len, own!(s to as usize), LENGTH, own!(s state as usize))),
        case!("stack set_top", Pinned compares 1 scratch 1 takes takes::BASE | takes::NEW,
            slot [|_, _| one(START)] => [|_| one(NEW)] [any]
            |s| set_top::<STRIDE, A, I>(s.token, s.base, s.len, s.at + usize::from(s.fails), NEW)),
    ]
}
