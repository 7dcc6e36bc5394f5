//! One line for each operation: its arguments, and what it leaves behind.

use rseq_core::ops::librseq::*;
use rseq_core::ops::this_cpu;
use rseq_core::{Area, ByCpu, Index, OwnArea, Relaxed, Release};

use super::case::{self, Case, case, own};
use super::scene::{COUNT, LENGTH, NEW, NEW_SECOND, Own, START, STRIDE, takes};

/// The offset of a node's second word, and of an array's third.
const SECOND_WORD: usize = size_of::<usize>();
const THIRD_WORD: usize = 2 * size_of::<usize>();

fn plain(_: &Own, _: u8) -> [usize; 2] {
    [START, 0]
}

pub fn any(_: &Own) -> bool {
    true
}

pub fn new(_: &Own) -> usize {
    NEW
}

fn sum(_: &Own) -> usize {
    START + COUNT
}

fn one_more(_: &Own) -> usize {
    START + 1
}

fn first(own: &Own) -> usize {
    &raw const own.first as usize
}

fn list(own: &Own, _: u8) -> [usize; 2] {
    [first(own), 0]
}

fn maybe_list(own: &Own, fails: u8) -> [usize; 2] {
    [if fails == 1 { 0 } else { first(own) }, 0]
}

fn next(own: &Own) -> usize {
    &raw const own.second_node as usize
}

fn popped(own: &Own) -> bool {
    own.popped == first(own)
}

fn free(own: &Own) -> usize {
    &raw const own.free as usize
}

fn linked(own: &Own) -> bool {
    own.free[0] == START
}

fn stored(own: &Own) -> bool {
    own.second == NEW_SECOND
}

pub fn copied(own: &Own) -> bool {
    own.to[..LENGTH] == own.from[..LENGTH] && own.to[LENGTH..].iter().all(|byte| *byte == 0)
}

/// Every operation of `rseq-core`, in each order.
#[rustfmt::skip]
pub fn operations<'r, A: Area, I: Index>() -> impl ExactSizeIterator<Item = Case<'r, A, I>> {
    [
        case!("load_cbne_store", Caller compares 1 scratch 0 takes takes::WORD | takes::EXPECT | takes::NEW,
            [plain] => [new] [any]
            |s| load_cbne_store(s.token, s.at, s.word, s.expect, NEW)),
        case!("load_add_store", Caller compares 0 scratch 0 takes takes::WORD | takes::COUNT, [plain] => [sum] [any]
            |s| load_add_store(s.token, s.at, s.word, COUNT)),
        case!("load_cbeq_store_add_load_store", Caller compares 1 scratch 1
            takes takes::WORD | takes::EXPECT | takes::POPPED,
            [list] => [next] [popped]
            |s| load_cbeq_store_add_load_store(s.token, s.at, s.word, s.expect, SECOND_WORD, own!(s popped as usize))),
        case!("load_add_load_load_add_store", Caller compares 0 scratch 1 takes takes::ARRAY | takes::COUNT,
            [plain] => [sum] [any]
            |s| load_add_load_load_add_store(s.token, s.at, own!(s array as usize), THIRD_WORD, COUNT)),
        case!("load_cbne_load_cbne_store", Caller compares 2 scratch 0
            takes takes::WORD | takes::EXPECT | takes::SECOND | takes::EXPECT_SECOND | takes::NEW,
            [plain] => [new] [any]
            |s| load_cbne_load_cbne_store(s.token, s.at, s.word, s.expect, own!(s second as usize),
                s.expect_second, NEW)),
        case!("load_cbne_store_store, relaxed", Caller compares 1 scratch 0
            takes takes::WORD | takes::EXPECT | takes::SECOND | takes::NEW_SECOND | takes::NEW,
            [plain] => [new] [stored]
            |s| load_cbne_store_store::<Relaxed, A, I>(s.token, s.at, s.word, s.expect, own!(s second as usize),
                NEW_SECOND, NEW)),
        case!("load_cbne_store_store, release", Caller compares 1 scratch 0
            takes takes::WORD | takes::EXPECT | takes::SECOND | takes::NEW_SECOND | takes::NEW,
            [plain] => [new] [stored]
            |s| load_cbne_store_store::<Release, A, I>(s.token, s.at, s.word, s.expect, own!(s second as usize),
                NEW_SECOND, NEW)),
        case!("load_cbne_memcpy_store, relaxed", Caller compares 1 scratch 1
            takes takes::WORD | takes::EXPECT | takes::NEW,
            [plain] => [new] [copied]
            |s| load_cbne_memcpy_store::<Relaxed, A, I>(s.token, s.at, s.word, s.expect, own!(s to as u8),
                own!(s from as u8), LENGTH, NEW)),
        case!("load_cbne_memcpy_store, release", Caller compares 1 scratch 1
            takes takes::WORD | takes::EXPECT | takes::NEW,
            [plain] => [new] [copied]
            |s| load_cbne_memcpy_store::<Release, A, I>(s.token, s.at, s.word, s.expect, own!(s to as u8),
                own!(s from as u8), LENGTH, NEW)),
        case!("add", Here compares 0 scratch 1 takes takes::BASE | takes::COUNT, [plain] => [sum] [any]
            |s| this_cpu::add::<STRIDE, A, I>(s.token, s.base, s.len, COUNT)),
        case!("inc", Here compares 0 scratch 1 takes takes::BASE, [plain] => [one_more] [any]
            |s| this_cpu::inc::<STRIDE, A, I>(s.token, s.base, s.len)),
        case!("add_unchecked", Unchecked compares 0 scratch 1 takes takes::BASE | takes::COUNT, [plain] => [sum] [any]
            |s| this_cpu::add_unchecked::<STRIDE, A, I>(s.token, s.base, COUNT)),
        case!("cmpxchg", Here compares 1 scratch 1 takes takes::BASE | takes::EXPECT | takes::NEW,
            [plain] => [new] [any]
            |s| this_cpu::cmpxchg::<STRIDE, A, I>(s.token, s.base, s.len, s.expect, NEW)),
        case!("push", Here compares 0 scratch 2 takes takes::BASE | takes::FREE, [plain] => [free] [linked]
            |s| this_cpu::push::<STRIDE, A, I>(s.token, s.base, s.len, own!(s free as usize))),
        case!("pop", Here compares 1 scratch 2 takes takes::BASE, [maybe_list] => [next] [popped]
            |s| this_cpu::pop::<STRIDE, A, I>(s.token, s.base, s.len)),
    ]
    .into_iter()
}

/// How many there are.
pub fn count() -> u32 {
    operations::<OwnArea, ByCpu>().len() as u32
}

/// What all operations are called where they are stated.
pub fn names() -> impl Iterator<Item = &'static str> {
    const CALLER: [&str; librseq_sections::SECTIONS.len()] = case::names(librseq_sections::SECTIONS);
    const HERE: [&str; this_cpu_sections::SECTIONS.len()] = case::names(this_cpu_sections::SECTIONS);
    CALLER.into_iter().chain(HERE)
}

mod librseq_sections {
    use rseq_core::{Aborted, Committed, CompareFailed};
    rseq_core::__librseq_sections!(#![model]);
}

mod this_cpu_sections {
    use rseq_core::{Committed, CompareFailed, OutOfRange};
    rseq_core::__this_cpu_sections!(#![model]);
}
