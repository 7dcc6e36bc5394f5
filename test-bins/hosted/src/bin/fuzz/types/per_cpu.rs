//! Sections of the program's own, held open for a while, on a value that other CPUs close, empty and open again.
//!
//! Two controls are wrong on purpose: the section is not armed, or nothing restarts the sections that are at work while
//! the value is closed.

use crate::engine::{Outcome, Seat, Subject, Turn, ensure};
use crate::random::Random;
use crate::unrest;
use rseq_core::percpu::PerCpu;
use rseq_core::sys::{Fence, MembarrierError, membarrier_rseq, register_membarrier_rseq};
use rseq_core::{Ambient, Committed, OutOfRange, Token};
use std::sync::atomic::{AtomicUsize, Ordering};

/// As it should be.
pub const RIGHT: u8 = 0;
/// The kernel never hears of the section.
pub const UNARMED: u8 = 1;
/// Values are emptied while sections may be at work on them.
pub const UNFENCED: u8 = 2;

/// What a section leaves by.
#[derive(Debug)]
enum Left {
    OutOfRange,
    Closed,
}

struct Closed;

impl From<OutOfRange> for Left {
    fn from(_: OutOfRange) -> Self {
        Self::OutOfRange
    }
}

impl From<Closed> for Left {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

macro_rules! add_sections {
    ($(#![$variant:ident])?) => {
        rseq_core::critical_section! {
            $(#![$variant])?
            /// Adds to the first word unless the second one is not 0, after a copy of so many bytes.
            ///
            /// # Safety
            ///
            /// `base` is the first of `len` slots of `STRIDE` bytes that begin with two words; `from` and `to` are so
            /// many bytes apart from each other.
            pub(super) unsafe fn add(
                base: *mut Tally, len: usize, count: usize, from: *const u8, to: *mut u8, bytes: usize
            ) -> Result<Committed, Left> {
                exits(OutOfRange, Closed) scratch(i, word, k) abort(restart) stride(STRIDE);
                load_index(i);
                bound(i, len) else OutOfRange;
                scale(i, STRIDE);
                add(i, base);
                load(word, [i + 8]);
                cbne(word, 0) else Closed;
                load(word, [i]);
                add(word, count);
                repeatable copy([to], [from], bytes, k);
                commit store([i], word);
            }
        }
    };
}

/// As it should be.
mod armed {
    use super::{Closed, Committed, Left, OutOfRange, Tally};
    add_sections!();
}

/// The control: the same steps, but the kernel never hears of them.
mod unarmed {
    use super::{Closed, Committed, Left, OutOfRange, Tally};
    add_sections!(#![unarmed]);
}

/// Bytes that a section copies between its load and its commit.
const BYTES: usize = 128;

/// A count, and whether it is closed: sections leave it alone then.
#[repr(C)]
pub struct Tally {
    count: AtomicUsize,
    is_closed: AtomicUsize,
}

impl Tally {
    const fn new() -> Self {
        Self { count: AtomicUsize::new(0), is_closed: AtomicUsize::new(0) }
    }
}

pub struct Tallies<const MODE: u8>(PerCpu<Tally>);

/// What a user has added, and what it has taken out of copies.
pub struct Counted {
    seat: Seat,
    added: usize,
    taken: usize,
    bytes: [u8; BYTES],
}

impl<const MODE: u8> Tallies<MODE> {
    /// A section on this thread's copy; atomically on the one that has no sections, if that is closed, too.
    fn add(&self, counted: &mut Counted, count: usize) {
        let (from, to) = ([1u8; BYTES], counted.bytes.as_mut_ptr());
        let mut section = |token: Token<'static, Ambient>, base, len| {
            // SAFETY: the copies are `len` slots of so many bytes, and begin with two words that are atomics; two
            // arrays.
            let added = unsafe {
                match MODE {
                    UNARMED => unarmed::add::<{ PerCpu::<Tally>::STRIDE }, _, _>(
                        token,
                        base,
                        len,
                        count,
                        from.as_ptr(),
                        to,
                        BYTES,
                    ),
                    _ => armed::add::<{ PerCpu::<Tally>::STRIDE }, _, _>(
                        token,
                        base,
                        len,
                        count,
                        from.as_ptr(),
                        to,
                        BYTES,
                    ),
                }
            };
            match added {
                Ok(Committed) => Ok(true),
                Err(Left::Closed) => Ok(false),
                Err(Left::OutOfRange) => Err(OutOfRange),
            }
        };
        let is_added = self.0.with(&mut section, |_| false);
        counted.added = counted.added.wrapping_add(count);
        if let (false, Some(fallback)) = (is_added, self.0.iter().next()) {
            fallback.count.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Takes the count of a CPU: closes its copy, restarts the sections on it, and opens it again.
    fn take(&self, counted: &mut Counted, cpu: u32) -> Outcome {
        // The first copy is the one without sections.
        let Some(tally) = self.0.iter().nth(cpu as usize + 1) else { return Ok(()) };
        if tally.is_closed.swap(1, Ordering::SeqCst) != 0 {
            return Ok(()); // another thread takes it
        }
        let fenced = if MODE == UNFENCED { Ok(()) } else { fence(cpu) };
        counted.taken = counted.taken.wrapping_add(tally.count.swap(0, Ordering::Relaxed));
        tally.is_closed.store(0, Ordering::Release);
        ensure(fenced.is_ok(), "the fence was refused", cpu, 0)
    }
}

fn fence(cpu: u32) -> Result<(), MembarrierError> {
    loop {
        match membarrier_rseq(Fence::Cpu(cpu)) {
            Err(MembarrierError::TryAgain) => {}
            Err(MembarrierError::NotRegistered) => register_membarrier_rseq()?,
            done => return done,
        }
    }
}

impl<const MODE: u8> Subject for Tallies<MODE> {
    type Part<'s> = Counted;

    fn new(_: &mut Random) -> Self {
        Self(PerCpu::new(Tally::new(), Tally::new))
    }

    fn part(&self, seat: Seat) -> Counted {
        Counted { seat, added: 0, taken: 0, bytes: [0; BYTES] }
    }

    fn step(&self, part: &mut Counted, turn: &mut Turn) -> Outcome {
        match turn.random.below(64) {
            // A handler may have interrupted what has closed the copy.
            0 if !part.seat.is_handler => self.take(part, turn.random.of(unrest::cpus())),
            _ => {
                self.add(part, turn.random.below(1000));
                Ok(())
            }
        }
    }

    fn check(&self, parts: Vec<Counted>) -> Outcome {
        let sum = |of: fn(&Counted) -> usize| parts.iter().map(of).fold(0, usize::wrapping_add);
        let left = self.0.iter().map(|tally| tally.count.load(Ordering::Relaxed)).fold(0, usize::wrapping_add);
        let (added, found) = (sum(|part| part.added), sum(|part| part.taken).wrapping_add(left));
        ensure(added == found, "additions were lost or doubled", added, found)
    }
}
