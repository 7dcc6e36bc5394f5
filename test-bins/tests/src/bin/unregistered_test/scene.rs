//! Memory on which every operation would succeed, were it let in, and each operation there.

use core::slice;
use core::sync::atomic::AtomicUsize;

use harness::index::Here;
use harness::ktap::{OrFail, Unmet};
use harness::slots::{STRIDE, Slots};
use harness::sys::memory::Mapping;
use rseq_core::ops::librseq::{
    self, load_add_load_load_add_store, load_add_store, load_cbeq_store_add_load_store, load_cbne_load_cbne_store,
    load_cbne_memcpy_store, load_cbne_store, load_cbne_store_store,
};
use rseq_core::ops::this_cpu;
use rseq_core::percpu::Node;
use rseq_core::{Committed, Index, OwnArea, Relaxed, Release};

/// What the operations take beside a slot.
#[repr(C)]
struct Things {
    /// Leads to itself: a link, an array and its entry, a counter.
    ring: usize,
    /// Another one.
    other: usize,
    /// A node in no list.
    loose: usize,
    popped: usize,
    second: usize,
    from: [u8; 64],
    to: [u8; 64],
}

/// A slot for each CPU that leads to the ring; heads and nodes for a pool; and the [`Things`].
pub struct Scene {
    pub slots: Slots,
    heads: Slots,
    nodes: Mapping,
    things: Mapping,
}

