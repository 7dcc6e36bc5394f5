//! One line for each section of `rseq_core::testing` that states the steps, which are worth an abort at each
//! instruction too.

use rseq_core::testing::Arithmetic;
use rseq_core::{Area, ByCpu, Index, OwnArea, Relaxed, Release};

use harness::forced::case::{self, Case, case, own};
use harness::forced::operations::{any, copied};
use harness::forced::scene::{COUNT, LENGTH, NEW, Own, SECOND, START, STRIDE, takes};

mod sections {
    use rseq_core::{Aborted, CompareFailed, OutOfRange};
    rseq_core::__every_step_sections!();
}
use sections::*;

mod data {
    use rseq_core::{Aborted, CompareFailed, OutOfRange};
    rseq_core::__every_step_sections!(#![model]);
}

/// What they are called.
pub fn names() -> impl Iterator<Item = &'static str> {
    const NAMES: [&str; data::SECTIONS.len()] = case::names(data::SECTIONS);
    NAMES.into_iter()
}

const WORD: usize = size_of::<usize>();

/// Both words of a slot hold something.
fn two(_: &Own, _: u8) -> [usize; 2] {
    [START, SECOND]
}

/// Puts the low `bytes` of `value` at `at`.
fn put(to: &mut [u8], at: usize, bytes: usize, value: usize) {
    let first = if cfg!(target_endian = "little") { 0 } else { WORD - bytes };
    to[at..at + bytes].copy_from_slice(&value.to_ne_bytes()[first..first + bytes]);
}

/// A word of which some bytes have been stored to.
fn with(word: usize, at: usize, bytes: usize, value: usize) -> usize {
    let mut all = word.to_ne_bytes();
    put(&mut all, at, bytes, value);
    usize::from_ne_bytes(all)
}

/// The low bytes of a slot that holds [`two`].
fn part(bytes: usize, at: usize) -> usize {
    let mut slot = [0; 16];
    slot[..WORD].copy_from_slice(&START.to_ne_bytes());
    slot[8..8 + WORD].copy_from_slice(&SECOND.to_ne_bytes());
    let mut word = [0; WORD];
    let first = if cfg!(target_endian = "little") { 0 } else { WORD - bytes };
    word[first..first + bytes].copy_from_slice(&slot[at..at + bytes]);
    usize::from_ne_bytes(word)
}

/// The sum of loads, each shifted by those after it.
fn sum(loads: &[(usize, usize)]) -> usize {
    loads.iter().fold(0, |sum, (bytes, at)| (sum << 1).wrapping_add(part(*bytes, *at)))
}

/// What two sections make of `word`: for each arithmetic step they double it, and add what the step computes.
fn chain(word: usize, value: usize) -> usize {
    let step = |sum: usize, step: &Arithmetic| (sum << 1).wrapping_add((step.compute)(START, value));
    Arithmetic::ALL.iter().fold(word, step)
}

fn computed(_: &Own) -> usize {
    chain(COUNT, NEW).wrapping_add(SECOND) << 3 >> 5
}

fn computed_with_literals(_: &Own) -> usize {
    chain(255, 203) // a literal that has bits in common with the slot
}

/// The value that passes all comparisons, or the one that fails the given one.
fn compared(_: &Own, fails: u8) -> [usize; 2] {
    match fails {
        1 => [0, 0],
        3 => [200, 0],
        5 => [7, 0],
        6 => [100, 1],
        _ => [100, 0],
    }
}

fn compared_in_memory(_: &Own, fails: u8) -> [usize; 2] {
    match fails {
        2 => [3, SECOND],
        3 => [START, 4],
        4 => [START, 5],
        5 => [START, START],
        _ => [START, SECOND],
    }
}

fn narrow(_: &Own) -> usize {
    let bytes = [(1, 0), (1, 4), (1, 3), (1, 4)];
    let [halves, words] = [[(2, 0), (2, 4), (2, 2), (2, 4)], [(4, 0), (4, 4), (4, 4), (4, 4)]];
    let all: [(usize, usize); 12] = core::array::from_fn(|i| [bytes, halves, words][i / 4][i % 4]);
    sum(&all)
}

fn ordered(_: &Own) -> usize {
    sum(&[(WORD, 0), (WORD, 8), (WORD, 8), (WORD, 8), (WORD, 8)])
}

fn pieces(own: &Own) -> bool {
    let mut expected = [0; 16];
    let stores = [(0, WORD, NEW), (8, WORD, 77), (4, 4, NEW), (4, 2, 200), (3, 1, NEW), (4, 1, 5), (2, 2, NEW)];
    stores.iter().for_each(|(at, bytes, value)| put(&mut expected, *at, *bytes, *value));
    let [first, second] = own.pieces.map(u64::to_ne_bytes);
    first == expected[..8] && second == expected[8..]
}

