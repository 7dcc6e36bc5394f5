//! What is known of a section: its arguments, and what it leaves behind.

use rseq_core::ops::{librseq, this_cpu};
use rseq_core::testing::{Returned, SectionIr};
use rseq_core::{Aborted, Area, CompareFailed, Index, OutOfRange, Token};

use super::scene::{Own, SECOND, Scene, Stage, Words};

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

/// Where the slot comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// The caller picks it, and calls again after an abort.
    Caller,
    /// The section loads the index, restarts itself, and leaves if the index is beyond the storage.
    Here,
    /// The section loads the index, restarts itself, and checks nothing.
    Unchecked,
    /// The section restarts itself, and leaves if the index is not the caller's.
    Pinned,
}

/// An operation, or a section of a type.
pub struct Case<'r, A: Area, I: Index> {
    pub name: &'static str,
    pub family: Family,
    /// How many comparisons may fail.
    pub compares: u8,
    /// How many scratch registers its statement names.
    pub scratch: u32,
    /// What its registers hold.
    pub takes: u32,
    /// What each slot holds before, given which comparison is to fail; 0: none.
    pub start: fn(&Own, u8) -> Words,
    /// The bytes of a slot, from where up to where, that are not read before the commit.
    pub private: [usize; 2],
    /// What the thread's slot holds after the commit.
    pub end: fn(&Own) -> Words,
    /// Whether the thread's own memory is right after the commit.
    pub own: fn(&Own) -> bool,
    /// Makes the call.
    pub call: fn(&Scene<'r, A, I>) -> Ended,
}

/// How an operation ended; a word that it returned is noted.
///
/// # Safety
///
/// `own` is valid for writes, and there is no reference to it.
pub unsafe fn ended<T: Returned, E>(result: Result<T, E>, own: *mut Own) -> Ended
where
    Ended: From<E>,
{
    match result {
        Ok(done) => {
            if let Some(word) = done.output() {
                // SAFETY: the caller's contract.
                unsafe { (*own).popped = word };
            }
            Ended::Committed
        }
        Err(why) => Ended::from(why),
    }
}

/// Makes a case of one line; every call is of one kind.
///
/// Operations change one word of a slot, `at` bytes from its first; of slots of types, the whole is stated.
#[doc(hidden)]
#[macro_export]
macro_rules! forced_case {
    ($name:expr, $family:ident compares $compares:literal scratch $scratch:literal
     takes $takes:expr, [$start:expr] => $(at $at:literal)? [$end:expr] [$own:expr] |$s:ident| $operation:expr) => {
        $crate::forced_case! {
            $name, $family compares $compares scratch $scratch takes $takes,
            slot [|own, fails| $crate::forced::scene::pair($start(own, fails))]
            private [0, 0]
            => [|own| $crate::forced::scene::with($start(own, 0), 0 $(+ $at)?, $end(own))]
            [$own] |$s| $operation
        }
    };
    ($name:expr, $family:ident compares $compares:literal scratch $scratch:literal takes $takes:expr,
     slot [$start:expr] $(private [$from:expr, $to:expr])? => [$end:expr] [$own:expr]
     |$s:ident| $operation:expr) => {
        $crate::forced::case::Case {
            name: $name,
            family: $crate::forced::case::Family::$family,
            compares: $compares,
            scratch: $scratch,
            takes: $takes,
            start: $start,
            private: [0 $(+ $from)?, 0 $(+ $to)?],
            end: $end,
            own: $own,
            call: |$s| {
                // SAFETY: the scene's pointers lead to mapped words that meet the operation's contract; its slot is not
                // -1 or -2; this thread stays registered; the base is that of slots for every CPU that this thread may
                // run on. `own` is the stage's memory, to which there is no reference during a call.
                unsafe { $crate::forced::case::ended($operation, $s.own) }
            },
        }
    };
}
pub use forced_case as case;

/// The address of a field of the thread's own memory.
#[macro_export]
macro_rules! forced_own {
    ($s:ident $field:ident as $type:ty) => {
        (&raw mut (*$s.own).$field).cast::<$type>()
    };
}
pub use forced_own as own;

/// The names of sections as they are stated. At compile time, so that the functions of the data are not in the program.
pub const fn names<const N: usize>(sections: &[SectionIr]) -> [&'static str; N] {
    let (mut names, mut i) = ([""; N], 0);
    while i < N {
        names[i] = sections[i].name;
        i += 1;
    }
    names
}

impl<'r, A: Area, I: Index> Case<'r, A, I> {
    /// The operation's name, without the order of its commit.
    pub fn operation(&self) -> &'static str {
        self.name.split(',').next().unwrap_or(self.name)
    }

    /// What it is called with on the stage for slot `at`, if `len` slots are its, and the comparison `fails` is to
    /// fail; 0: none.
    pub fn scene(&self, stage: &Stage, token: Token<'r, A, I>, at: usize, len: usize, fails: u8) -> Scene<'r, A, I> {
        let (word, own) = (stage.word(at), stage.own());
        // SAFETY: the stage's own memory, which lives as long as the stage; no reference to it is held.
        let slot = unsafe {
            (*own).table[2] = word as usize;
            (self.start)(&*own, fails)[0]
        };
        let [expect, expect_second] = self.expect(slot, fails);
        Scene { token, at, word, base: stage.base(), len, expect, expect_second, fails, own }
    }

    /// What the comparisons expect, given which one of them is to fail.
    pub fn expect(&self, slot: usize, fails: u8) -> [usize; 2] {
        // The operation that pops continues unless the word is the expected one.
        let first = match (self.name.starts_with("load_cbeq"), fails == 1) {
            (false, false) | (true, true) => slot,
            (false, true) | (true, false) => slot ^ 0x100,
        };
        [first, if fails == 2 { SECOND ^ 0x100 } else { SECOND }]
    }
}
