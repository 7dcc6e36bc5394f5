//! perf_event_open for counters of tracepoints and of probes.

use core::ffi::CStr;

use linux_raw_sys::general::{__NR_perf_event_open, __NR_read};
use rseq_core::sys::Errno;

use super::call;
use super::file::File;

/// `PERF_TYPE_TRACEPOINT` of linux/perf_event.h.
const TYPE_TRACEPOINT: u32 = 2;
/// `PERF_ATTR_SIZE_VER1`: the layout of Linux 3.6, the first with room for a probe's offset.
const ATTR_SIZE: u32 = 72;
/// The bit `inherit`, the second of a bit field that big-endian ABIs fill from the top.
const INHERIT: u64 = if cfg!(target_endian = "big") { 1 << 62 } else { 1 << 1 };
/// `PERF_FLAG_FD_CLOEXEC`.
const FD_CLOEXEC: usize = 8;

#[repr(C)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    bits: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    config1: u64,
    config2: u64,
}

const _: () = assert!(size_of::<Attributes>() == ATTR_SIZE as usize);

/// Counts how often a tracepoint or a probe is hit by this thread and by the threads and children that it starts from
/// now on.
pub struct Counter(File);

impl Counter {
    /// Starts counting the tracepoint with this tracefs id.
    pub fn start(id: u64) -> Result<Self, Errno> {
        // SAFETY: a tracepoint's attributes hold no address.
        unsafe { Self::open(TYPE_TRACEPOINT, id, [0, 0]) }
    }

    /// Sets a uprobe at the byte `offset` of the file, and starts counting (Linux 4.17). `kind` is the number in
    /// sysfs's `bus/event_source/devices/uprobe/type`. The probe is removed with the counter.
    pub fn probe(kind: u32, file: &CStr, offset: u64) -> Result<Self, Errno> {
        // SAFETY: the file's name is NUL-terminated.
        unsafe { Self::open(kind, 0, [file.as_ptr() as u64, offset]) }
    }

    /// # Safety
    ///
    /// The addresses in `configs`, whose meaning depends on the kind of event, are valid for the reads that it makes.
    unsafe fn open(kind: u32, config: u64, configs: [u64; 2]) -> Result<Self, Errno> {
        let [config1, config2] = configs;
        let attributes = Attributes {
            kind,
            size: ATTR_SIZE,
            config,
            sample_period: 0,
            sample_type: 0,
            read_format: 0,
            bits: INHERIT,
            wakeup_events: 0,
            breakpoint_type: 0,
            config1,
            config2,
        };
        let args = [&raw const attributes as usize, 0, usize::MAX, usize::MAX, FD_CLOEXEC];
        // SAFETY: the kernel reads `ATTR_SIZE` bytes at `attributes`, and what the caller vouches for. The call returns
        // a new descriptor.
        unsafe { File::of_call(__NR_perf_event_open, args) }.map(Self)
    }

    /// The count so far.
    pub fn read(&self) -> Result<u64, Errno> {
        let mut value = 0u64;
        let args = [self.0.descriptor() as usize, &raw mut value as usize, size_of::<u64>()];
        // SAFETY: the kernel writes one u64 at `value`.
        match unsafe { call(__NR_read, args) }? {
            8 => Ok(value),
            _ => Err(Errno::EIO),
        }
    }
}
