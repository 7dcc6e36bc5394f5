//! Items of a region in memory that processes share: sections of all of them count in the copies of the CPUs.
#![cfg(target_os = "linux")]

use rseq_core::percpu::{Region, RegionOptions};
use rseq_core::{Ambient, Index, Token};
use std::alloc::Layout;
use std::ffi::{c_int, c_void};
use std::ptr::{self, NonNull};

mod affinity;
mod skipped;

use skipped::skipped;

/// Of a copy of the region; a section finds its own by it.
const STRIDE: usize = 64 << 10;

const PROCESSES: usize = 4;

/// Additions of each process.
const TIMES: usize = 40_000;

/// Bytes that a section copies between its load and its commit, so that it is interrupted there.
const BYTES: usize = 1024;

unsafe extern "C" {
    fn mmap(at: *mut c_void, len: usize, prot: c_int, flags: c_int, fd: c_int, offset: isize) -> *mut c_void;
    fn munmap(at: *mut c_void, len: usize) -> c_int;
    safe fn fork() -> c_int;
    fn waitpid(process: c_int, status: *mut c_int, options: c_int) -> c_int;
    safe fn _exit(code: c_int) -> !;
}

macro_rules! add_sections {
    ($(#![$variant:ident])?) => {
        rseq_core::critical_section! {
            $(#![$variant])?
            /// Adds 1 to the word of this thread's index, after a copy.
            ///
            /// # Safety
            ///
            /// `base` is the first of `len` words that lie `STRIDE` bytes apart; `from` and `to` are so many bytes.
            pub unsafe fn add(
                base: *mut usize, len: usize, from: *const u8, to: *mut u8, bytes: usize
            ) -> Result<Committed, OutOfRange> {
                exits(OutOfRange) scratch(i, sum, k) abort(restart) stride(STRIDE);
                load_index(i);
                bound(i, len) else OutOfRange;
                scale(i, STRIDE);
                load(sum, [base + i]);
                repeatable copy([to], [from], bytes, k);
                add(sum, 1);
                commit store([base + i], sum);
            }
        }
    };
}

mod armed {
    use rseq_core::{Committed, OutOfRange};
    add_sections!();
}

/// The control: the kernel does not hear of it.
mod unarmed {
    use rseq_core::{Committed, OutOfRange};
    add_sections!(#![unarmed]);
}

/// Memory that this process shares with its children.
struct Mapping(NonNull<u8>, usize);

impl Mapping {
    fn new(len: usize) -> Self {
        const READ_AND_WRITE: c_int = 3;
        const SHARED: c_int = 1;
        const ANONYMOUS: c_int = if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 0x800 } else { 0x20 };
        // SAFETY: makes a new mapping.
        let at = unsafe { mmap(ptr::null_mut(), len, READ_AND_WRITE, SHARED | ANONYMOUS, -1, 0) };
        assert_ne!(at.addr(), usize::MAX, "mmap: {}", std::io::Error::last_os_error());
        Self(NonNull::new(at.cast()).expect("no mapping begins at 0"), len)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping that was made, which nothing uses any more.
        unsafe { munmap(self.0.as_ptr().cast(), self.1) };
    }
}

type Add<K> = unsafe fn(Token<'static, Ambient, K>, *mut usize, usize, *const u8, *mut u8, usize) -> bool;

/// A function that runs the section of a module, and returns whether it committed.
macro_rules! add_by {
    ($name:ident, $module:ident) => {
        unsafe fn $name<K: Index>(
            token: Token<'static, Ambient, K>,
            base: *mut usize,
            len: usize,
            from: *const u8,
            to: *mut u8,
            bytes: usize,
        ) -> bool {
            // SAFETY: the caller's contract is the section's.
            unsafe { $module::add::<STRIDE, _, _>(token, base, len, from, to, bytes) }.is_ok()
        }
    };
}

add_by!(by_armed, armed);
add_by!(by_unarmed, unarmed);

/// What processes count in an item of a region: the sum of the copies.
fn count<K: Index>(region: &Region<STRIDE>, token: Token<'static, Ambient, K>, add: Add<K>) -> usize {
    let layout = Layout::new::<usize>();
    let item = region.alloc_zeroed(layout).expect("the region has room");
    let (base, len) = (item.as_ptr().cast::<usize>(), region.copies());
    let children: Vec<_> = (0..PROCESSES)
        .map(|number| match fork() {
            0 => _exit(work(number, |from, to| {
                // SAFETY: the copies of the item are `len` words so far apart, which processes change by these sections
                // only.
                unsafe { add(token, base, len, from, to, BYTES) }
            })),
            child => child,
        })
        .collect();
    for child in children {
        let mut status = -1;
        assert!(child > 0, "fork: {}", std::io::Error::last_os_error());
        // SAFETY: a child of this process, and a place for its status.
        assert_eq!(unsafe { waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0, "a child could not add");
    }
    let copy = |cpu| region.copy_of(item, cpu).cast::<usize>();
    // SAFETY: the words of the item; the children are gone.
    let sum = (0..len).map(|cpu| unsafe { copy(cpu).read() }).sum();
    // SAFETY: it was allocated above, and is used no more.
    unsafe { region.free(item, layout) };
    sum
}

/// Adds, now on this CPU and now on that: the exit code.
fn work(number: usize, add: impl Fn(*const u8, *mut u8) -> bool) -> c_int {
    let (from, mut to) = ([1u8; BYTES], [0u8; BYTES]);
    let cpus = affinity::allowed();
    for time in 0..TIMES {
        if time.is_multiple_of(1000) {
            affinity::pin(cpus[(number + time / 1000) % cpus.len()]);
        }
        if !add(from.as_ptr(), to.as_mut_ptr()) {
            return 1;
        }
    }
    0
}

/// A region of memory that the test has mapped.
fn over(mapping: &Mapping) -> Region<STRIDE> {
    // SAFETY: the mapping outlives the region, which alone uses it; children use an item, and allocate none.
    Region::with(unsafe { RegionOptions::new().memory(mapping.0, mapping.1) })
}

fn mapping() -> Mapping {
    Mapping::new(Region::<STRIDE>::range_size() + STRIDE)
}

/// Whether this thread, and so those that are forked, have sections that the kernel restarts.
fn has_sections() -> bool {
    match rseq_core::status() {
        rseq_core::Status::On(_) => true,
        off => {
            skipped(off);
            false
        }
    }
}

#[test]
fn processes_count_exactly_in_memory_that_is_given() {
    if has_sections() {
        let mapping = mapping();
        assert_eq!(count(&over(&mapping), Ambient::token(), by_armed), PROCESSES * TIMES);
    }
}

#[test]
fn processes_count_exactly_in_a_region_that_is_shared() {
    if has_sections() {
        // SAFETY: children allocate no items.
        let region = Region::with(unsafe { RegionOptions::new().shared() });
        assert_eq!(count(&region, Ambient::token(), by_armed), PROCESSES * TIMES);
    }
}

/// The control: the processes interrupt each other in their sections.
#[test]
fn processes_lose_counts_without_restarts() {
    if has_sections() {
        let mapping = mapping();
        let is_lost = (0..20).any(|_| count(&over(&mapping), Ambient::token(), by_unarmed) < PROCESSES * TIMES);
        assert!(is_lost, "no count was lost");
    }
}

/// Why such memory is indexed by CPU number: each process has a concurrency ID of 0, at the same time.
#[test]
fn processes_lose_counts_by_concurrency_id() {
    if !has_sections() {
        return;
    }
    let (Some(token), true) = (Ambient::token_by_mm_cid(), affinity::allowed().len() > 1) else {
        return skipped("one CPU, or no concurrency IDs");
    };
    let mapping = mapping();
    let is_lost = (0..20).any(|_| count(&over(&mapping), token, by_armed) < PROCESSES * TIMES);
    assert!(is_lost, "no count was lost");
}
