//! The steps of sections as plain Rust that is compiled and never runs: the compiler finds what is wrong with them, and
//! reports it at the user's own step.
//!
//! This is the grammar's one table of steps: [`__rseq_check!`](crate::__rseq_check) has the operand that a step writes,
//! and the methods have what each step takes and when it is allowed.

use core::marker::PhantomData;
use core::ops::{Add, Mul};

/// What a parameter of a section may be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a word: parameters of a critical section are as wide as a pointer",
    label = "not a word",
    note = "pass a `usize`, an `isize` or a thin pointer: convert numbers with `as usize`"
)]
pub trait Word: Copy {}

impl Word for usize {}
impl Word for isize {}
impl<T> Word for *mut T {}
impl<T> Word for *const T {}

/// A register that steps write.
#[derive(Clone, Copy, Debug)]
pub struct ScratchRegister;

/// A scratch register that holds the index, until a step writes it again.
#[derive(Clone, Copy, Debug)]
pub struct IndexRegister;

/// A register that keeps its value, because an aborted section begins again with it.
#[derive(Clone, Copy, Debug)]
pub struct Parameter;

/// The sum of an address: `a + b`, `a + 8`, `a + b * 8`.
#[derive(Clone, Copy, Debug)]
pub struct Sum;

/// A register that is multiplied: `b * 8`.
#[derive(Clone, Copy, Debug)]
pub struct Product;

/// What a step takes in a register.
#[diagnostic::on_unimplemented(
    message = "not a register: this operand is a parameter or a scratch register",
    label = "neither a parameter nor a scratch register"
)]
pub trait Register: Copy {}

impl Register for ScratchRegister {}
impl Register for IndexRegister {}
impl Register for Parameter {}

/// A register that a step may write.
#[diagnostic::on_unimplemented(
    message = "a step may not write this: an aborted section begins again, with the parameters that it was called with",
    label = "not a scratch register"
)]
pub trait Writable: Copy {}

impl Writable for ScratchRegister {}
impl Writable for IndexRegister {}

/// What a step reads: a register, or a literal.
#[diagnostic::on_unimplemented(
    message = "not a value: this operand is a parameter, a scratch register or a literal from 0 to 255",
    label = "none of these"
)]
pub trait Value: Copy {}

impl Value for ScratchRegister {}
impl Value for IndexRegister {}
impl Value for Parameter {}
impl Value for u8 {}

/// The place of a load or a store.
#[diagnostic::on_unimplemented(
    message = "not an address: this operand is `[a]`, `[a + b]`, `[a + 8]` or `[a + b * 8]`",
    label = "not an address in brackets"
)]
pub trait Place: Copy {}

impl<R: Register> Place for [R; 1] {}
impl Place for [Sum; 1] {}

/// What a comparison reads: a register, or the word at an address.
#[diagnostic::on_unimplemented(
    message = "`cbne` and `cbeq` compare a register or an address with a value: the literal is the second operand",
    label = "neither a register nor an address"
)]
pub trait Compared: Copy {}

impl Compared for ScratchRegister {}
impl Compared for IndexRegister {}
impl Compared for Parameter {}
impl<P: Copy> Compared for [P; 1] where [P; 1]: Place {}

/// What an address may add to a register.
#[diagnostic::on_unimplemented(
    message = "an address adds a register, a literal from 0 to 255 or a register times a literal",
    label = "none of these"
)]
pub trait Addend: Copy {}

impl<V: Value> Addend for V {}
impl Addend for Product {}

macro_rules! sums {
    ($($left:ty)*) => {
        $(
            impl<V: Addend> Add<V> for $left {
                type Output = Sum;

                fn add(self, _: V) -> Sum {
                    Sum
                }
            }

            impl Mul<u8> for $left {
                type Output = Product;

                fn mul(self, _: u8) -> Product {
                    Product
                }
            }
        )*
    };
}
sums!(Parameter ScratchRegister IndexRegister);

/// Implemented for no number: a factor is 1, 2, 4 or 8.
#[diagnostic::on_unimplemented(message = "an index in an address is multiplied by 1, 2, 4 or 8", label = "not by this")]
pub trait AFactor {}

/// No step so far.
#[derive(Debug)]
pub struct Begun<Abort>(PhantomData<Abort>);
/// A register holds the index, and no step has compared it.
#[derive(Debug)]
pub struct Loaded<Abort>(PhantomData<Abort>);
/// The section is bound to the index.
#[derive(Debug)]
pub struct Bound<Abort>(PhantomData<Abort>);
/// The section has committed.
#[derive(Debug)]
pub struct Over;

