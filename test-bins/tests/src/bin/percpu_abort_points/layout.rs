//! What the slots of types hold, by the bytes from their first.

use harness::forced::scene::{LENGTH, Own, STRIDE, Words, words};

/// What `own` says of the thread's memory where it says nothing.
pub fn any(_: &Own) -> bool {
    true
}

/// The slot with `LENGTH` bytes of the thread's own from `at` on.
pub fn with_bytes(slot: Words, at: usize, own: &Own) -> Words {
    const WORD: usize = size_of::<usize>();
    let mut bytes = [0; STRIDE];
    bytes[at..at + LENGTH].copy_from_slice(&own.from[..LENGTH]);
    core::array::from_fn(|i| {
        let mut word = [0; WORD];
        word.copy_from_slice(&bytes[i * WORD..(i + 1) * WORD]);
        slot[i] | usize::from_ne_bytes(word)
    })
}

/// A slot that begins with a word, and holds nothing else.
pub fn one(word: usize) -> Words {
    words(&[(0, word)])
}
