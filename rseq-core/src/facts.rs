//! Facts about the whole process: words that all versions of this crate in one program share.

use core::sync::atomic::{AtomicU32, Ordering};

// An interface between versions of this crate, as `__rseq_core_area` is: u32 feature size | alignment << 16, or 0; u32
// active bytes of own areas, or 0. Link-time optimisation may put the text of two versions into one unit, hence
// `.ifndef`.
#[cfg(not(rseq_stub))]
core::arch::global_asm!(
    ".ifndef __rseq_core_facts",
    ".pushsection .data.__rseq_core_facts, \"awG\", %progbits, __rseq_core_facts, comdat",
    ".balign 4",
    ".weak __rseq_core_facts",
    ".hidden __rseq_core_facts",
    ".type __rseq_core_facts, %object",
    ".size __rseq_core_facts, 8",
    "__rseq_core_facts:",
    ".long 0, 0",
    ".popsection",
    ".endif",
);

#[cfg(not(rseq_stub))]
#[allow(non_upper_case_globals, reason = "the name is an interface")]
unsafe extern "C" {
    /// Defined above, and only accessed as two atomic words.
    safe static __rseq_core_facts: [AtomicU32; 2];
}

/// Private to this version, because assembly would be for one object format only: no thread is registered on such a
/// target, so there is nothing to share.
#[cfg(rseq_stub)]
#[allow(non_upper_case_globals, reason = "the name is that of the interface elsewhere")]
static __rseq_core_facts: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

/// A word that is set once: the first value stays.
#[derive(Clone, Copy)]
pub(crate) struct Fact(Word);

#[derive(Clone, Copy)]
enum Word {
    First,
    Second,
}

/// The kernel's feature size and alignment, packed.
pub(crate) const KERNEL: Fact = Fact(Word::First);

/// Bytes of own areas that the kernel maintains.
pub(crate) const OWN_ACTIVE_SIZE: Fact = Fact(Word::Second);

impl Fact {
    #[inline]
    fn word(self) -> &'static AtomicU32 {
        let [first, second] = &__rseq_core_facts;
        match self.0 {
            Word::First => first,
            Word::Second => second,
        }
    }

    /// The value; 0 if it is not set.
    #[inline]
    pub(crate) fn get(self) -> u32 {
        self.word().load(Ordering::Relaxed)
    }

    /// Sets the value unless it is set already, and returns the final one.
    pub(crate) fn set_first(self, value: u32) -> u32 {
        match self.word().compare_exchange(0, value, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => value,
            Err(first) => first,
        }
    }
}
