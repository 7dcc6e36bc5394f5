//! The steps of sections as plain Rust that is compiled and never runs: the compiler finds what is wrong with them, and says
//! so at the user's own step.
//!
//! This is the grammar's one table of steps: [`__rseq_check!`](crate::__rseq_check) says which operand a step writes, the
//! methods say what each takes and when it may come.

use core::marker::PhantomData;

/// What a parameter of a section may be, and a scratch register is.
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

/// A literal from 0 to 255.
#[derive(Clone, Copy, Debug)]
pub struct Literal(pub u8);

/// What a step may read: a word, or a literal.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no operand here: steps take parameters, scratch registers and literals from 0 to 255",
    label = "not an operand"
)]
pub trait Operand: Copy {}

impl<W: Word> Operand for W {}
impl Operand for Literal {}

/// `[m]`.
#[derive(Clone, Copy, Debug)]
pub struct Address;

/// `[m]` without a sum: what a copy takes.
#[derive(Clone, Copy, Debug)]
pub struct PlainAddress;

impl From<PlainAddress> for Address {
    fn from(_: PlainAddress) -> Self {
        Self
    }
}

/// What a comparison may look at: a word or the word at an address.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be compared: `cbne` and `cbeq` take a register or an address first, and what it may be second",
    label = "put the literal second"
)]
pub trait Compared: Copy {}

impl<W: Word> Compared for W {}
impl Compared for Address {}
impl Compared for PlainAddress {}

/// Nothing has run.
#[derive(Debug)]
pub struct Begun<Abort>(PhantomData<Abort>);
/// The index is in a register, and nothing has compared it.
#[derive(Debug)]
pub struct Loaded<Abort>(PhantomData<Abort>);
/// The section is bound to the index.
#[derive(Debug)]
pub struct Bound<Abort>(PhantomData<Abort>);
/// The commit was there.
#[derive(Debug)]
pub struct Over;

/// An abort leaves by an exit.
#[derive(Debug)]
pub struct Leaves;
/// An abort begins the section again.
#[derive(Debug)]
pub struct Restarts;
/// The same, and the caller vouches for the registration.
#[derive(Debug)]
pub struct RestartsUnbounded;

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

/// A section that has committed.
#[diagnostic::on_unimplemented(
    message = "this critical section has no commit: its last step is `commit store(..)` or `commit add(..)`",
    label = "no commit in this section"
)]
pub trait Committing {}

/// A step that is marked.
#[diagnostic::on_unimplemented(
    message = "a store before the commit happens again after an abort: mark it, as `repeatable {Self}`, or make it the commit",
    label = "say `repeatable` if it may happen again, or `commit` if it is the last step"
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
impl<A> MayCommit for Bound<A> {}
impl MayCommit for Loaded<Leaves> {}
impl MayCommit for Loaded<RestartsUnbounded> {}
impl Committing for Over {}

/// A section as far as its steps go.
#[derive(Debug)]
pub struct Section<State>(PhantomData<State>);

/// A section at a step that is marked as the commit.
#[derive(Debug)]
pub struct Commit;

/// A section at a step that is marked as repeatable.
#[derive(Debug)]
pub struct Repeatable<State>(PhantomData<State>);

/// A section before its first step.
pub fn begin<Abort>() -> Section<Begun<Abort>> {
    Section(PhantomData)
}

/// A parameter.
pub fn parameter<W: Word>(_: W) {}

/// What a step has written.
pub fn written<W: Word>() -> W {
    unreachable!()
}

/// The address `a`.
pub fn at<W: Word>(_: W) -> PlainAddress {
    PlainAddress
}

/// The address `a + b`.
pub fn at_sum<W: Word, B: Operand>(_: W, _: B) -> Address {
    Address
}

/// The address `a + b * FACTOR`.
pub fn at_scaled<W: Word, B: Word, const FACTOR: usize>(_: W, _: B) -> Address {
    const { assert!(matches!(FACTOR, 1 | 2 | 4 | 8), "an index in an address is scaled by 1, 2, 4 or 8") };
    Address
}

/// The end of a section's steps.
pub fn end<State: Committing>(_: Section<State>) {}

#[allow(clippy::missing_const_for_fn, clippy::unused_self, missing_docs, reason = "named after the steps")]
mod steps {
    use super::*;

    fn section<State>() -> Section<State> {
        Section(PhantomData)
    }

    impl<S> Section<S> {
        pub fn check_index<X: Word, Exit>(self, _expected: X, _else: Exit) -> Section<S::Checked>
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

        pub fn bound<R: Word, X: Operand, Exit>(self, _register: R, _limit: X, _else: Exit) -> Section<S::Checked>
        where
            S: BeforeCommit + Started,
        {
            section()
        }

