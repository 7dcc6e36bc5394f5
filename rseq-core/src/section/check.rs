//! The steps of sections as plain Rust that is compiled and never runs: the compiler finds what is wrong with them, and
//! reports it at the user's own step.
//!
//! [`__rseq_check!`](crate::__rseq_check) has the operand that a step writes, and the methods have what each step takes
//! and when it is allowed.

mod operand;
mod progress;

use core::marker::PhantomData;
pub use operand::{
    AFactor, Addend, Compared, IndexRegister, Parameter, Place, Product, Register, ScratchRegister, Sum, Value, Word,
    Writable,
};
pub use progress::{
    BeforeCommit, Begun, Bound, BoundOf, CommitInOrder, Committing, Leaves, Loaded, Marked, MayCommit, Ordered, Over,
    Plain, PlainCommit, Restarts, RestartsUnbounded, Started,
};

/// A section after some of its steps.
#[derive(Debug)]
pub struct Section<State>(PhantomData<State>);

/// A section at a step that is marked as the commit.
#[derive(Debug)]
pub struct Commit<State>(PhantomData<State>);

/// A section at a step that is marked as repeatable.
#[derive(Debug)]
pub struct Repeatable<State>(PhantomData<State>);

/// A section before its first step.
pub fn begin<Abort>() -> Section<Begun<Abort>> {
    Section(PhantomData)
}

/// A parameter.
pub fn parameter<W: Word>(_: W) -> Parameter {
    Parameter
}

/// The operand `output`.
pub fn output() -> Parameter {
    Parameter
}

/// What a step writes.
pub fn scratch<W: Writable>(_: W) {}

/// A register that a step has written.
pub fn written() -> ScratchRegister {
    ScratchRegister
}

/// A register that the index has been loaded into.
pub fn index() -> IndexRegister {
    IndexRegister
}

/// The bits of a shift.
#[inline]
pub const fn bits(bits: u8) -> u8 {
    assert!(bits > 0 && (bits as u32) < usize::BITS, "a shift is by 1 bit at least, and by fewer than a word has");
    bits
}

/// No factor of an address.
pub fn factor<F: AFactor>(_: F) {}

/// The end of a section's steps.
pub fn end<State: Committing>(_: Section<State>) {}

#[allow(clippy::missing_const_for_fn, clippy::unused_self, missing_docs, reason = "named after the steps")]
mod steps {
    use super::*;

    fn section<State>() -> Section<State> {
        Section(PhantomData)
    }

    impl<S> Section<S> {
        pub fn check_index<X: Register, Exit>(self, _expected: X, _else: Exit) -> Section<S::Checked>
        where
            S: BeforeCommit,
        {
            section()
        }

        pub fn load_index(self) -> Section<S::WithIndex>
        where
            S: BeforeCommit,
        {
            section()
        }

        pub fn bound<R: BoundOf<S>, X: Value, Exit>(self, _register: R, _limit: X, _else: Exit) -> Section<R::After>
        where
            S: Started,
        {
            section()
        }

        pub fn scale<R: Writable>(self, _register: R, _stride: usize) -> Self
        where
            S: Started,
        {
            self
        }

        pub fn cbz<R: Register, Exit>(self, _register: R, _else: Exit) -> Self
        where
            S: Started,
        {
            self
        }

        pub fn cbne<C: Compared, X: Value, Exit>(self, _left: C, _right: X, _else: Exit) -> Self
        where
            S: Started,
        {
            self
        }

        pub fn cbeq<C: Compared, X: Value, Exit>(self, _left: C, _right: X, _else: Exit) -> Self
        where
            S: Started,
        {
            self
        }

        pub fn mov<X: Value>(self, _value: X) -> Self
        where
            S: Started,
        {
            self
        }

        pub fn shl<R: Writable>(self, _register: R, _bits: u8) -> Self
        where
            S: Started,
        {
            self
        }

        pub fn shr<R: Writable>(self, _register: R, _bits: u8) -> Self
        where
            S: Started,
        {
            self
        }

        pub fn repeatable(self) -> Repeatable<S>
        where
            S: Started,
        {
            Repeatable(PhantomData)
        }

        pub fn commit(self) -> Commit<S>
        where
            S: MayCommit,
        {
            Commit(PhantomData)
        }
    }

    macro_rules! arithmetic {
        ($($step:ident($r:ident, $x:ident) = $result:expr, $effect:literal;)+) => {
            impl<S> Section<S> {
                $(pub fn $step<R: Writable, X: Value>(self, _register: R, _value: X) -> Self
                where
                    S: Started,
                {
                    self
                })+
            }
        };
    }
    crate::__rseq_arithmetic!([arithmetic]);

    macro_rules! accesses {
        ($order:ident: $($load:ident $store:ident)*) => {
            impl<S> Section<S> {
                $(
                    pub fn $load<A: Place>(self, _address: A) -> Self
                    where
                        S: Started,
                    {
                        self
                    }

                    pub fn $store<A: Place, X: Value>(self, _address: A, _value: X) -> Self
                    where
                        S: Marked,
                    {
                        self
                    }
                )*
            }
            impl<S> Repeatable<S> {
                $(pub fn $store<A: Place, X: Value>(self, _address: A, _value: X) -> Section<S> {
                    section()
                })*
            }
            impl<S> Commit<S> {
                $(pub fn $store<A: Place, X: Value>(self, _address: A, _value: X) -> Section<Over>
                where
                    S: $order,
                {
                    section()
                })*
            }
        };
    }
    accesses!(CommitInOrder: load store);
    #[cfg(target_pointer_width = "64")]
    accesses!(CommitInOrder: load_u64 store_u64);
    accesses!(PlainCommit: load_u8 store_u8 load_u16 store_u16 load_u32 store_u32);

    impl<S> Section<S> {
        pub fn load_acquire<A: Place>(self, _address: A) -> Self
        where
            S: Started,
        {
            self
        }

        pub fn copy<D, F, N, R>(self, _to: D, _from: F, _length: N, _counter: R) -> Self
        where
            S: Marked,
        {
            self
        }
    }

    impl<S> Repeatable<S> {
        pub fn copy<D: Register, F: Register, N: Register>(self, _to: [D; 1], _from: [F; 1], _length: N) -> Section<S> {
            section()
        }
    }

    impl<S> Commit<S> {
        pub fn add<A: Place, X: Value>(self, _address: A, _value: X) -> Section<Over> {
            section()
        }
    }
}
