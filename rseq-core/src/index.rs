//! What a section is bound to: the CPU or the concurrency ID.

use crate::abi::Rseq;
use core::marker::PhantomData;
use core::mem::offset_of;

/// A field of the area that tells a per-CPU slot.
///
/// A section reads and compares this very field, so a section indexed by concurrency ID never looks at the CPU.
pub trait Index: sealed::Sealed + Copy {
    /// [`ByCpu`] or [`ByMmCid`], for types whose storage goes by one of them.
    type Kind;

    /// Offset of the field in bytes.
    const OFFSET: usize;
}

/// Says in a type that storage goes by CPU.
#[derive(Clone, Copy, Debug)]
pub struct ByCpu;

/// Says in a type that storage goes by concurrency ID.
#[derive(Clone, Copy, Debug)]
pub struct ByMmCid;

/// `cpu_id`: the CPU, in every registered thread (Linux 4.18).
#[derive(Clone, Copy, Debug)]
pub struct CpuId;

/// `mm_cid`: the concurrency ID within this address space (Linux 6.3), from [`Token::mm_cid_index`]. Processes that run at
/// the same time have the same ones, so it is no index into memory that they share: [`percpu`](crate::percpu) refuses it
/// there.
///
/// A value proves that the kernel maintains the field and that the thread is registered: an unregistered thread's field
/// may read 0, and a section that checks nothing else would run unprotected on slot 0.
///
/// [`Token::mm_cid_index`]: crate::Token::mm_cid_index
#[derive(Clone, Copy, Debug)]
pub struct MmCid<'r>(PhantomData<(&'r (), *mut ())>);

impl MmCid<'_> {
    pub(crate) fn proven() -> Self {
        Self(PhantomData)
    }
}

impl Index for CpuId {
    type Kind = ByCpu;
    const OFFSET: usize = offset_of!(Rseq, cpu_id);
}

impl Index for MmCid<'_> {
    type Kind = ByMmCid;
    const OFFSET: usize = offset_of!(Rseq, mm_cid);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::CpuId {}
    impl Sealed for super::MmCid<'_> {}
}
