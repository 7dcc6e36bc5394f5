//! The proof that a thread is registered, and the fields that it gives access to.

use crate::abi::{self, Rseq};
use crate::area::{Area, OwnArea, read};
use crate::index::{ByCpu, ByMmCid, Index};
use core::marker::PhantomData;
use core::mem::offset_of;

/// Proof that the calling thread is registered, and the index that its sections use. It borrows the thread's
/// [`Registration`](crate::Registration), cannot leave the thread, and costs nothing.
///
/// A registration makes a token by CPU. [`by_mm_cid`](Self::by_mm_cid) makes one by concurrency ID, which also proves
/// that the kernel maintains `mm_cid`: otherwise the field may read 0, and a section that compares only it would run
/// unprotected on slot 0.
///
/// ```compile_fail
/// # use rseq_core::{ByMmCid, OwnArea, Token};
/// fn unproven<'r>(token: Token<'r, OwnArea>) -> Token<'r, OwnArea, ByMmCid> {
///     token
/// }
/// ```
///
/// A token that `current()` returned proves registration at the time of the call only. If the registration ends while
/// the token exists, sections still leave without an effect: the index of an unregistered own area is -1.
#[derive(Debug)]
pub struct Token<'r, A, I = ByCpu> {
    area: A,
    index: PhantomData<I>,
    registration: PhantomData<(&'r (), *mut ())>,
}

impl<A: Copy, I> Clone for Token<'_, A, I> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: Copy, I> Copy for Token<'_, A, I> {}

impl<A: Area> Token<'_, A> {
    #[inline]
    pub(crate) fn new(area: A) -> Self {
        Self { area, index: PhantomData, registration: PhantomData }
    }

    /// A token for an area whose cpu_id is that of a registered thread.
    #[inline]
    pub(crate) fn of_registered(area: A) -> Option<Self> {
        let token = Self::new(area);
        token.is_registered().then_some(token)
    }
}

impl OwnArea {
    /// A token, if this thread is registered in its own area.
    #[inline]
    pub fn current() -> Option<Token<'static, Self>> {
        Token::of_registered(Self)
    }
}

impl<'r, A: Area, I: Index> Token<'r, A, I> {
    /// The address of the area.
    #[inline]
    pub fn area(self) -> A {
        self.area
    }

    /// Whether the kernel maintains the area.
    #[inline]
    pub fn is_registered(self) -> bool {
        read(self.area, offset_of!(Rseq, cpu_id)) < abi::CPU_ID_REGISTRATION_FAILED
    }

    /// The current CPU, which may change at any time; -1 if the registration has ended.
    #[inline]
    pub fn cpu_id(self) -> u32 {
        self.area.index::<ByCpu>()
    }

    /// A CPU number that is always possible, as a first guess of where a section will run.
    #[inline]
    pub fn cpu_id_start(self) -> u32 {
        read(self.area, offset_of!(Rseq, cpu_id_start))
    }

    /// The current NUMA node, where the kernel maintains it (Linux 6.3).
    #[inline]
    pub fn node_id(self) -> Option<u32> {
        self.active(offset_of!(Rseq, node_id))
    }

    /// The current concurrency ID, where the kernel maintains it (Linux 6.3).
    #[inline]
    pub fn mm_cid(self) -> Option<u32> {
        self.active(offset_of!(Rseq, mm_cid))
    }

    /// `rseq::flags` (Linux 7.0; 0 before): see `AREA_FLAG_*` in [`abi`].
    #[inline]
    pub fn flags(self) -> u32 {
        read(self.area, offset_of!(Rseq, flags))
    }

    /// The token for sections by CPU.
    #[inline]
    pub fn by_cpu(self) -> Token<'r, A> {
        self.with_index()
    }

    /// The token for sections by concurrency ID. None if the kernel does not maintain `mm_cid` (before Linux 6.3) or
    /// the thread is not registered.
    #[inline]
    pub fn by_mm_cid(self) -> Option<Token<'r, A, ByMmCid>> {
        (self.mm_cid().is_some() && self.is_registered()).then(|| self.with_index())
    }

    #[inline]
    pub(crate) fn with_index<J>(self) -> Token<'r, A, J> {
        Token { area: self.area, index: PhantomData, registration: PhantomData }
    }

    /// The slot that sections with this token use: the current CPU or concurrency ID. It is `u32::MAX` if the
    /// registration has ended.
    #[inline]
    pub fn slot(self) -> u32 {
        self.area.index::<I>()
    }

    /// A u32 field after the original area, if it is among the active bytes.
    #[inline]
    fn active(self, offset: usize) -> Option<u32> {
        (offset + 4 <= self.area.active_size() as usize).then(|| read(self.area, offset))
    }

    /// Disarms the section that this thread armed last.
    ///
    /// The kernel reads the armed descriptor until it finds the thread outside of the section, which may be long after
    /// the section has ended. Before the descriptor's memory is freed (`dlclose`, a JIT's buffer), every thread that
    /// ran the section calls this.
    #[inline]
    pub fn clear_rseq_cs(self) {
        // SAFETY: it writes the low word of `rseq_cs` in this thread's area, which is at least 32 bytes of memory while
        // the thread runs. Threads may write this field; 0 means that no section is armed. Volatile, so that it stays
        // before what follows.
        unsafe { self.area.pointer().as_ptr().cast::<usize>().byte_add(abi::RSEQ_CS_LOW).write_volatile(0) };
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
    }
}

/// Prepares this thread for the unloading of code with critical sections, such as before `dlclose`: see
/// [`Token::clear_rseq_cs`]. Every thread that ran one of them calls it, after its last one.
#[inline]
pub fn prepare_unload<A: Area, I: Index>(token: Token<'_, A, I>) {
    token.clear_rseq_cs();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::SliceCtrl;
    use crate::area::ThreadArea;
    use core::ptr::NonNull;

    fn area(cpu_id: u32) -> Rseq {
        let slice_ctrl = SliceCtrl::default();
        Rseq { cpu_id_start: 0, cpu_id, rseq_cs: 0, flags: 0, node_id: 0, mm_cid: 3, slice_ctrl, reserved: 0 }
    }

    fn token(area: &mut Rseq, active: u32) -> Token<'static, ThreadArea> {
        Token::new(ThreadArea::new(NonNull::from(area), active))
    }

    #[test]
    fn by_mm_cid_is_proven() {
        const ACTIVE: u32 = offset_of!(Rseq, mm_cid) as u32 + 4;
        let mut registered = area(5);
        let token_of = |area: &mut Rseq, active| token(area, active).by_mm_cid();
        let by_mm_cid = token_of(&mut registered, ACTIVE).expect("maintained and registered");
        assert_eq!((by_mm_cid.slot(), by_mm_cid.by_cpu().slot(), by_mm_cid.cpu_id()), (3, 5, 5));
        assert!(token_of(&mut registered, ACTIVE - 1).is_none(), "the kernel does not maintain it");
        for unregistered in [abi::CPU_ID_UNINITIALIZED, abi::CPU_ID_REGISTRATION_FAILED] {
            assert!(token_of(&mut area(unregistered), ACTIVE).is_none(), "the thread is not registered");
        }
    }
}