/// Makes two cases of one line, one for each order.
macro_rules! orders {
    ($name:ident [$end:expr] at $at:literal $takes:expr, |$s:ident| ($($arg:expr),*)) => {
        [
            case!(concat!(stringify!($name), ", relaxed"), Caller compares 0 scratch 0 takes takes::WORD | $takes,
                [two] => at $at [$end] [any] |$s| $name::<Relaxed, A, I>($s.token, $s.at, $s.word $(, $arg)*)),
            case!(concat!(stringify!($name), ", release"), Caller compares 0 scratch 0 takes takes::WORD | $takes,
                [two] => at $at [$end] [any] |$s| $name::<Release, A, I>($s.token, $s.at, $s.word $(, $arg)*)),
        ]
    };
}

/// The sections whose commits have no order.
#[rustfmt::skip]
fn plain<'r, A: Area, I: Index>() -> impl Iterator<Item = Case<'r, A, I>> {
    [
        case!("compute", Caller compares 0 scratch 2 takes takes::WORD | takes::COUNT | takes::NEW,
            [two] => [computed] [|own| own.popped == computed(own)]
            |s| compute(s.token, s.at, s.word, COUNT, NEW)),
        case!("compute_with_literals", Caller compares 0 scratch 2 takes takes::WORD,
            [two] => [computed_with_literals] [|own| own.popped == 9]
            |s| compute_with_literals(s.token, s.at, s.word)),
        case!("compare", Caller compares 6 scratch 1 takes takes::WORD, [compared] => at 8 [|_| 1] [any]
            |s| compare(s.token, s.at, s.word, if s.fails == 2 { 100 } else { 1000 },
                if s.fails == 4 { 100 } else { 55 })),
        case!("compare_in_memory", Caller compares 5 scratch 0 takes takes::WORD | takes::EXPECT,
            [compared_in_memory] => [|_| START.wrapping_add(START)] [any]
            |s| compare_in_memory(s.token, s.at, s.word, 8, s.expect)),
        case!("load_narrow", Caller compares 0 scratch 2 takes takes::WORD,
            [two] => [narrow] [|own| own.popped == narrow(own)]
            |s| load_narrow(s.token, s.at, s.word, 4)),
        case!("load_ordered", Caller compares 0 scratch 2 takes takes::WORD,
            [two] => at 8 [ordered] [|own| own.popped == ordered(own)]
            |s| load_ordered(s.token, s.at, s.word, 8, 1)),
        case!("store_narrow", Caller compares 0 scratch 0 takes takes::WORD | takes::NEW,
            [two] => [|_| with(START, 0, 4, NEW)] [pieces]
            |s| store_narrow(s.token, s.at, s.word, own!(s pieces as usize), NEW, 4)),
        case!("commit_half", Caller compares 0 scratch 0 takes takes::WORD | takes::COUNT,
            [two] => at 8 [|_| with(SECOND, 0, 2, COUNT)] [any]
            |s| commit_half(s.token, s.at, s.word, COUNT, 1)),
        case!("commit_byte", Caller compares 0 scratch 0 takes takes::WORD | takes::COUNT,
            [two] => [|_| with(START, 3, 1, COUNT)] [any]
            |s| commit_byte(s.token, s.at, s.word, COUNT, 3)),
        case!("copy_and_count", Caller compares 0 scratch 1 takes takes::WORD, [two] => [|_| LENGTH] [copied]
            |s| copy_and_count(s.token, s.at, s.word, own!(s to as u8), own!(s from as u8), LENGTH)),
        case!("two_strides", Here compares 0 scratch 3 takes takes::BASE,
            [two] => [|_| SECOND] [|own| own.popped == START]
            |s| two_strides::<STRIDE, STRIDE, A, I>(s.token, s.base, s.base.byte_add(8), s.len)),
    ]
    .into_iter()
}

/// The sections whose commits have one.
#[rustfmt::skip]
fn in_order<'r, A: Area, I: Index>() -> impl Iterator<Item = Case<'r, A, I>> {
    [
        orders!(commit_literal [|_| 200] at 0 0, |s| ()),
        orders!(commit_sum [|_| NEW] at 8 takes::NEW, |s| (8, NEW)),
        orders!(commit_displaced [|_| NEW] at 8 takes::NEW, |s| (NEW)),
        orders!(commit_scaled [|_| NEW] at 8 takes::NEW, |s| (1, NEW)),
        orders!(add_sum [|_| SECOND + COUNT] at 8 takes::COUNT, |s| (8, COUNT)),
        orders!(add_displaced [|_| SECOND + 200] at 8 0, |s| ()),
        orders!(add_scaled [|_| SECOND + COUNT] at 8 takes::COUNT, |s| (1, COUNT)),
        orders!(increment_scaled [|_| SECOND + 1] at 8 0, |s| (1)),
    ]
    .into_iter()
    .flatten()
}

/// All of them.
pub fn steps<'r, A: Area, I: Index>() -> impl Iterator<Item = Case<'r, A, I>> {
    plain().chain(in_order())
}

/// How many cases there are.
pub fn count() -> u32 {
    steps::<OwnArea, ByCpu>().count() as u32
}
