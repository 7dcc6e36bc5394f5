//! Why a ring takes no record, or has no consumer to give.

use core::fmt;

/// Why a record was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RingError {
    /// There is no room: the consumer has to read first. In a ring that overwrites, the oldest record is a
    /// [`Reservation`](super::Reservation) that has not ended. Counted in
    /// [`RingTotals::dropped`](super::RingTotals::dropped).
    Full,
    /// It is longer than [`Ring::longest`](super::Ring::longest). Not counted.
    TooLong,
    /// The kernel has no memory for this CPU's buffer. Counted in [`RingTotals::dropped`](super::RingTotals::dropped).
    NoMemory,
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the ring is full",
            Self::TooLong => "the record is longer than half of the ring",
            Self::NoMemory => "no memory for the ring",
        })
    }
}

impl core::error::Error for RingError {}

/// Why there is no consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConsumerError {
    /// Another [`Consumer`](super::Consumer) of these records exists.
    Taken,
    /// There is no ring of this index: no CPU has it, or [`status`](crate::status) says why no CPU has one.
    NoSlot(u32),
    /// The kernel has no memory for the copies that the consumer of a ring that overwrites makes.
    NoMemory,
}

impl fmt::Display for ConsumerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("the ring has a consumer"),
            Self::NoSlot(index) => write!(f, "the ring has no part for index {index}"),
            Self::NoMemory => f.write_str("no memory for the consumer"),
        }
    }
}

impl core::error::Error for ConsumerError {}
