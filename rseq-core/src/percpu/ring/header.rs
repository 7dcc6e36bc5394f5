//! The word that a record begins with.

/// Bytes before a record's payload. Sizes are rounded up to multiples of it, so that payloads are aligned to it.
pub(super) const UNIT: usize = 8;

/// The size of a record and its state, which is the two lowest bits of the word. The three highest bits are the number
/// of unused bytes in the size, so that a reader finds the next record with one instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header(pub(super) usize);

const UNUSED: u32 = usize::BITS - 3;

/// The state of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not yet filled.
    Reserved,
    /// To be read.
    Committed,
    /// Reserved, then dropped without a commit.
    Abandoned,
    /// The rest of the buffer, which the next record did not fit into.
    Padding,
}

impl Header {
    #[inline]
    pub(super) const fn new(len: usize, state: State) -> Self {
        let size = size(len);
        Self(size | size.wrapping_sub(UNIT + len) << UNUSED | state as usize)
    }

    #[inline]
    pub(super) const fn is(self, state: State) -> bool {
        self.0 & 3 == state as usize
    }

    /// Bytes of the payload.
    #[inline]
    pub(super) const fn len(self) -> usize {
        self.size() - UNIT - (self.0 >> UNUSED)
    }

    /// Bytes of the whole record.
    #[inline]
    pub(super) const fn size(self) -> usize {
        self.0 & ((1 << UNUSED) - UNIT)
    }
}

/// Bytes of a record with a payload of `len` bytes.
#[inline]
pub(super) const fn size(len: usize) -> usize {
    len.wrapping_add(2 * UNIT - 1) & !(UNIT - 1)
}
