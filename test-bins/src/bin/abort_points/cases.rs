//! One line for each operation: its arguments, and what it leaves behind.

use rseq_core::ops::librseq::{self, *};
use rseq_core::ops::this_cpu;
use rseq_core::testing::{Returned, SectionIr};
use rseq_core::{Aborted, Area, CompareFailed, Index, OutOfRange, Relaxed, Release};

use crate::scene::{COUNT, LENGTH, NEW, NEW_SECOND, Own, SECOND, START, STRIDE, Scene, takes};
use crate::steps;

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Committed,
    Aborted,
    CompareFailed,
    OutOfRange,
}

impl From<core::convert::Infallible> for Ended {
    fn from(never: core::convert::Infallible) -> Self {
        match never {}
    }
}

impl From<Aborted> for Ended {
    fn from(_: Aborted) -> Self {
        Self::Aborted
    }
}

impl From<OutOfRange> for Ended {
    fn from(_: OutOfRange) -> Self {
        Self::OutOfRange
    }
}

impl From<CompareFailed> for Ended {
    fn from(_: CompareFailed) -> Self {
        Self::CompareFailed
    }
}

impl From<librseq::Error> for Ended {
    fn from(why: librseq::Error) -> Self {
        match why {
            librseq::Error::Aborted => Self::Aborted,
            librseq::Error::CompareFailed => Self::CompareFailed,
        }
    }
}

impl From<this_cpu::Error> for Ended {
    fn from(why: this_cpu::Error) -> Self {
        match why {
            this_cpu::Error::CompareFailed => Self::CompareFailed,
            _ => Self::OutOfRange,
        }
    }
}

/// Who picks the slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// The caller, who calls again after an abort.
    Caller,
    /// The section, which restarts itself and turns away an index beyond the storage.
    Here,
    /// The section, which restarts itself and checks nothing.
    Unchecked,
}

/// An operation.
pub struct Case<'r, A: Area, I: Index> {
    pub name: &'static str,
    pub family: Family,
    /// How many comparisons may fail.
    pub compares: u8,
    /// How many scratch registers its statement names.
    pub scratch: u32,
    /// What its registers hold.
    pub takes: u32,
    /// What the slot's first word and the one 8 bytes after it hold before, given which comparison is to fail; 0: none.
    pub start: fn(&Own, u8) -> [usize; 2],
    /// Where the word is that the commit changes, in bytes from the slot's first.
    pub at: usize,
    /// What that holds after the commit.
    pub end: fn(&Own) -> usize,
    /// Whether the thread's own memory is right behind the commit.
    pub own: fn(&Own) -> bool,
    /// Makes the call.
    pub call: fn(&Scene<'r, A, I>) -> Ended,
}

/// How an operation ended; a word that it returned is noted.
pub fn ended<T: Returned, E>(result: Result<T, E>, own: *mut Own) -> Ended
where
    Ended: From<E>,
{
    match result {
        Ok(done) => {
            if let Some(word) = done.output() {
                // SAFETY: the stage's own memory, to which nobody holds a reference now.
                unsafe { (*own).popped = word };
            }
            Ended::Committed
        }
        Err(why) => Ended::from(why),
    }
}

/// Makes a case of one line; every call is of one kind.
macro_rules! case {
    ($name:expr, $family:ident compares $compares:literal scratch $scratch:literal
     takes $takes:expr, [$start:expr] => $(at $at:literal)? [$end:expr] [$own:expr] |$s:ident| $operation:expr) => {
        Case {
            name: $name,
            family: Family::$family,
            compares: $compares,
            scratch: $scratch,
            takes: $takes,
            start: $start,
            at: 0 $(+ $at)?,
            end: $end,
            own: $own,
            call: |$s| {
                // SAFETY: the scene's pointers lead to mapped words that are as the operation wants them; its slot is no -1
                // or -2; this thread stays registered; the base is that of slots for every CPU that this thread may run on.
                crate::cases::ended(unsafe { $operation }, $s.own)
            },
        }
    };
}
pub(crate) use case;

/// The address of a field of the thread's own memory.
macro_rules! own {
    ($s:ident $field:ident as $type:ty) => {
        (&raw mut (*$s.own).$field).cast::<$type>()
    };
}

pub(crate) use own;

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

/// How many operations there are.
pub const OPERATIONS: usize = 15;

/// Every operation of `rseq-core` and every section of every step, in each order.
pub fn cases<'r, A: Area, I: Index>() -> impl Iterator<Item = Case<'r, A, I>> {
    operations::<A, I>().into_iter().chain(steps::steps::<A, I>())
}

