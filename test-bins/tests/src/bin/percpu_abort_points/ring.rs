//! The sections of rings, in the order that rings use. The buffer is one for all slots.

use harness::forced::case::{self, Case, case, own};
use harness::forced::scene::{LENGTH, NEW, NEW_SECOND, Own, RING, STRIDE, Words, takes, words};
use rseq_core::{Area, Index, Release};

use crate::layout::any;

mod sections {
    use rseq_core::{CompareFailed, OutOfRange};
    rseq_core::__ring_sections!();
    rseq_core::__ring_word_sections!();
}
use sections::*;

mod data {
    use rseq_core::{CompareFailed, OutOfRange};
    rseq_core::__ring_sections!(#![model]);
}

mod data_of_words {
    use rseq_core::{CompareFailed, OutOfRange};
    rseq_core::__ring_word_sections!(#![model]);
}

/// How many there are.
pub const SECTIONS: usize = data::SECTIONS.len() + data_of_words::SECTIONS.len();

/// Their names, and whose they are.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    const NAMES: [&str; data::SECTIONS.len()] = case::names(data::SECTIONS);
    const OF_WORDS: [&str; data_of_words::SECTIONS.len()] = case::names(data_of_words::SECTIONS);
    NAMES.into_iter().chain(OF_WORDS).map(|name| ("ring", name))
}

const WORD: usize = size_of::<usize>();
/// Where the tail is: at the beginning of the buffer.
const TAIL: usize = 0x5ea7_0000;
/// More than any capacity.
const MOST: usize = usize::MAX / 2;
const UNIT: usize = 8;

/// Bytes of a record with so many of payload.
const fn size(payload: usize) -> usize {
    UNIT + payload.next_multiple_of(UNIT)
}

fn buffer(own: &Own) -> usize {
    &raw const own.ring as usize
}

fn slot(own: &Own, tail: usize, limit: usize) -> Words {
    words(&[(0, tail), (8, limit), (16, buffer(own).wrapping_sub(TAIL)), (24, buffer(own))])
}

/// A ring without records, or with no room for one.
fn empty(own: &Own, fails: u8) -> Words {
    slot(own, TAIL, if fails == 1 { TAIL } else { TAIL + RING })
}

/// A ring with another buffer, or with another tail, than the section is called for.
fn changed(own: &Own, fails: u8) -> Words {
    let mut slot = slot(own, TAIL + usize::from(fails == 2), TAIL + RING);
    slot[24 / WORD] += usize::from(fails == 1);
    slot
}

/// The ring with a tail so much further.
fn advanced(own: &Own, bytes: usize) -> Words {
    slot(own, TAIL + bytes, TAIL + RING)
}

fn has_header(own: &Own) -> bool {
    own.ring[..WORD] == NEW.to_ne_bytes()
}

/// The record is there, and nothing after it.
fn has_bytes(own: &Own) -> bool {
    has_header(own)
        && own.ring[UNIT..UNIT + LENGTH] == own.from[..LENGTH]
        && own.ring[UNIT + LENGTH..] == [0; RING - UNIT - LENGTH]
}

fn has_words(own: &Own, count: usize) -> bool {
    let payload = &own.ring[UNIT..];
    let is_there = |i: usize| payload[i * WORD..(i + 1) * WORD] == own.source[i].to_ne_bytes();
    has_header(own) && (0..count).all(is_there) && payload[count * WORD..].iter().all(|byte| *byte == 0)
}

fn limited(own: &Own) -> Words {
    words(&[(0, TAIL), (8, NEW), (16, NEW_SECOND), (24, buffer(own))])
}

/// Makes the case of a push of so many words.
macro_rules! of_words {
    ($name:ident $count:literal) => {
        case!(concat!("ring ", stringify!($name)),
            Here compares 1 scratch 3 takes takes::BASE | takes::NEW | takes::SOURCE,
            slot [empty] => [|own| advanced(own, size($count * WORD))] [|own| has_words(own, $count)]
            |s| $name::<Release, STRIDE, A, I>(s.token, s.base, s.len, MOST, NEW, own!(s source as usize)))
    };
}

/// All of them.
#[rustfmt::skip]
pub fn cases<'r, A: Area, I: Index>() -> [Case<'r, A, I>; SECTIONS] {
    [
        case!("ring push", Here compares 1 scratch 3 takes takes::BASE | takes::NEW | takes::FROM,
            slot [empty] => [|own| advanced(own, size(LENGTH))] [has_bytes]
            |s| push::<Release, STRIDE, A, I>(s.token, s.base, s.len, MOST, size(LENGTH), NEW, own!(s from as u8),
                LENGTH)),
        case!("ring reserve", Here compares 1 scratch 3 takes takes::BASE | takes::NEW,
            slot [empty] => [|own| advanced(own, size(LENGTH))] [|own| has_header(own) && own.popped == buffer(own)]
            |s| reserve::<Release, STRIDE, A, I>(s.token, s.base, s.len, MOST, size(LENGTH), NEW)),
        case!("ring pad", Here compares 2 scratch 1 takes takes::BASE | takes::NEW | takes::RING,
            slot [changed] => [|own| advanced(own, RING)] [has_header]
            |s| pad::<Release, STRIDE, A, I>(s.token, s.base, s.len, buffer(&*s.own), TAIL, own!(s ring as usize),
                NEW, TAIL + RING)),
        case!("ring set_limit",
            Here compares 2 scratch 1 takes takes::BASE | takes::NEW | takes::NEW_SECOND | takes::RING,
            slot [changed] private [16, 24] => [limited] [any]
            |s| set_limit::<STRIDE, A, I>(s.token, s.base, s.len, buffer(&*s.own), TAIL, NEW_SECOND, NEW)),
        of_words!(push_1 1),
        of_words!(push_2 2),
        of_words!(push_3 3),
        of_words!(push_4 4),
        of_words!(push_5 5),
        of_words!(push_6 6),
        of_words!(push_7 7),
        of_words!(push_8 8),
    ]
}
