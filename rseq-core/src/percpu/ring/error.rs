//! Why a ring refuses a record or a consumer.

use core::fmt;

/// Why a record was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RingError {
    /// There is no room: the consumer has to read first. In an overwriting ring, the oldest record is a
    /// [`Reservation`](super::Reservation) that is still held. Counted in
    /// [`RingTotals::dropped`](super::RingTotals::dropped).
    Full,
    /// The record is longer than [`Ring::longest`](super::Ring::longest). Not counted.
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
    /// No ring has this index: no CPU has it, or [`status`](crate::status) has the cause why no CPU has a ring.
    NoSlot(u32),
    /// The kernel has no memory for the copies that the consumer of an overwriting ring makes.
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
