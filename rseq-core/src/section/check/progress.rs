//! How far a section has come, as types: which steps are allowed next.

use super::operand::{IndexRegister, ScratchRegister};
use core::marker::PhantomData;

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
