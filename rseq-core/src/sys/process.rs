//! Which process this is, in one load, and which thread.

use super::mappings;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// A word that holds the process's generation, and that is 0 in a child of `fork`.
static WORD: AtomicPtr<AtomicUsize> = AtomicPtr::new(ptr::null_mut());

/// The generation of this process, or, in a child of `fork` that has not used its own yet, that of its parent.
static LAST: AtomicUsize = AtomicUsize::new(0);

/// The word of a process that cannot have one.
static UNCHANGED: AtomicUsize = AtomicUsize::new(1);

/// A number that differs from those of all ancestors by `fork`; never 0. A child that shares this process's memory
/// (`vfork`, threads) has the same.
///
/// Before Linux 4.14 a child of `fork` has the same too.
#[inline]
pub(crate) fn generation() -> usize {
    // SAFETY: the word is never unmapped.
    let generation = unsafe { WORD.load(Ordering::Acquire).as_ref() }.map_or(0, |word| word.load(Ordering::Relaxed));
    if generation == 0 { begin() } else { generation }
}

/// Gives this process its generation. Threads that do so at the same time agree on it.
#[cold]
fn begin() -> usize {
    let word = word();
    let next = LAST.load(Ordering::Relaxed) + 1;
    // Before it is used: a process that is forked from here on starts with the next one.
    LAST.fetch_max(next, Ordering::SeqCst);
    word.compare_exchange(0, next, Ordering::SeqCst, Ordering::SeqCst).map_or_else(|found| found, |_| next)
}

fn word() -> &'static AtomicUsize {
    let mut word = WORD.load(Ordering::Acquire);
    if word.is_null() {
        let mapped = map_word();
        let fresh = mapped.unwrap_or(ptr::from_ref(&UNCHANGED).cast_mut());
        match WORD.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => word = fresh,
            Err(theirs) => {
                word = theirs;
                if let Some(mapped) = mapped.and_then(ptr::NonNull::new) {
                    // SAFETY: it was mapped above, and no other thread has seen it.
                    let _ = unsafe { mappings::unmap(mapped.cast(), size_of::<AtomicUsize>()) };
                }
            }
        }
    }
    // SAFETY: it is a mapping of a page that stays mapped once it is in `WORD`, or a static.
    unsafe { &*word }
}

/// A page of zeroes that is wiped in children of `fork`.
fn map_word() -> Option<*mut AtomicUsize> {
    let page = mappings::map(size_of::<AtomicUsize>()).ok()?;
    if mappings::wipe_on_fork(page, size_of::<AtomicUsize>()).is_ok() {
        return Some(page.as_ptr().cast());
    }
    // SAFETY: it was mapped above, and no other thread has seen it.
    let _ = unsafe { mappings::unmap(page, size_of::<AtomicUsize>()) };
    None
}

/// `gettid()`; None where a filter refuses it.
#[cfg(all(feature = "std", not(rseq_stub)))]
pub(crate) fn thread_id() -> Option<i32> {
    // SAFETY: the call takes no argument and touches no memory.
    unsafe { super::syscall(linux_raw_sys::general::__NR_gettid, [0; 6]) }.ok().map(|id| id as i32)
}

#[cfg(all(test, not(miri), not(rseq_stub)))]
mod tests {
    use super::*;
    use crate::sys::in_child;

    #[test]
    fn each_child_of_fork_has_one_of_its_own() {
        let (ours, again) = (generation(), generation());
        assert_eq!(ours, again);
        let child = in_child(|| {
            let theirs = generation();
            let grandchild = in_child(|| u8::from(generation() > theirs && generation() == generation()));
            u8::from(theirs > ours && grandchild == Ok(Some(1)))
        });
        assert_eq!((child, generation()), (Ok(Some(1)), ours));
    }
}
