//! The memory functions that compiled Rust code calls, for programs without origin, which has its own.
//!
//! Every access is volatile: otherwise the compiler would recognise these loops and replace them by calls of the same
//! functions.
#![cfg(not(rseq_rt_origin))]

use core::ffi::c_int;

const WORD: usize = size_of::<usize>();

/// # Safety
///
/// `from` is readable and `to` writable at `offset`; both are aligned for `T`.
#[inline(always)]
unsafe fn copy_one<T: Copy>(to: *mut u8, from: *const u8, offset: usize) {
    // SAFETY: the caller's contract: both are valid and aligned at `offset`.
    unsafe { to.add(offset).cast::<T>().write_volatile(from.add(offset).cast::<T>().read_volatile()) };
}

/// Bytes before the first word boundary, if both addresses are equally far from one; otherwise all `len`.
fn head(to: usize, from: usize, len: usize) -> usize {
    if (to ^ from).is_multiple_of(WORD) { (to.wrapping_neg() % WORD).min(len) } else { len }
}

/// # Safety
///
/// As C's `memcpy`; the bytes may overlap if `to` is below `from`.
unsafe fn copy_up(to: *mut u8, from: *const u8, len: usize) {
    let head = head(to as usize, from as usize, len);
    let words_end = head + (len - head) / WORD * WORD;
    // SAFETY: every offset is below `len`, and the words are aligned by the choice of `head`.
    unsafe {
        for offset in 0..head {
            copy_one::<u8>(to, from, offset);
        }
        let mut offset = head;
        while offset < words_end {
            copy_one::<usize>(to, from, offset);
            offset += WORD;
        }
        for offset in words_end..len {
            copy_one::<u8>(to, from, offset);
        }
    }
}

/// # Safety
///
/// As C's `memmove` with `to` above `from`.
unsafe fn copy_down(to: *mut u8, from: *const u8, len: usize) {
    let head = head(to as usize, from as usize, len);
    let mut offset = head + (len - head) / WORD * WORD;
    // SAFETY: every offset is below `len`, and the words are aligned by the choice of `head`.
    unsafe {
        for tail in (offset..len).rev() {
            copy_one::<u8>(to, from, tail);
        }
        while offset > head {
            offset -= WORD;
            copy_one::<usize>(to, from, offset);
        }
        for offset in (0..head).rev() {
            copy_one::<u8>(to, from, offset);
        }
    }
}

/// # Safety
///
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: by the caller's contract both are valid for `len` bytes and do not overlap.
    unsafe { copy_up(to, from, len) };
    to
}

/// # Safety
///
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller's contract; in the direction chosen, no byte is overwritten before it is read.
    unsafe {
        if (to as usize) <= from as usize {
            copy_up(to, from, len);
        } else {
            copy_down(to, from, len);
        }
    }
    to
}

/// # Safety
///
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: c_int, len: usize) -> *mut u8 {
    // Not an array of bytes: the compiler would fill it by a call of this function.
    let word = usize::MAX / 255 * usize::from(byte as u8);
    let head = ((to as usize).wrapping_neg() % WORD).min(len);
    let words_end = head + (len - head) / WORD * WORD;
    // SAFETY: every offset is below `len`, and the words are aligned by the choice of `head`.
    unsafe {
        for offset in 0..head {
            to.add(offset).write_volatile(byte as u8);
        }
        let mut offset = head;
        while offset < words_end {
            to.add(offset).cast::<usize>().write_volatile(word);
            offset += WORD;
        }
        for offset in words_end..len {
            to.add(offset).write_volatile(byte as u8);
        }
    }
    to
}

/// # Safety
///
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, len: usize) -> c_int {
    for offset in 0..len {
        // SAFETY: the offset is below `len`, up to which both are readable.
        let (left, right) = unsafe { (left.add(offset).read_volatile(), right.add(offset).read_volatile()) };
        if left != right {
            return c_int::from(left) - c_int::from(right);
        }
    }
    0
}

/// # Safety
///
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, len: usize) -> c_int {
    // SAFETY: the same contract.
    unsafe { memcmp(left, right, len) }
}

/// # Safety
///
/// As in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(string: *const u8) -> usize {
    let mut len = 0;
    // SAFETY: the caller's string ends with a zero byte, and nothing after it is read.
    while unsafe { string.add(len).read_volatile() } != 0 {
        len += 1;
    }
    len
}