        pub fn scale<R: Word>(self, _register: R, _stride: usize) -> Self
        where
            S: Started,
        {
            self
        }

        pub fn cbz<R: Word, Exit>(self, _register: R, _else: Exit) -> Self
        where
            S: Started,
        {
            self
        }

        pub fn cbne<C: Compared, X: Operand, Exit>(self, _left: C, _right: X, _else: Exit) -> Self
        where
            S: Started,
        {
            self
        }

        pub fn cbeq<C: Compared, X: Operand, Exit>(self, _left: C, _right: X, _else: Exit) -> Self
        where
            S: Started,
        {
            self
        }

        pub fn mov<X: Operand>(self, _value: X) -> Self
        where
            S: Started,
        {
            self
        }

        pub fn shl<R: Word>(self, _register: R, _bits: Literal) -> Self
        where
            S: Started,
        {
            self
        }

        pub fn shr<R: Word>(self, _register: R, _bits: Literal) -> Self
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

        pub fn commit(self) -> Commit
        where
            S: MayCommit,
        {
            Commit
        }
    }

    macro_rules! arithmetic {
        ($($step:ident)*) => {
            impl<S> Section<S> {
                $(pub fn $step<R: Word, X: Operand>(self, _register: R, _value: X) -> Self
                where
                    S: Started,
                {
                    self
                })*
            }
        };
    }
    arithmetic!(add sub and);

    macro_rules! accesses {
        ($($load:ident $store:ident)*) => {
            impl<S> Section<S> {
                $(
                    pub fn $load<A: Into<Address>>(self, _address: A) -> Self
                    where
                        S: Started,
                    {
                        self
                    }

                    pub fn $store<A: Marked, X>(self, _address: A, _value: X) -> Self {
                        self
                    }
                )*
            }
            impl<S> Repeatable<S> {
                $(pub fn $store<A: Into<Address>, X: Operand>(self, _address: A, _value: X) -> Section<S> {
                    section()
                })*
            }
            impl Commit {
                $(pub fn $store<A: Into<Address>, X: Operand>(self, _address: A, _value: X) -> Section<Over> {
                    section()
                })*
            }
        };
    }
    accesses!(load store load_u8 store_u8 load_u16 store_u16 load_u32 store_u32);
    #[cfg(target_pointer_width = "64")]
    accesses!(load_u64 store_u64);

    impl<S> Section<S> {
        pub fn load_acquire<A: Into<Address>>(self, _address: A) -> Self
        where
            S: Started,
        {
            self
        }

        pub fn copy<D: Marked, F, N, R>(self, _to: D, _from: F, _length: N, _counter: R) -> Self {
            self
        }
    }

    impl<S> Repeatable<S> {
        pub fn copy<N: Word>(self, _to: PlainAddress, _from: PlainAddress, _length: N) -> Section<S> {
            section()
        }
    }

    impl Commit {
        pub fn add<A: Into<Address>, X: Operand>(self, _address: A, _value: X) -> Section<Over> {
            section()
        }
    }
}

