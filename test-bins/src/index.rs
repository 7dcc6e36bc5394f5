//! The two ways to choose a slot, so that one test body serves both.

use rseq_core::{CpuId, Index, MmCid, OwnArea, Token};

use crate::ktap::Unmet;

/// The token of a thread that the runtime registered.
pub type Here = Token<'static, OwnArea>;

/// A way to choose a slot.
pub trait Choice {
    /// The core's index type.
    type Index: Index;
    /// What results call it.
    const NAME: &'static str;

    /// The proof that the kernel maintains the field; a skip where it does not.
    fn index(token: Here) -> Result<Self::Index, Unmet>;

    /// The field's value at this moment.
    fn value(token: Here) -> usize;
}

/// By CPU number.
pub struct ByCpu;

/// By concurrency ID.
pub struct ByMmCid;

impl Choice for ByCpu {
    type Index = CpuId;
    const NAME: &'static str = "cpu_id";

    fn index(token: Here) -> Result<CpuId, Unmet> {
        Ok(token.cpu_index())
    }

    fn value(token: Here) -> usize {
        token.cpu_id() as usize
    }
}

impl Choice for ByMmCid {
    type Index = MmCid<'static>;
    const NAME: &'static str = "mm_cid";

    fn index(token: Here) -> Result<MmCid<'static>, Unmet> {
        token.mm_cid_index().ok_or_else(|| crate::skip!("this kernel has no mm_cid (Linux 6.3)"))
    }

    fn value(token: Here) -> usize {
        token.mm_cid().map_or(usize::MAX, |mm_cid| mm_cid as usize)
    }
}
