//! The two indices, so that one test body serves both.

use rseq_core::{Index, OwnArea, Token};

use crate::ktap::Unmet;

pub use rseq_core::{ByCpu, ByMmCid};

/// The token of a thread that the runtime registered.
pub type Here<I = ByCpu> = Token<'static, OwnArea, I>;

/// An index, as tests choose it.
pub trait Choice: Index {
    /// What results call it.
    const NAME: &'static str;

    /// The token by this index; a skip where the kernel does not maintain the field.
    fn of(token: Here) -> Result<Here<Self>, Unmet>;

    /// The field's value at this moment, whether or not the kernel maintains it.
    fn value(token: Here) -> usize;
}

impl Choice for ByCpu {
    const NAME: &'static str = "cpu_id";

    fn of(token: Here) -> Result<Here, Unmet> {
        Ok(token)
    }

    fn value(token: Here) -> usize {
        token.cpu_id() as usize
    }
}

impl Choice for ByMmCid {
    const NAME: &'static str = "mm_cid";

    fn of(token: Here) -> Result<Here<Self>, Unmet> {
        token.by_mm_cid().ok_or_else(|| crate::skip!("this kernel has no mm_cid (Linux 6.3)"))
    }

    fn value(token: Here) -> usize {
        token.mm_cid().map_or(usize::MAX, |mm_cid| mm_cid as usize)
    }
}
