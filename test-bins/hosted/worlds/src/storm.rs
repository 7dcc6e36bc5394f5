//! A section that signals interrupt, with its aborts counted.

use core::cell::UnsafeCell;
use core::ptr;
use rseq_core::{Area, Committed, Token, critical_section};

/// The kernel has restarted the section.
struct Interrupted;
/// The thread is on another CPU, or not registered.
struct Elsewhere;

enum Missed {
    Interrupted,
    Elsewhere,
}

impl From<Interrupted> for Missed {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl From<Elsewhere> for Missed {
    fn from(_: Elsewhere) -> Self {
        Self::Elsewhere
    }
}

critical_section! {
    /// `*v += 1`, with `len` bytes copied before the commit, so that signals come within it.
    ///
    /// # Safety
    ///
    /// `v` is a valid word, `from` and `to` are `len` valid bytes apart from each other, `cpu` is not -1 or -2.
    unsafe fn slow_increment(
        cpu: usize, v: *mut usize, from: *const u8, to: *mut u8, len: usize
    ) -> Result<Committed, Missed> {
        exits(Interrupted, Elsewhere) scratch(sum, i) abort(Interrupted);
        check_index(cpu) else Elsewhere;
        load(sum, [v]);
        add(sum, 1);
        repeatable copy([to], [from], len, i);
        commit store([v], sum);
    }
}

/// A word for each CPU.
pub(crate) struct Words {
    /// The first one.
    pub(crate) words: *mut usize,
    /// How many there are.
    pub(crate) len: usize,
    /// How many words apart they are.
    pub(crate) stride: usize,
}

const COPY: usize = 2048;

/// Bytes that sections copy.
struct Bytes(UnsafeCell<[u8; COPY]>);

// SAFETY: only read.
unsafe impl Sync for Bytes {}

static FROM: Bytes = Bytes(UnsafeCell::new([1; COPY]));

/// Adds 1 to the word of the CPU that the thread is on, `times` times, slowly; adds the number of aborted sections to
/// `aborts`. False if the thread is not registered, or its CPU has no word.
///
/// # Safety
///
/// The words are there, and no other code changes any but by this function. They may be shared with other processes.
pub(crate) unsafe fn storm<A: Area>(
    token: Token<'_, A>,
    Words { words, len, stride }: Words,
    times: usize,
    aborts: &mut usize,
) -> bool {
    let mut to = [0_u8; COPY];
    let mut left = times;
    while left != 0 {
        let cpu = token.cpu_id() as usize;
        if !token.is_registered() || cpu >= len {
            return false;
        }
        let v = words.wrapping_add(cpu * stride);
        // SAFETY: a word by the caller's contract, as `cpu` is below `len`, and so not -1 or -2; COPY bytes each, of
        // which `to` is this frame's.
        match unsafe { slow_increment(token, cpu, v, FROM.0.get().cast(), ptr::from_mut(&mut to).cast(), COPY) } {
            Ok(Committed) => left -= 1,
            Err(Missed::Interrupted) => *aborts += 1,
            Err(Missed::Elsewhere) => {}
        }
    }
    true
}
