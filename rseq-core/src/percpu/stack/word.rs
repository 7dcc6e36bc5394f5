//! The values that a stack can hold.

use core::num::NonZero;
use core::ptr::{self, NonNull};

/// A value that is one machine word and that any thread may own.
///
/// Pointers are words as in [`AtomicPtr`](core::sync::atomic::AtomicPtr): the program must justify each use of what
/// they point to.
///
/// # Safety
///
/// [`into_word`](Self::into_word) gives up the value, and [`from_word`](Self::from_word) makes it again from the word,
/// in any thread: a type with an owner, such as a box, is [`Send`].
///
/// # Examples
///
/// A box, whose stack drops what is left in it:
///
/// ```
/// use rseq_core::percpu::{Stack, Word};
///
/// struct Buffer(Box<[u8; 4096]>);
///
/// // SAFETY: the word is the address of the box, which `into_raw` gives up and `from_raw` takes; a box of bytes is
/// // `Send`.
/// unsafe impl Word for Buffer {
///     fn into_word(self) -> usize {
///         Box::into_raw(self.0).expose_provenance()
///     }
///
///     unsafe fn from_word(word: usize) -> Self {
///         // SAFETY: `word` is of `into_word`, and is used once.
///         Self(unsafe { Box::from_raw(std::ptr::with_exposed_provenance_mut(word)) })
///     }
/// }
///
/// static BUFFERS: Stack<Buffer, 60> = Stack::new();
///
/// let buffer = BUFFERS.pop().unwrap_or_else(|| Buffer(Box::new([0; 4096])));
/// // A buffer that finds no room is freed.
/// let _ = BUFFERS.push(buffer);
/// ```
pub unsafe trait Word: Sized {
    /// Converts the value into its word.
    fn into_word(self) -> usize;

    /// Makes the value from its word.
    ///
    /// # Safety
    ///
    /// `word` comes from [`into_word`](Self::into_word) of this type, and no other value has been made from it since.
    unsafe fn from_word(word: usize) -> Self;
}

// SAFETY: a number is its own word, valid in any thread.
unsafe impl Word for usize {
    #[inline]
    fn into_word(self) -> usize {
        self
    }

    #[inline]
    unsafe fn from_word(word: usize) -> Self {
        word
    }
}

// SAFETY: as for `usize`; a value that was not 0 is not 0.
unsafe impl Word for NonZero<usize> {
    #[inline]
    fn into_word(self) -> usize {
        self.get()
    }

    #[inline]
    unsafe fn from_word(word: usize) -> Self {
        // SAFETY: by the caller's contract the word comes from `into_word`, so it is not 0.
        unsafe { Self::new_unchecked(word) }
    }
}

// SAFETY: the word is the address, with its provenance exposed. A pointer owns nothing, so any thread may have it.
unsafe impl<U> Word for *mut U {
    #[inline]
    fn into_word(self) -> usize {
        self.expose_provenance()
    }

    #[inline]
    unsafe fn from_word(word: usize) -> Self {
        ptr::with_exposed_provenance_mut(word)
    }
}

// SAFETY: as for `*mut U`; a pointer that was not null is not null.
unsafe impl<U> Word for NonNull<U> {
    #[inline]
    fn into_word(self) -> usize {
        self.as_ptr().expose_provenance()
    }

    #[inline]
    unsafe fn from_word(word: usize) -> Self {
        // SAFETY: by the caller's contract the word comes from `into_word`, so it is not 0.
        unsafe { Self::new_unchecked(ptr::with_exposed_provenance_mut(word)) }
    }
}

// SAFETY: the word is the address of a `U`, with its provenance exposed. References to a `Sync` type are `Send`, and a
// stack of them does not outlive what they borrow.
unsafe impl<U: Sync> Word for &U {
    #[inline]
    fn into_word(self) -> usize {
        ptr::from_ref(self).expose_provenance()
    }

    #[inline]
    unsafe fn from_word(word: usize) -> Self {
        // SAFETY: by the caller's contract the word comes from `into_word`: it is the address of a `U` that is borrowed
        // for the lifetime of this type.
        unsafe { &*ptr::with_exposed_provenance(word) }
    }
}
