//! The proof that a thread is registered, and what it lets one read.

use crate::abi::{self, Rseq};
use crate::area::{Area, read};
use crate::index::{CpuId, Index, MmCid};
use core::marker::PhantomData;
use core::mem::offset_of;

/// Proof that the calling thread is registered: it borrows its [`Registration`](crate::Registration), stays in its thread,
/// and costs nothing.
///
/// One that `current()` gave is a proof of that moment. If the registration ends while it lives, sections still refuse:
/// the index of an unregistered own area is -1.
#[derive(Debug)]
pub struct Token<'r, A> {
    area: A,
    registration: PhantomData<(&'r (), *mut ())>,
}

impl<A: Copy> Clone for Token<'_, A> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: Copy> Copy for Token<'_, A> {}

impl<'r, A: Area> Token<'r, A> {
    #[inline]
    pub(crate) fn new(area: A) -> Self {
        Self { area, registration: PhantomData }
    }

    /// A token for an area whose cpu_id is that of a registered thread.
    #[inline]
    pub(crate) fn of_registered(area: A) -> Option<Self> {
        let token = Self::new(area);
        token.is_registered().then_some(token)
    }

    /// Where the area is.
    #[inline]
    pub fn area(self) -> A {
        self.area
    }

    /// Whether the kernel maintains the area at this moment.
    #[inline]
    pub fn is_registered(self) -> bool {
        read(self.area, offset_of!(Rseq, cpu_id)) < abi::CPU_ID_REGISTRATION_FAILED
    }

    /// The CPU of this moment, already possibly old; -1 if the registration has ended.
    #[inline]
    pub fn cpu_id(self) -> u32 {
        read(self.area, offset_of!(Rseq, cpu_id))
    }

    /// A CPU number that is always a possible one, for a first guess of where a section will run.
    #[inline]
    pub fn cpu_id_start(self) -> u32 {
        read(self.area, offset_of!(Rseq, cpu_id_start))
    }

    /// The NUMA node of this moment, where the kernel maintains it (Linux 6.3).
    #[inline]
    pub fn node_id(self) -> Option<u32> {
        self.active(offset_of!(Rseq, node_id))
    }

    /// The concurrency ID of this moment, where the kernel maintains it (Linux 6.3).
    #[inline]
    pub fn mm_cid(self) -> Option<u32> {
        self.active(offset_of!(Rseq, mm_cid))
    }

    /// `rseq::flags` (Linux 7.0; 0 before): see `AREA_FLAG_*` in [`abi`].
    #[inline]
    pub fn flags(self) -> u32 {
        read(self.area, offset_of!(Rseq, flags))
    }

    /// The index for sections by CPU.
    #[inline]
    pub fn cpu_index(self) -> CpuId {
        CpuId
    }

    /// What a section by this index compares with, at this moment; all ones if the registration has ended.
    #[inline]
    pub fn slot<I: Index>(self, _index: I) -> u32 {
        read(self.area, I::OFFSET)
    }

    /// The index for sections by concurrency ID, where the kernel maintains it (Linux 6.3) and the thread is registered.
    #[inline]
    pub fn mm_cid_index(self) -> Option<MmCid<'r>> {
        self.mm_cid().filter(|_| self.is_registered()).map(|_| MmCid::proven())
    }

    /// A u32 field behind the original area, if it is among the active bytes.
    #[inline]
    fn active(self, offset: usize) -> Option<u32> {
        (offset + 4 <= self.area.active_size() as usize).then(|| read(self.area, offset))
    }

    /// Forgets the section that this thread armed last.
    ///
    /// The kernel looks at the armed descriptor until it finds the thread outside of the section, which may be long after
    /// the section has ended. Before its memory goes (dlclose, a JIT's buffer), every thread that ran it calls this.
    #[inline]
    pub fn clear_rseq_cs(self) {
        // SAFETY: the low word of rseq_cs of this thread's area, at least 32 bytes of memory while the thread runs. It is the
        // field that threads write; 0 says that no section is armed. Volatile, so that it stays before what follows.
        unsafe { self.area.pointer().as_ptr().cast::<usize>().byte_add(abi::RSEQ_CS_LOW).write_volatile(0) };
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
    }
}

/// Prepares this thread for the unloading of code with critical sections, such as before `dlclose`: see
/// [`Token::clear_rseq_cs`]. Every thread that ran one of them does it, after its last one.
#[inline]
pub fn prepare_unload<A: Area>(token: Token<'_, A>) {
    token.clear_rseq_cs();
}
