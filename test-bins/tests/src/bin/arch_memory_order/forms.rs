//! The operations whose commit has an order, with and without it, and the table of them.
//!
//! The runner reads the section `rseq_forms` of the linked program: addresses of functions, in turn a release form and
//! the same without the order. It looks up the critical section in each, and whether its commit is ordered.

use harness::index::{ByCpu, ByMmCid, Choice, Here};
use rseq_core::ops::librseq::{self, load_cbne_memcpy_store, load_cbne_store_store};
use rseq_core::{Committed, Index, OwnArea, Relaxed, Release};

use crate::ring::{Place, WORDS};

/// [`load_cbne_store_store`].
type Store<I> =
    unsafe fn(Here<I>, usize, *mut usize, usize, *mut usize, usize, usize) -> Result<Committed, librseq::Error>;
/// [`load_cbne_memcpy_store`].
type Copy<I> =
    unsafe fn(Here<I>, usize, *mut usize, usize, *mut u8, *const u8, usize, usize) -> Result<Committed, librseq::Error>;

/// Every form by one kind of index; the table is made of these.
#[repr(C)]
pub struct Forms<I: 'static> {
    pub store_release: Store<I>,
    pub store_relaxed: Store<I>,
    pub copy_release: Copy<I>,
    pub copy_relaxed: Copy<I>,
}

#[used]
#[unsafe(link_section = "rseq_forms")]
static BY_CPU: Forms<ByCpu> = Forms::new();

#[used]
#[unsafe(link_section = "rseq_forms")]
static BY_MM_CID: Forms<ByMmCid> = Forms::new();

/// A choice of slots with its forms.
pub trait Formed: Choice {
    fn forms() -> &'static Forms<Self>;
}

impl Formed for ByCpu {
    fn forms() -> &'static Forms<ByCpu> {
        &BY_CPU
    }
}

impl Formed for ByMmCid {
    fn forms() -> &'static Forms<ByMmCid> {
        &BY_MM_CID
    }
}

impl<I: Index> Forms<I> {
    const fn new() -> Self {
        Self {
            store_release: load_cbne_store_store::<Release, OwnArea, I>,
            store_relaxed: load_cbne_store_store::<Relaxed, OwnArea, I>,
            copy_release: load_cbne_memcpy_store::<Release, OwnArea, I>,
            copy_relaxed: load_cbne_memcpy_store::<Relaxed, OwnArea, I>,
        }
    }
}

/// One form.
pub enum Form<I> {
    Store(Store<I>),
    Copy(Copy<I>),
}

impl<I> Clone for Form<I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I> core::marker::Copy for Form<I> {}

impl<I> Form<I> {
    /// How many words of a message the section writes, counted from the last one. Nothing outside of a section could
    /// write them: a sender that is preempted there would write into a message of the next round.
    pub fn words(self) -> usize {
        match self {
            Self::Store(_) => 1,
            Self::Copy(_) => WORDS,
        }
    }

    /// Sends the next message of the ring `slot`.
    pub fn send(self, token: Here<I>, slot: usize, place: &Place) -> Result<Committed, librseq::Error> {
        let number = place.last.wrapping_add(1);
        match self {
            Self::Store(run) => {
                let last = place.message.wrapping_add(WORDS - 1);
                // SAFETY: valid words of the rings; a slot's number is not -1 or -2.
                unsafe { run(token, slot, place.number, place.last, last, number, number) }
            }
            Self::Copy(run) => {
                let message = [number; WORDS];
                let (to, len) = (place.message.cast(), size_of_val(&message));
                // SAFETY: as above, and the message is a local.
                unsafe { run(token, slot, place.number, place.last, to, message.as_ptr().cast(), len, number) }
            }
        }
    }
}