#[rustfmt::skip]
pub fn operations<'r, A: Area, I: Index>() -> [Case<'r, A, I>; OPERATIONS] {
    [
        case!("load_cbne_store", Caller compares 1 scratch 0 takes takes::WORD | takes::EXPECT | takes::NEW, [plain] => [new] [any]
            |s| load_cbne_store(s.token, s.at, s.word, s.expect, NEW)),
        case!("load_add_store", Caller compares 0 scratch 0 takes takes::WORD | takes::COUNT, [plain] => [sum] [any]
            |s| load_add_store(s.token, s.at, s.word, COUNT)),
        case!("load_cbeq_store_add_load_store", Caller compares 1 scratch 1 takes takes::WORD | takes::EXPECT | takes::POPPED, [list] => [next] [popped]
            |s| load_cbeq_store_add_load_store(s.token, s.at, s.word, s.expect, SECOND_WORD, own!(s popped as usize))),
        case!("load_add_load_load_add_store", Caller compares 0 scratch 1 takes takes::ARRAY | takes::COUNT, [plain] => [sum] [any]
            |s| load_add_load_load_add_store(s.token, s.at, own!(s array as usize), THIRD_WORD, COUNT)),
        case!("load_cbne_load_cbne_store", Caller compares 2 scratch 0 takes takes::WORD | takes::EXPECT | takes::SECOND | takes::EXPECT_SECOND | takes::NEW, [plain] => [new] [any]
            |s| load_cbne_load_cbne_store(s.token, s.at, s.word, s.expect, own!(s second as usize), s.expect_second, NEW)),
        case!("load_cbne_store_store, relaxed", Caller compares 1 scratch 0 takes takes::WORD | takes::EXPECT | takes::SECOND | takes::NEW_SECOND | takes::NEW, [plain] => [new] [stored]
            |s| load_cbne_store_store::<Relaxed, A, I>(s.token, s.at, s.word, s.expect, own!(s second as usize), NEW_SECOND, NEW)),
        case!("load_cbne_store_store, release", Caller compares 1 scratch 0 takes takes::WORD | takes::EXPECT | takes::SECOND | takes::NEW_SECOND | takes::NEW, [plain] => [new] [stored]
            |s| load_cbne_store_store::<Release, A, I>(s.token, s.at, s.word, s.expect, own!(s second as usize), NEW_SECOND, NEW)),
        case!("load_cbne_memcpy_store, relaxed", Caller compares 1 scratch 1 takes takes::WORD | takes::EXPECT | takes::NEW, [plain] => [new] [copied]
            |s| load_cbne_memcpy_store::<Relaxed, A, I>(s.token, s.at, s.word, s.expect, own!(s to as u8), own!(s from as u8), LENGTH, NEW)),
        case!("load_cbne_memcpy_store, release", Caller compares 1 scratch 1 takes takes::WORD | takes::EXPECT | takes::NEW, [plain] => [new] [copied]
            |s| load_cbne_memcpy_store::<Release, A, I>(s.token, s.at, s.word, s.expect, own!(s to as u8), own!(s from as u8), LENGTH, NEW)),
        case!("add", Here compares 0 scratch 1 takes takes::BASE | takes::COUNT, [plain] => [sum] [any]
            |s| this_cpu::add::<STRIDE, A, I>(s.token, s.base, s.len, COUNT)),
        case!("inc", Here compares 0 scratch 1 takes takes::BASE, [plain] => [one_more] [any]
            |s| this_cpu::inc::<STRIDE, A, I>(s.token, s.base, s.len)),
        case!("add_unchecked", Unchecked compares 0 scratch 1 takes takes::BASE | takes::COUNT, [plain] => [sum] [any]
            |s| this_cpu::add_unchecked::<STRIDE, A, I>(s.token, s.base, COUNT)),
        case!("cmpxchg", Here compares 1 scratch 1 takes takes::BASE | takes::EXPECT | takes::NEW, [plain] => [new] [any]
            |s| this_cpu::cmpxchg::<STRIDE, A, I>(s.token, s.base, s.len, s.expect, NEW)),
        case!("push", Here compares 0 scratch 2 takes takes::BASE | takes::FREE, [plain] => [free] [linked]
            |s| this_cpu::push::<STRIDE, A, I>(s.token, s.base, s.len, own!(s free as usize))),
        case!("pop", Here compares 1 scratch 2 takes takes::BASE, [maybe_list] => [next] [popped]
            |s| this_cpu::pop::<STRIDE, A, I>(s.token, s.base, s.len)),
    ]
}

/// What all sections with a case are called where they are stated.
pub fn names_of_all() -> impl Iterator<Item = &'static str> {
    const CALLER: [&str; librseq_sections::SECTIONS.len()] = names(librseq_sections::SECTIONS);
    const HERE: [&str; this_cpu_sections::SECTIONS.len()] = names(this_cpu_sections::SECTIONS);
    const STEPS: [&str; step_sections::SECTIONS.len()] = names(step_sections::SECTIONS);
    CALLER.into_iter().chain(HERE).chain(STEPS)
}

/// At compile time, so that the functions of the data are not in the program.
const fn names<const N: usize>(sections: &[SectionIr]) -> [&'static str; N] {
    let (mut names, mut i) = ([""; N], 0);
    while i < N {
        names[i] = sections[i].name;
        i += 1;
    }
    names
}

mod librseq_sections {
    use rseq_core::{Aborted, Committed, CompareFailed};
    rseq_core::__librseq_sections!(#![model]);
}

mod step_sections {
    use rseq_core::{Aborted, CompareFailed, OutOfRange};
    rseq_core::__every_step_sections!(#![model]);
}

mod this_cpu_sections {
    use rseq_core::{Committed, CompareFailed, OutOfRange};
    rseq_core::__this_cpu_sections!(#![model]);
}

impl<A: Area, I: Index> Case<'_, A, I> {
    /// The operation's name, without the order of its commit.
    pub fn operation(&self) -> &'static str {
        self.name.split(',').next().unwrap_or(self.name)
    }

    /// What the comparisons expect, given which one of them is to fail.
    pub fn expect(&self, slot: usize, fails: u8) -> [usize; 2] {
        // The operation that pops goes on unless the word is the expected one.
        let first = match (self.name.starts_with("load_cbeq"), fails == 1) {
            (false, false) | (true, true) => slot,
            (false, true) | (true, false) => slot ^ 0x100,
        };
        [first, if fails == 2 { SECOND ^ 0x100 } else { SECOND }]
    }
}
