//! Slots by concurrency ID in which one thread may be at a time.

use core::sync::atomic::{AtomicUsize, Ordering};

use harness::index::{ByMmCid, Choice, Here};
use harness::slots::Slots;
use rseq_core::ops::librseq::{Error, load_cbne_store};
use rseq_core::sys::Errno;

/// A slot for each ID, and who is in it.
pub struct Rooms {
    owners: Slots,
    inside: Slots,
    met: AtomicUsize,
}

impl Rooms {
    pub fn new() -> Result<Self, Errno> {
        Ok(Self { owners: Slots::new()?, inside: Slots::new()?, met: AtomicUsize::new(0) })
    }

    /// Takes the slot of this thread's ID in one section and gives it back in a second. Between them another thread may
    /// take over the ID, and finds the slot taken, which is [`Error::CompareFailed`]; what it may never find is a slot
    /// that two threads took. `name` is not 0. None is an ID beyond the slots, or a thread without a registration.
    pub fn visit(&self, token: Here, name: usize) -> Option<Result<(), Error>> {
        let slot = ByMmCid::value(token);
        let owner = self.owners.word(slot)?;
        // SAFETY: the slot's own word, and a slot number is not -1 or -2.
        let taken = unsafe { load_cbne_store(ByMmCid::of(token).ok()?, slot, owner, 0, name) };
        if taken.is_ok() {
            self.met.fetch_add(usize::from(!is_alone(owner, self.inside.word(slot)?, name)), Ordering::Relaxed);
        }
        Some(taken.map(drop))
    }

    /// Visits of a slot in which there was another thread.
    pub fn met(&self) -> usize {
        self.met.load(Ordering::Relaxed)
    }

    /// Whether every slot has been given back.
    pub fn is_empty(&self) -> bool {
        self.owners.sum() == 0
    }
}

/// `false` if another thread is in the slot that this thread has taken, which it releases.
fn is_alone(owner: *mut usize, inside: *mut usize, name: usize) -> bool {
    // SAFETY: words of the slots, aligned and mapped; threads and sections access them as whole words.
    let (owner, inside) = unsafe { (AtomicUsize::from_ptr(owner), AtomicUsize::from_ptr(inside)) };
    let before = inside.swap(name, Ordering::SeqCst);
    (0..16).for_each(|turn| _ = core::hint::black_box(turn));
    let after = inside.swap(0, Ordering::SeqCst);
    owner.store(0, Ordering::SeqCst);
    before == 0 && after == name
}