/// An operation, and what it said.
type Said<E> = (&'static str, Result<Committed, E>);

impl Scene {
    pub fn new() -> Result<Self, Unmet> {
        let slots = Slots::new().or_fail("memory for the slots")?;
        let heads = Slots::new().or_fail("memory for the heads")?;
        let nodes = Mapping::private(heads.count() * size_of::<Node<usize>>()).or_fail("memory for the nodes")?;
        let things = Mapping::private(size_of::<Things>()).or_fail("memory for the rest")?;
        let scene = Self { slots, heads, nodes, things };
        let things = scene.things();
        // SAFETY: zeroed memory of this type, and words of the slots, which are used here only.
        unsafe {
            let ring = &raw mut (*things).ring;
            let other = &raw mut (*things).other;
            ring.write(ring as usize);
            other.write(other as usize);
            (*things).from = [1; 64];
            scene.slots.words().for_each(|word| word.write(ring as usize));
        }
        Ok(scene)
    }

    fn things(&self) -> *mut Things {
        self.things.address() as *mut Things
    }

    /// The slots' words, as the safe types want them.
    ///
    /// # Safety
    ///
    /// Called once.
    #[expect(clippy::mut_from_ref, reason = "memory of its own, lent once")]
    pub unsafe fn for_a_counter(&self) -> &mut [AtomicUsize] {
        // SAFETY: the mapping, zeroed at first, aligned to a page, this long, and lent once; besides the counter's
        // sections, only volatile reads and sections that leave reach it.
        unsafe { slice::from_raw_parts_mut(self.slots.base().cast(), self.slots.count() * STRIDE / size_of::<usize>()) }
    }

    /// Heads and nodes.
    ///
    /// # Safety
    ///
    /// Called once.
    #[expect(clippy::mut_from_ref, reason = "memory of its own, lent once")]
    pub unsafe fn for_a_pool(&self) -> (&mut [AtomicUsize], &mut [Node<usize>]) {
        let count = self.heads.count();
        // SAFETY: mappings that are zeroed, which is a valid node, aligned to a page, this long, and lent once.
        unsafe {
            (
                slice::from_raw_parts_mut(self.heads.base().cast(), count * STRIDE / size_of::<usize>()),
                slice::from_raw_parts_mut(self.nodes.address() as *mut Node<usize>, count),
            )
        }
    }

    /// A hash (FNV-1a) of every word that there is.
    pub fn fingerprint(&self) -> u64 {
        let slots = |slots: &Slots| (slots.base() as usize, slots.count() * STRIDE);
        [
            slots(&self.slots),
            slots(&self.heads),
            (self.nodes.address(), self.nodes.len()),
            (self.things.address(), self.things.len()),
        ]
        .into_iter()
        .flat_map(|(start, length)| {
            (start..start + length / size_of::<usize>() * size_of::<usize>()).step_by(size_of::<usize>())
        })
        // SAFETY: a word within one of the mappings; volatile, because sections write it without the compiler's
        // knowledge.
        .map(|word| unsafe { (word as *const usize).read_volatile() })
        .fold(0xcbf2_9ce4_8422_2325, |hash, word| (hash ^ word as u64).wrapping_mul(0x100_0000_01b3))
    }

    /// librseq's operations on `slot`, whose word is `v`.
    ///
    /// # Safety
    ///
    /// `v` is a word of the slots, and `slot` not -1 or -2.
    pub unsafe fn aimed<I: Index>(&self, t: Here<I>, slot: usize, v: *mut usize) -> [Said<librseq::Error>; 9] {
        let things = self.things();
        // SAFETY: fields of the mapping, all of them valid operands; the caller answers for `v` and `slot`.
        unsafe {
            let (ring, other) = (&raw mut (*things).ring as usize, &raw mut (*things).other as usize);
            let (popped, second) = (&raw mut (*things).popped, &raw mut (*things).second);
            let (from, to) = (&raw const (*things).from, &raw mut (*things).to);
            let (from, to) = (from.cast::<u8>(), to.cast::<u8>());
            [
                ("load_cbne_store", load_cbne_store(t, slot, v, ring, other)),
                ("load_cbeq_store_add_load_store", load_cbeq_store_add_load_store(t, slot, v, 0, 0, popped)),
                ("load_cbne_load_cbne_store", load_cbne_load_cbne_store(t, slot, v, ring, second, 0, other)),
                ("load_cbne_store_store", load_cbne_store_store::<Relaxed, _, _>(t, slot, v, ring, second, 1, other)),
                ("its release form", load_cbne_store_store::<Release, _, _>(t, slot, v, ring, second, 1, other)),
                (
                    "load_cbne_memcpy_store",
                    load_cbne_memcpy_store::<Relaxed, _, _>(t, slot, v, ring, to, from, 64, other),
                ),
                ("its release form", load_cbne_memcpy_store::<Release, _, _>(t, slot, v, ring, to, from, 64, other)),
                (
                    "load_add_load_load_add_store",
                    load_add_load_load_add_store(t, slot, v, 0, 1).map_err(librseq::Error::from),
                ),
                ("load_add_store", load_add_store(t, slot, v, 1).map_err(librseq::Error::from)),
            ]
        }
    }

    /// The operations that find their slot themselves, among `length` from `base` on. `add_unchecked` is none of them:
    /// its caller is registered.
    ///
    /// # Safety
    ///
    /// `base` is a word of the slots, with one before it: there -1 would lead.
    pub unsafe fn here<I: Index>(&self, t: Here<I>, base: *mut usize, length: usize) -> [Said<this_cpu::Error>; 5] {
        let things = self.things();
        // SAFETY: as in `aimed`. The thread is not registered, so that no `length` lets a section in; were one to, its
        // index is 0 or -1.
        unsafe {
            let (ring, other) = (&raw mut (*things).ring as usize, &raw mut (*things).other as usize);
            let loose = &raw mut (*things).loose;
            [
                ("cmpxchg", this_cpu::cmpxchg::<STRIDE, OwnArea, I>(t, base, length, ring, other)),
                ("pop", this_cpu::pop::<STRIDE, OwnArea, I>(t, base, length).map(|_| Committed)),
                ("push", this_cpu::push::<STRIDE, OwnArea, I>(t, base, length, loose).map_err(this_cpu::Error::from)),
                ("add", this_cpu::add::<STRIDE, OwnArea, I>(t, base, length, 1).map_err(this_cpu::Error::from)),
                ("inc", this_cpu::inc::<STRIDE, OwnArea, I>(t, base, length).map_err(this_cpu::Error::from)),
            ]
        }
    }
}
