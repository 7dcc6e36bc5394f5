//! The sections of types whose slots are a word or a few: regions' stacks, pools, lists, counters of 32-bit machines,
//! watermarks and locks.

use harness::forced::case::{self, Case, case, own};
use harness::forced::scene::{COUNT, NEW, Own, SECOND, START, STRIDE, Words, takes, words};
use rseq_core::{Area, Index};

use crate::layout::{any, one};

/// States the sections of types, as functions and as data.
macro_rules! types {
    ($($of:ident: $macro:ident [$($exit:ident)+] $(error $error:ident)? $(bits $bits:literal)?;)+) => {
        $(
            mod $of {
                $(use rseq_core::ops::this_cpu::$error;)?
                use rseq_core::{$($exit),+};
                rseq_core::$macro!($($bits)?);

                pub mod data {
                    $(use rseq_core::ops::this_cpu::$error;)?
                    use rseq_core::{$($exit),+};
                    rseq_core::$macro!(#![model] $($bits)?);
                }
            }
        )+

        /// How many there are.
        pub const SECTIONS: usize = 0 $(+ $of::data::SECTIONS.len())+;

        /// Their names, and whose they are.
        pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
            core::iter::empty()$(.chain({
                const NAMES: [&str; $of::data::SECTIONS.len()] = case::names($of::data::SECTIONS);
                NAMES.into_iter().map(|name| (stringify!($of), name))
            }))+
        }
    };
}

types! {
    region: __region_sections [Committed CompareFailed OutOfRange];
    pool: __pool_sections [Committed CompareFailed OutOfRange] error Error;
    list: __list_sections [Committed CompareFailed OutOfRange] error Error;
    counter: __narrow_counter_sections [Committed CompareFailed OutOfRange] bits 30;
    watermark: __watermark_sections [Committed CompareFailed OutOfRange];
    lock: __lock_sections [Aborted Committed CompareFailed];
}

/// A region's stack of so many items, closed or not, from 16 on.
fn region_stack(closed: usize, count: usize) -> Words {
    words(&[(0, closed), (8, count), (16, START), (24, START), (32, SECOND)])
}

/// Three items; the first comparison fails in a closed stack, the second where there are `other`.
fn region(fails: u8, other: usize) -> Words {
    region_stack(usize::from(fails == 1), if fails == 2 { other } else { 3 })
}

/// A pool's list of so many words, from 8 on.
fn pool_list(count: usize) -> Words {
    words(&[(0, count), (8, START), (16, START), (24, SECOND)])
}

fn first(own: &Own) -> usize {
    &raw const own.first as usize
}

/// The list of two nodes, or none, or a closed one.
fn list(own: &Own, fails: u8) -> Words {
    one([first(own), 0, 1][usize::from(fails)])
}

/// The same for a section that does not care whether it is empty.
fn open_list(own: &Own, fails: u8) -> Words {
    one(if fails == 1 { 1 } else { first(own) })
}

fn is_popped(own: &Own) -> bool {
    own.popped == first(own)
}

/// All of them.
#[rustfmt::skip]
pub fn cases<'r, A: Area, I: Index>() -> [Case<'r, A, I>; SECTIONS] {
    [
        case!("region pop_item", Here compares 2 scratch 3 takes takes::BASE,
            slot [|_, fails| region(fails, 0)] => [|_| region_stack(0, 2)] [|own| own.popped == SECOND]
            |s| region::pop_item::<STRIDE, A, I>(s.token, s.base, s.len)),
        case!("region push_item", Here compares 2 scratch 2 takes takes::BASE | takes::NEW,
            slot [|_, fails| region(fails, 5)] private [40, 48]
            => [|_| words(&[(8, 4), (16, START), (24, START), (32, SECOND), (40, NEW)])] [any]
            |s| region::push_item::<STRIDE, A, I>(s.token, s.base, s.len, 5, NEW)),
        case!("pool push", Here compares 1 scratch 2 takes takes::BASE | takes::NEW,
            slot [|_, fails| pool_list(if fails == 1 { 5 } else { 3 })] private [32, 40]
            => [|_| words(&[(0, 4), (8, START), (16, START), (24, SECOND), (32, NEW)])] [any]
            |s| pool::push::<STRIDE, A, I>(s.token, s.base, s.len, 5, NEW)),
        case!("pool pop", Here compares 1 scratch 3 takes takes::BASE,
            slot [|_, fails| pool_list(if fails == 1 { 0 } else { 3 })]
            => [|_| pool_list(2)] [|own| own.popped == SECOND]
            |s| pool::pop::<STRIDE, A, I>(s.token, s.base, s.len)),
        case!("list push", Here compares 1 scratch 2 takes takes::BASE | takes::FREE,
            slot [open_list] => [|own| one(&raw const own.free as usize)] [|own| own.free == [first(own), START]]
            |s| list::push::<STRIDE, A, I>(s.token, s.base, s.len, own!(s free as usize))),
        case!("list pop", Here compares 2 scratch 2 takes takes::BASE,
            slot [list] => [|own| one(&raw const own.second_node as usize)] [is_popped]
            |s| list::pop::<STRIDE, A, I>(s.token, s.base, s.len)),
        case!("list pop_all", Here compares 2 scratch 2 takes takes::BASE,
            slot [list] => [|_| one(0)] [is_popped]
            |s| list::pop_all::<STRIDE, A, I>(s.token, s.base, s.len)),
        case!("counter add_small", Here compares 1 scratch 3 takes takes::BASE | takes::COUNT,
            slot [|_, fails| one(if fails == 1 { (1 << 30) - 1 } else { SMALL })] => [|_| one(SMALL + COUNT)] [any]
            |s| counter::add_small::<STRIDE, A, I>(s.token, s.base, s.len, COUNT)),
        case!("counter take", Here compares 0 scratch 2 takes takes::BASE,
            slot [|_, _| one(START)] => [|_| one(0)] [|own| own.popped == START]
            |s| counter::take::<STRIDE, A, I>(s.token, s.base, s.len)),
        case!("watermark raise", Here compares 1 scratch 2 takes takes::BASE | takes::NEW,
            slot [|_, fails| one(if fails == 1 { NEW } else { NEW - 1 })] => [|_| one(NEW)] [any]
            |s| watermark::raise::<STRIDE, A, I>(s.token, s.base, s.len, NEW)),
        case!("lock take", Caller compares 1 scratch 0 takes takes::WORD,
            slot [|_, fails| one(if fails == 1 { 2 } else { 1 })] => [|_| one(2)] [any]
            |s| lock::take(s.token, s.at, s.word)),
    ]
}

/// A number that a counter of small words adds to.
const SMALL: usize = 0x1000;
