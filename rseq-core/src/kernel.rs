//! What the running kernel says of its rseq: the two auxiliary-vector entries.

use crate::abi;

/// The kernel's rseq feature size and alignment, from the auxiliary vector that the runtime was started with.
///
/// The core does not look for the vector itself: a libc has `getauxval`, a runtime has the initial stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelRseq {
    feature_size: u32,
    align: u32,
}

impl KernelRseq {
    /// `AT_RSEQ_FEATURE_SIZE`: the auxiliary-vector entry with the active bytes of the area (Linux 6.3).
    pub const AT_FEATURE_SIZE: usize = linux_raw_sys::auxvec::AT_RSEQ_FEATURE_SIZE as usize;

    /// `AT_RSEQ_ALIGN`: the auxiliary-vector entry with the alignment of the area in bytes (Linux 6.3).
    pub const AT_ALIGN: usize = linux_raw_sys::auxvec::AT_RSEQ_ALIGN as usize;

    /// A kernel that says nothing: 20 active bytes, alignment 32 (before Linux 6.3).
    pub const SILENT: Self = Self { feature_size: abi::ORIGINAL_ACTIVE_SIZE, align: abi::ORIGINAL_ALIGN };

    /// The facts as the auxiliary vector gives them; absent, 0 and nonsensical entries count as a kernel that says nothing.
    pub const fn from_auxv(feature_size: Option<usize>, align: Option<usize>) -> Self {
        let feature_size = match feature_size {
            Some(size) if size > abi::ORIGINAL_ACTIVE_SIZE as usize && size <= 4096 => size as u32,
            _ => abi::ORIGINAL_ACTIVE_SIZE,
        };
        let align = match align {
            Some(align) if align > abi::ORIGINAL_ALIGN as usize && align <= 4096 && align.is_power_of_two() => {
                align as u32
            }
            _ => abi::ORIGINAL_ALIGN,
        };
        Self { feature_size, align }
    }

    /// Whether the kernel gave a feature size at all (Linux 6.3 and later do).
    pub const fn speaks(self) -> bool {
        self.feature_size > abi::ORIGINAL_ACTIVE_SIZE
    }

    /// Bytes of the area that the kernel keeps up to date: 20 before Linux 6.3, then `AT_RSEQ_FEATURE_SIZE`.
    pub const fn active_size(self) -> u32 {
        self.feature_size
    }

    /// Bytes to register: the feature size, and 32 at least.
    pub const fn registration_len(self) -> u32 {
        if self.feature_size > abi::ORIGINAL_SIZE { self.feature_size } else { abi::ORIGINAL_SIZE }
    }

    /// Alignment in bytes that a registration of [`registration_len`](Self::registration_len) needs.
    pub const fn registration_align(self) -> u32 {
        self.align
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_entries_mean_the_original_area() {
        for kernel in [KernelRseq::from_auxv(None, None), KernelRseq::from_auxv(Some(0), Some(0))] {
            assert_eq!(kernel, KernelRseq::SILENT);
            assert_eq!((kernel.active_size(), kernel.registration_len(), kernel.registration_align()), (20, 32, 32));
        }
    }

    #[test]
    fn every_era_registers_what_it_wants() {
        let eras = [(28, 32, 32, 32), (33, 64, 33, 64), (100, 128, 100, 128)];
        for (size, align, len, want_align) in eras {
            let kernel = KernelRseq::from_auxv(Some(size), Some(align));
            assert_eq!((kernel.registration_len(), kernel.registration_align()), (len, want_align));
        }
    }

    #[test]
    fn hostile_entries_are_ignored() {
        let kernel = KernelRseq::from_auxv(Some(usize::MAX), Some(48));
        assert_eq!(kernel, KernelRseq::SILENT);
    }
}
