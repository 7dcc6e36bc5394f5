//! The kernel's rseq ABI: `struct rseq`, `struct rseq_cs`, their flags and sizes.
//!
//! From `include/uapi/linux/rseq.h` of Linux 7.2. Nothing here depends on a kernel version:
//! [`KernelRseq`](crate::KernelRseq) and probing show what the running kernel has.

use core::mem::{align_of, offset_of, size_of};

/// Length of a registration before Linux 6.3, and the shortest one that any kernel takes: 32 bytes.
pub const ORIGINAL_SIZE: u32 = 32;

/// Bytes of the original area that the kernel uses: everything up to and including `flags`.
pub const ORIGINAL_ACTIVE_SIZE: u32 = 20;

/// Alignment of the original area in bytes.
pub const ORIGINAL_ALIGN: u32 = 32;

/// `cpu_id` of an area that is not registered: never, or no longer (`RSEQ_CPU_ID_UNINITIALIZED`).
pub const CPU_ID_UNINITIALIZED: u32 = -1i32 as u32;

/// `cpu_id` of an area whose registration failed (`RSEQ_CPU_ID_REGISTRATION_FAILED`), by glibc's convention.
pub const CPU_ID_REGISTRATION_FAILED: u32 = -2i32 as u32;

/// `rseq(2)` flag: release the registration (`RSEQ_FLAG_UNREGISTER`, Linux 4.18).
pub const FLAG_UNREGISTER: u32 = 1 << 0;

/// `rseq(2)` flag: register with the time slice extension enabled (`RSEQ_FLAG_SLICE_EXT_DEFAULT_ON`, Linux 7.0; EINVAL
/// before).
pub const FLAG_SLICE_EXT_DEFAULT_ON: u32 = 1 << 1;

/// `rseq::flags`: the kernel has the time slice extension (`RSEQ_CS_FLAG_SLICE_EXT_AVAILABLE`, Linux 7.0).
pub const AREA_FLAG_SLICE_EXT_AVAILABLE: u32 = 1 << 4;

/// `rseq::flags`: the time slice extension is enabled in this thread (`RSEQ_CS_FLAG_SLICE_EXT_ENABLED`, Linux 7.0).
pub const AREA_FLAG_SLICE_EXT_ENABLED: u32 = 1 << 5;

/// Historical (`RSEQ_CS_FLAG_NO_RESTART_ON_PREEMPT`): must be 0. Linux 6.0 to 6.18 kill a task that sets it.
pub const CS_FLAG_NO_RESTART_ON_PREEMPT: u32 = 1 << 0;

/// Historical (`RSEQ_CS_FLAG_NO_RESTART_ON_SIGNAL`): must be 0. Linux 6.0 to 6.18 kill a task that sets it.
pub const CS_FLAG_NO_RESTART_ON_SIGNAL: u32 = 1 << 1;

/// Historical (`RSEQ_CS_FLAG_NO_RESTART_ON_MIGRATE`): must be 0. Linux 6.0 to 6.18 kill a task that sets it.
pub const CS_FLAG_NO_RESTART_ON_MIGRATE: u32 = 1 << 2;

/// The only version of [`RseqCs`] there is.
pub const CS_VERSION: u32 = 0;

/// The request and grant bytes of a time slice extension (`struct rseq_slice_ctrl`, Linux 7.0).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SliceCtrl {
    /// Written by the thread: 1 asks for an extension.
    pub request: u8,
    /// Written by the kernel: not 0 while an extension is granted.
    pub granted: u8,
    /// Reserved, 0.
    pub reserved: u16,
}

