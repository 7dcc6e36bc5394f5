//! What tests need of the machine: that slots can be drained.

extern crate std;

use crate::percpu::fence::fence_index;
use crate::skipped::skipped;
use crate::{ByCpu, Status, status};

/// Whether threads have sections and the kernel has the fence; reported, if not.
pub(super) fn can_drain() -> bool {
    match (status(), fence_index::<ByCpu>(0)) {
        (Status::On(_), Ok(())) => true,
        (status, fence) => {
            skipped(format_args!("{status}; the fence: {fence:?}"));
            false
        }
    }
}
