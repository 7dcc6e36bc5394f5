//! The three standard descriptors, which are open from `main` on. Otherwise the next file that the program opens would
//! take the place of one, and receive its output.

use crate::sys;
use rseq_core::sys::Errno;

/// Opens each of the descriptors 0 to 2 that is closed, on `/dev/null`, as std does. Without that file, a descriptor
/// that can be neither read nor written takes the place.
pub fn open_standard() {
    for descriptor in 0..=2 {
        if sys::descriptor_flags(descriptor) == Err(Errno::EBADF) {
            // The kernel returns the lowest free number, which is this one.
            let _ = sys::open_null().or_else(|_| sys::open_root());
        }
    }
}