/// An abort leaves by an exit.
#[derive(Debug)]
pub struct Leaves<Order>(PhantomData<Order>);
/// An abort begins the section again.
#[derive(Debug)]
pub struct Restarts<Order>(PhantomData<Order>);
/// The same, where the caller vouches for the registration.
#[derive(Debug)]
pub struct RestartsUnbounded<Order>(PhantomData<Order>);

/// The commit is a plain store.
#[derive(Debug)]
pub struct Plain;
/// The commit is in the order that the head names: a store of a word.
#[derive(Debug)]
pub struct Ordered;

/// A section in which an index may be checked or loaded.
#[diagnostic::on_unimplemented(
    message = "no step may follow the commit: the section is over there",
    label = "move this step before the commit, and have one commit only"
)]
pub trait BeforeCommit {
    /// The section once the index has been loaded.
    type WithIndex;
    /// The section once the index has been checked.
    type Checked;
}

/// A section that has begun with the index.
#[diagnostic::on_unimplemented(
    message = "a critical section begins with `check_index` or `load_index`, and no step may follow its commit",
    label = "not the place for this step",
    note = "nothing else binds a section to a CPU; the kernel cannot undo a commit when it aborts what follows"
)]
pub trait Started {}

/// A section that may commit.
#[diagnostic::on_unimplemented(
    message = "this section may not commit here: it restarts without a bound, has no index, or has committed",
    label = "no commit here",
    note = "a thread that is not registered would restart for ever: `bound(i, len) else OutOfRange` turns it away",
    note = "a section has one commit, and begins with `check_index` or `load_index`"
)]
pub trait MayCommit {}

/// A section whose head names no order.
#[diagnostic::on_unimplemented(
    message = "a commit in the order of the head is a store of a word, or an addition: a narrow store is a plain one",
    label = "a narrow commit, in an order"
)]
pub trait PlainCommit {}

/// A section whose commit is in any order: all are.
pub trait CommitInOrder {}

/// A section that has committed.
#[diagnostic::on_unimplemented(
    message = "this critical section has no commit: its last step is `commit store(..)` or `commit add(..)`",
    label = "no commit in this section"
)]
pub trait Committing {}

/// A section whose stores need no mark. There is none, so unmarked stores do not compile.
#[diagnostic::on_unimplemented(
    message = "a store before the commit happens again after an abort: say `repeatable` if it may, or `commit` it",
    label = "an unmarked store"
)]
pub trait Marked {}

impl<A> BeforeCommit for Begun<A> {
    type WithIndex = Loaded<A>;
    type Checked = Bound<A>;
}
impl<A> BeforeCommit for Loaded<A> {
    type WithIndex = Loaded<A>;
    type Checked = Bound<A>;
}
impl<A> BeforeCommit for Bound<A> {
    type WithIndex = Bound<A>;
    type Checked = Bound<A>;
}
impl<A> Started for Loaded<A> {}
impl<A> Started for Bound<A> {}
impl<S> CommitInOrder for S {}
impl<A> MayCommit for Bound<A> {}
impl<O> MayCommit for Loaded<Leaves<O>> {}
impl<O> MayCommit for Loaded<RestartsUnbounded<O>> {}
impl PlainCommit for Bound<Leaves<Plain>> {}
impl PlainCommit for Bound<Restarts<Plain>> {}
impl PlainCommit for Bound<RestartsUnbounded<Plain>> {}
impl PlainCommit for Loaded<Leaves<Plain>> {}
impl PlainCommit for Loaded<RestartsUnbounded<Plain>> {}

/// The result of `bound`: the section is bound to the index if that is compared.
#[diagnostic::on_unimplemented(message = "`bound` compares a scratch register", label = "not a scratch register")]
pub trait BoundOf<State>: Copy {
    /// The section after it.
    type After;
}

impl<S: BeforeCommit> BoundOf<S> for IndexRegister {
    type After = S::Checked;
}
impl<S> BoundOf<S> for ScratchRegister {
    type After = S;
}
impl Committing for Over {}

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
        ($($step:ident)*) => {
            impl<S> Section<S> {
                $(pub fn $step<R: Writable, X: Value>(self, _register: R, _value: X) -> Self
                where
                    S: Started,
                {
                    self
                })*
            }
        };
    }
    arithmetic!(add sub and or);

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