/// The steps as plain Rust. The section's state is a variable with the name of its function, for the sake of the place that
/// errors name.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_check {
    (unchecked $($section:tt)*) => {};
    (checked $name:ident [$($input:ident)*] [$result:ty] [$($exit:ident)*] [$($scratch:ident)*] $abort:ident
     $strides:tt [$($output:ident)?]
     [$(([$($word:ident)+] [$($arg:tt)*] [$($to:ident)?]))+]) => {
        #[allow(unused_assignments, unused_mut, non_snake_case, clippy::all, clippy::pedantic, reason = "never runs")]
        #[deny(unused_variables)]
        if false {
            #[deny(dead_code)]
            enum DeclaredExits {
                $($exit),*
            }
            let _: Option<DeclaredExits> = None;
            $($crate::section::check::parameter($input);)*
            $(let mut $scratch: usize;)*
            let $name = $crate::__rseq_check!(@begin $abort);
            $($crate::__rseq_check! { @step $name [$($word)+] $($word)+ [$($arg)*] [$(DeclaredExits::$to)?] })+
            $crate::section::check::end($name);
        }
    };
    (@begin restart) => { $crate::section::check::begin::<$crate::section::check::Restarts>() };
    (@begin restart_unbounded) => { $crate::section::check::begin::<$crate::section::check::RestartsUnbounded>() };
    (@begin $exit:ident) => {{
        let _ = DeclaredExits::$exit;
        $crate::section::check::begin::<$crate::section::check::Leaves>()
    }};
    // Steps that write their first operand, and do not read it.
    (@step $s:ident [$w:ident] load_index [$r:ident] []) => {
        let $s = $s.$w();
        $r = $crate::section::check::written();
    };
    (@step $s:ident [$w:ident] mov [$r:ident, $x:tt] []) => { $crate::__rseq_check! { @write $s $w $r $x } };
    (@step $s:ident [$w:ident] load [$r:ident, $m:tt] []) => { $crate::__rseq_check! { @write $s $w $r $m } };
    (@step $s:ident [$w:ident] load_acquire [$r:ident, $m:tt] []) => { $crate::__rseq_check! { @write $s $w $r $m } };
    (@step $s:ident [$w:ident] load_u8 [$r:ident, $m:tt] []) => { $crate::__rseq_check! { @write $s $w $r $m } };
    (@step $s:ident [$w:ident] load_u16 [$r:ident, $m:tt] []) => { $crate::__rseq_check! { @write $s $w $r $m } };
    (@step $s:ident [$w:ident] load_u32 [$r:ident, $m:tt] []) => { $crate::__rseq_check! { @write $s $w $r $m } };
    (@step $s:ident [$w:ident] load_u64 [$r:ident, $m:tt] []) => { $crate::__rseq_check! { @write $s $w $r $m } };
    (@step $s:ident [$v:ident $w:ident] repeatable copy [$d:tt, $f:tt, $n:tt, $r:ident] []) => {
        let $s = $s.$v().$w(
            $crate::__rseq_check!(@operand $d), $crate::__rseq_check!(@operand $f), $crate::__rseq_check!(@operand $n)
        );
        $r = $crate::section::check::written();
        let _: usize = $r;
    };
    // Steps that read their first operand and write it.
    (@step $s:ident [$w:ident] add [$r:ident, $x:tt] []) => { $crate::__rseq_check! { @change $s $w $r $x } };
    (@step $s:ident [$w:ident] sub [$r:ident, $x:tt] []) => { $crate::__rseq_check! { @change $s $w $r $x } };
    (@step $s:ident [$w:ident] and [$r:ident, $x:tt] []) => { $crate::__rseq_check! { @change $s $w $r $x } };
    (@step $s:ident [$w:ident] shl [$r:ident, $x:tt] []) => { $crate::__rseq_check! { @change $s $w $r $x } };
    (@step $s:ident [$w:ident] shr [$r:ident, $x:tt] []) => { $crate::__rseq_check! { @change $s $w $r $x } };
    (@step $s:ident [$w:ident] scale [$r:ident, $x:tt] []) => { $crate::__rseq_check! { @change $s $w $r $x } };
    // Steps that write none, and what is no step or has other operands than it takes: there is no such method, or it has
    // others.
    (@step $s:ident [$w:ident] $same:ident [$($arg:tt),* $(,)?] [$($else:expr)?]) => {
        let $s = $s.$w($($crate::__rseq_check!(@operand $arg),)* $($else)?);
    };
    (@step $s:ident [$v:ident $w:ident] $mark:ident $same:ident [$($arg:tt),* $(,)?] [$($else:expr)?]) => {
        let $s = $s.$v().$w($($crate::__rseq_check!(@operand $arg),)* $($else)?);
    };
    (@step $s:ident [$($w:ident)+] $($rest:tt)*) => {
        compile_error!(concat!(
            "a step is `name(operands);`, with `repeatable` or `commit` before the name of a store: ",
            $(" ", stringify!($w),)+
        ));
    };
    (@write $s:ident $w:ident $r:ident $x:tt) => {
        let $s = $s.$w($crate::__rseq_check!(@operand $x));
        $r = $crate::section::check::written();
    };
    (@change $s:ident $w:ident $r:ident $x:tt) => {
        let $s = $s.$w($r, $crate::__rseq_check!(@operand $x));
        $r = $crate::section::check::written();
    };
    (@operand $x:ident) => { $x };
    (@operand $k:literal) => { $crate::section::check::Literal($k) };
    (@operand [$a:ident]) => { $crate::section::check::at($a) };
    (@operand [$a:ident + $b:ident]) => { $crate::section::check::at_sum($a, $b) };
    (@operand [$a:ident + $k:literal]) => { $crate::section::check::at_sum($a, $crate::section::check::Literal($k)) };
    (@operand [$a:ident + $b:ident * $k:literal]) => { $crate::section::check::at_scaled::<_, _, $k>($a, $b) };
    (@operand $($other:tt)*) => {
        compile_error!(concat!(
            "an operand is a name, a literal, or an address `[a]`, `[a + b]`, `[a + 8]`, `[a + b * 8]`, not `",
            stringify!($($other)*), "`"
        ))
    };
}
