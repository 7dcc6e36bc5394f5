//! What a section is bound to: the CPU or the concurrency ID.

use crate::abi::Rseq;
use core::mem::offset_of;

/// The field of the area that selects a per-CPU slot: [`ByCpu`] or [`ByMmCid`].
///
/// A section reads and compares only this field: a section by concurrency ID does not depend on the CPU.
pub trait Index: sealed::Sealed + Copy + 'static {
    /// Offset of the field in bytes.
    const OFFSET: usize;
}

/// `cpu_id`: the CPU number, in every registered thread (Linux 4.18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByCpu;

/// `mm_cid`: the concurrency ID within this address space (Linux 6.3), for a token from
/// [`Token::by_mm_cid`](crate::Token::by_mm_cid).
///
/// Processes that run at the same time have the same concurrency IDs, so `mm_cid` must not index memory that they
/// share: [`percpu`](crate::percpu) rejects it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByMmCid;

impl Index for ByCpu {
    const OFFSET: usize = offset_of!(Rseq, cpu_id);
}

impl Index for ByMmCid {
    const OFFSET: usize = offset_of!(Rseq, mm_cid);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ByCpu {}
    impl Sealed for super::ByMmCid {}
}
