//! Memory of a counter and a pool.

use core::slice;
use core::sync::atomic::AtomicUsize;

use harness::ktap::{OrFail, Unmet};
use harness::slots::{STRIDE, Slots};
use harness::sys::memory::Mapping;
use rseq_core::percpu::Node;

/// Slots for a counter; heads and nodes for a pool.
pub struct Scene {
    slots: Slots,
    heads: Slots,
    nodes: Mapping,
}

impl Scene {
    pub fn new() -> Result<Self, Unmet> {
        let slots = Slots::new().or_fail("memory for the slots")?;
        let heads = Slots::new().or_fail("memory for the heads")?;
        let nodes = Mapping::private(heads.count() * size_of::<Node<usize>>()).or_fail("memory for the nodes")?;
        Ok(Self { slots, heads, nodes })
    }

    /// The slots' words.
    ///
    /// # Safety
    ///
    /// Called once.
    #[expect(clippy::mut_from_ref, reason = "memory of its own, lent once")]
    pub unsafe fn for_a_counter(&self) -> &mut [AtomicUsize] {
        // SAFETY: the mapping, zeroed at first, aligned to a page, this long, and lent once; besides the counter's
        // sections, only volatile reads reach it.
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
        [slots(&self.slots), slots(&self.heads), (self.nodes.address(), self.nodes.len())]
            .into_iter()
            .flat_map(|(start, length)| {
                (start..start + length / size_of::<usize>() * size_of::<usize>()).step_by(size_of::<usize>())
            })
            // SAFETY: a word within one of the mappings; volatile, because sections write it without the compiler's
            // knowledge.
            .map(|word| unsafe { (word as *const usize).read_volatile() })
            .fold(0xcbf2_9ce4_8422_2325, |hash, word| (hash ^ word as u64).wrapping_mul(0x100_0000_01b3))
    }
}
