//! The critical sections of this program: their descriptors as the linker laid them out, and their instructions.

use crate::ktap::{OrFail, Unmet, Verdict};
use crate::sys::memory;
use crate::{ensure, fail};
use linux_raw_sys::general as raw;
use rseq_core::abi::RseqCs;

use super::arch;

unsafe extern "C" {
    static __start___rseq_cs: RseqCs;
    static __stop___rseq_cs: RseqCs;
}

/// The most instructions that a section may have, arming included.
const MOST: usize = 128;

/// All descriptors of this program.
pub fn descriptors() -> impl Iterator<Item = *mut RseqCs> {
    let start = &raw const __start___rseq_cs as usize;
    let end = &raw const __stop___rseq_cs as usize;
    (start..end).step_by(size_of::<RseqCs>()).map(|address| address as *mut RseqCs)
}

/// A section, and every instruction of it.
#[derive(Clone, Copy)]
pub struct Section {
    pub descriptor: *mut RseqCs,
    /// The first instruction that arms it; the section's first one in a section that is not armed.
    pub entry: usize,
    pub start: usize,
    /// The end of the commit.
    pub end: usize,
    pub abort: usize,
    points: [usize; MOST],
    count: usize,
}

impl Section {
    /// What the descriptor says, checked against the instructions.
    ///
    /// # Safety
    ///
    /// `descriptor` is one of this program's.
    pub unsafe fn read(descriptor: *mut RseqCs, armed: bool) -> Result<Self, Unmet> {
        // SAFETY: the caller vouches for a descriptor of this program; volatile, because controls change them.
        let RseqCs { start_ip, post_commit_offset, abort_ip, .. } = unsafe { descriptor.read_volatile() };
        let start = start_ip as usize;
        let entry = if armed { arch::entry(start, descriptor as usize) } else { Some(start) };
        let entry = entry.ok_or_else(|| fail!("no known instructions arm the section at {start:#x}"))?;
        let (end, abort) = (start + post_commit_offset as usize, abort_ip as usize);
        let mut section = Self { descriptor, entry, start, end, abort, points: [0; MOST], count: 0 };
        section.walk()?;
        Ok(section)
    }

    /// The section of a function that is called by its address, so that it is not inlined. It is not armed, and so is
    /// never in `rseq_cs`: it is the first one after the function's address.
    pub fn unarmed(function: usize) -> Result<Self, Unmet> {
        // SAFETY: descriptors are this program's own.
        let start = |descriptor: &*mut RseqCs| unsafe { (**descriptor).start_ip as usize };
        let descriptor = descriptors().filter(|descriptor| start(descriptor) > function).min_by_key(start);
        // SAFETY: the linker lists this program's descriptors.
        unsafe { Self::read(descriptor.or_fail("the unarmed section")?, false) }
    }

    /// Every point: each instruction from the first that arms the section to the one after the commit.
    pub fn points(&self) -> &[usize] {
        &self.points[..self.count]
    }

    /// The commit.
    pub fn last(&self) -> usize {
        self.points[self.count.saturating_sub(2)]
    }

    /// Whether an event at `point` is before the commit and in the section.
    pub fn contains(&self, point: usize) -> bool {
        (self.start..self.end).contains(&point)
    }

    fn walk(&mut self) -> Verdict {
        let mut point = self.entry;
        while point < self.end {
            self.push(point)?;
            let length = arch::length(&arch::code(point));
            point +=
                length.ok_or_else(|| fail!("unknown instruction at {point:#x}: {:02x?}", arch::code::<8>(point)))?;
        }
        ensure!(point == self.end, "the section's end {:#x} is inside an instruction", self.end);
        ensure!(self.points().contains(&self.start), "the section's start {:#x} is inside an instruction", self.start);
        self.push(point)
    }

    fn push(&mut self, point: usize) -> Verdict {
        *self.points.get_mut(self.count).or_fail("a section of too many instructions")? = point;
        self.count += 1;
        Ok(())
    }
}

/// The most bytes that arm a section.
const ARMING: usize = 32;

/// Makes the text of every section writable, and the descriptors; call it before any of them runs, and again after a
/// fork.
///
/// Their pages are private to this process from then on. The first write to a shared page replaces it by a copy, and
/// where pages are larger than QEMU's own of 4 KiB, QEMU continues to run what it has translated from the old one.
pub fn make_writable() -> Verdict {
    for descriptor in descriptors() {
        // SAFETY: the descriptors are this program's own.
        let RseqCs { start_ip, post_commit_offset, abort_ip, .. } = unsafe { descriptor.read_volatile() };
        let [start, length, abort] = [start_ip, post_commit_offset, abort_ip].map(|value| value as usize);
        protect(start - ARMING, start + length + arch::BREAKPOINT.len())?;
        protect(abort - arch::BREAKPOINT.len(), abort)?;
    }
    let ends = [&raw const __start___rseq_cs as usize, &raw const __stop___rseq_cs as usize];
    ensure!(ends[0] < ends[1], "this file has no section in __rseq_cs");
    protect(ends[0], ends[1])
}

fn protect(start: usize, end: usize) -> Verdict {
    let all = raw::PROT_READ | raw::PROT_WRITE | raw::PROT_EXEC;
    // SAFETY: adds permissions to pages of this program.
    unsafe { memory::protect(start, end, all) }.or_fail("making the text writable")?;
    for address in [start, end - 1] {
        let byte = address as *mut u8;
        // SAFETY: the byte is in one of the pages that have just been made writable, keeps its value, and the only
        // thread of this process is here. Volatile, because the write itself is what counts.
        unsafe { byte.write_volatile(byte.read_volatile()) };
    }
    Ok(())
}