/// `struct rseq`: what a thread shares with the kernel.
///
/// A libc's area may be as short as 32 bytes, so an area is reached through raw pointers to its fields and never
/// through a reference to the whole.
#[repr(C, align(32))]
#[derive(Debug)]
pub struct Rseq {
    /// A possible CPU number while registered; while a section runs, the current one (Linux 4.18, kernel writes).
    pub cpu_id_start: u32,
    /// The current CPU, or [`CPU_ID_UNINITIALIZED`], or [`CPU_ID_REGISTRATION_FAILED`] (Linux 4.18, kernel writes).
    pub cpu_id: u32,
    /// Address of the armed [`RseqCs`], or 0 (Linux 4.18, the thread arms, the kernel clears). 32-bit programs write
    /// the low word only.
    pub rseq_cs: u64,
    /// `AREA_FLAG_*` (Linux 7.0, kernel writes); 0 before.
    pub flags: u32,
    /// NUMA node of the current CPU (Linux 6.3, kernel writes).
    pub node_id: u32,
    /// Concurrency ID of this thread within its address space (Linux 6.3, kernel writes).
    pub mm_cid: u32,
    /// Time slice extension (Linux 7.0).
    pub slice_ctrl: SliceCtrl,
    /// Reserved; it makes the feature size of Linux 7.0 33.
    pub reserved: u8,
}

impl Rseq {
    /// An area that was never registered: no CPU, no concurrency ID, no section.
    pub const fn new() -> Self {
        Self {
            cpu_id_start: 0,
            cpu_id: CPU_ID_UNINITIALIZED,
            rseq_cs: 0,
            flags: 0,
            node_id: 0,
            mm_cid: CPU_ID_UNINITIALIZED,
            slice_ctrl: SliceCtrl { request: 0, granted: 0, reserved: 0 },
            reserved: 0,
        }
    }
}

impl Default for Rseq {
    fn default() -> Self {
        Self::new()
    }
}

/// `struct rseq_cs`: the descriptor of one critical section.
///
/// Always 64-bit fields, on 32-bit architectures too.
#[repr(C, align(32))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RseqCs {
    /// [`CS_VERSION`].
    pub version: u32,
    /// 0.
    pub flags: u32,
    /// Address of the first instruction.
    pub start_ip: u64,
    /// Bytes from `start_ip` to the end of the committing instruction.
    pub post_commit_offset: u64,
    /// Where the kernel resumes an interrupted section; the signature is in the four bytes before it.
    pub abort_ip: u64,
}

/// Offset of the low word in a 64-bit field that holds an address, in bytes.
const LOW_WORD: usize = if cfg!(all(target_pointer_width = "32", target_endian = "big")) { 4 } else { 0 };

/// Offset of the low word of `rseq_cs` on this target, in bytes.
pub const RSEQ_CS_LOW: usize = offset_of!(Rseq, rseq_cs) + LOW_WORD;

/// Offset of the low word of a descriptor's `start_ip` on this target, in bytes.
pub const START_IP_LOW: usize = offset_of!(RseqCs, start_ip) + LOW_WORD;

const _: () = {
    assert!(offset_of!(Rseq, cpu_id_start) == 0);
    assert!(offset_of!(Rseq, cpu_id) == 4);
    assert!(offset_of!(Rseq, rseq_cs) == 8);
    assert!(offset_of!(Rseq, flags) == 16);
    assert!(offset_of!(Rseq, node_id) == 20);
    assert!(offset_of!(Rseq, mm_cid) == 24);
    assert!(offset_of!(Rseq, slice_ctrl) == 28);
    assert!(offset_of!(Rseq, reserved) == 32);
    assert!(offset_of!(SliceCtrl, request) == 0);
    assert!(offset_of!(SliceCtrl, granted) == 1);
    assert!(size_of::<SliceCtrl>() == 4);
    assert!(size_of::<Rseq>() == 64);
    assert!(align_of::<Rseq>() == ORIGINAL_ALIGN as usize);
    assert!(offset_of!(RseqCs, version) == 0);
    assert!(offset_of!(RseqCs, flags) == 4);
    assert!(offset_of!(RseqCs, start_ip) == 8);
    assert!(offset_of!(RseqCs, post_commit_offset) == 16);
    assert!(offset_of!(RseqCs, abort_ip) == 24);
    assert!(size_of::<RseqCs>() == 32);
    assert!(align_of::<RseqCs>() == 32);
};
