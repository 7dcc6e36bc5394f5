//! The running kernel's rseq features: two entries of the auxiliary vector.

use crate::{abi, auxv, facts};

/// The running kernel's rseq feature size and alignment.
///
/// They are part of the proof that the kernel maintains `mm_cid`, so safe code cannot make them up:
/// [`read`](Self::read) finds them, and [`from_auxv`](Self::from_auxv) is unsafe.
///
/// ```
/// let kernel = rseq_core::KernelRseq::read();
/// assert!(kernel.registration_len() >= 32);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelRseq {
    feature_size: u32,
    align: u32,
}

/// The largest plausible feature size and alignment, in bytes.
const LIMIT: usize = 4096;

impl KernelRseq {
    /// `AT_RSEQ_FEATURE_SIZE`: the auxiliary-vector entry with the active bytes of the area (Linux 6.3).
    pub const AT_FEATURE_SIZE: usize = linux_raw_sys::auxvec::AT_RSEQ_FEATURE_SIZE as usize;

    /// `AT_RSEQ_ALIGN`: the auxiliary-vector entry with the alignment of the area in bytes (Linux 6.3).
    pub const AT_ALIGN: usize = linux_raw_sys::auxvec::AT_RSEQ_ALIGN as usize;

    /// A kernel without a feature size (before Linux 6.3): 20 active bytes, alignment 32. Every kernel satisfies it,
    /// because later ones maintain at least as much.
    pub const LEGACY: Self = Self { feature_size: abi::ORIGINAL_ACTIVE_SIZE, align: abi::ORIGINAL_ALIGN };

    /// The running kernel's facts, read once in a process.
    ///
    /// They come from a runtime that called [`provide`](Self::provide), else from the libc's `getauxval`, else from
    /// `prctl(PR_GET_AUXV)` (Linux 6.4), else from `/proc/self/auxv`. Where none of them answers, the result is
    /// [`LEGACY`](Self::LEGACY). It may be called in a signal handler.
    pub fn read() -> Self {
        match facts::KERNEL.get() {
            0 => Self::read_now().provide(),
            packed => Self::unpack(packed),
        }
    }

    #[cold]
    #[inline(never)]
    fn read_now() -> Self {
        let [feature_size, align] = auxv::entries([Self::AT_FEATURE_SIZE, Self::AT_ALIGN]);
        Self::sensible(feature_size, align)
    }

    /// The facts from the two entries of an auxiliary vector. Absent, 0 and implausible entries count as a kernel
    /// without them.
    ///
    /// # Safety
    ///
    /// The values are those of the vector that the running kernel gave this process. An invented feature size would
    /// make safe code rely on a `mm_cid` that no kernel maintains.
    pub const unsafe fn from_auxv(feature_size: Option<usize>, align: Option<usize>) -> Self {
        Self::sensible(feature_size, align)
    }

    const fn sensible(feature_size: Option<usize>, align: Option<usize>) -> Self {
        let feature_size = match feature_size {
            Some(size) if size > abi::ORIGINAL_ACTIVE_SIZE as usize && size <= LIMIT => size as u32,
            _ => abi::ORIGINAL_ACTIVE_SIZE,
        };
        let align = match align {
            Some(align) if align > abi::ORIGINAL_ALIGN as usize && align <= LIMIT && align.is_power_of_two() => {
                align as u32
            }
            _ => abi::ORIGINAL_ALIGN,
        };
        Self { feature_size, align }
    }

    /// Makes these facts the ones that [`read`](Self::read) returns in this process, unless there are some already;
    /// returns the final ones. For runtimes that have the auxiliary vector, before other code reads it.
    pub fn provide(self) -> Self {
        Self::unpack(facts::KERNEL.set_first(self.pack()))
    }

    /// Both fit 16 bits, and neither is 0.
    const fn pack(self) -> u32 {
        self.feature_size | self.align << 16
    }

    const fn unpack(packed: u32) -> Self {
        Self { feature_size: packed & 0xffff, align: packed >> 16 }
    }

    /// Whether the kernel has a feature size in the auxiliary vector (Linux 6.3 and later).
    pub const fn has_feature_size(self) -> bool {
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
        for kernel in [KernelRseq::sensible(None, None), KernelRseq::sensible(Some(0), Some(0))] {
            assert_eq!(kernel, KernelRseq::LEGACY);
            assert_eq!((kernel.active_size(), kernel.registration_len(), kernel.registration_align()), (20, 32, 32));
        }
    }

    #[test]
    fn each_era_registers_what_it_wants() {
        let eras = [(28, 32, 32, 32), (33, 64, 33, 64), (100, 128, 100, 128)];
        for (size, align, len, want_align) in eras {
            let kernel = KernelRseq::sensible(Some(size), Some(align));
            assert_eq!((kernel.registration_len(), kernel.registration_align()), (len, want_align));
        }
    }

    #[test]
    fn hostile_entries_are_ignored() {
        assert_eq!(KernelRseq::sensible(Some(usize::MAX), Some(48)), KernelRseq::LEGACY);
    }

    #[test]
    fn facts_survive_packing() {
        for (size, align) in [(0, 0), (28, 32), (33, 64), (LIMIT, LIMIT)] {
            let kernel = KernelRseq::sensible(Some(size), Some(align));
            assert_eq!(KernelRseq::unpack(kernel.pack()), kernel);
        }
    }

    #[test]
    fn the_running_kernel_is_asked_once() {
        let kernel = KernelRseq::read();
        assert_eq!(kernel, KernelRseq::read_now());
        assert_eq!(KernelRseq::sensible(Some(100), Some(128)).provide(), kernel, "the first facts stay");
        assert_eq!(KernelRseq::read(), kernel);
    }
}
