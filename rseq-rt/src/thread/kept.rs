//! Memory that is kept until its thread has ended: of detached threads that the kernel still writes to, because it
//! refused to release the rseq area or to forget the tid word, and of threads whose handles were dropped while they
//! were ending.

use super::data::Control;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

/// A list of packets: threads add theirs at its head, and [`free_gone`] takes the whole list.
static KEPT: AtomicPtr<Control> = AtomicPtr::new(ptr::null_mut());

/// Keeps the memory of a thread until it has ended.
///
/// # Safety
///
/// The packet's handle was dropped, and nothing but the thread itself uses its memory after this call. The kernel, or
/// std's thread as its last use of the packet, clears `tid` when the thread has ended.
pub unsafe fn keep(control: NonNull<Control>) {
    let packet = control.as_ptr();
    // SAFETY: the packet is mapped until `free_gone` unmaps it. The handle was dropped, so that the link is the
    // caller's, as the thread itself uses other parts of the packet only.
    unsafe { put(packet, packet) };
}

/// Adds linked packets, from `first` to `last`, at the head of the list.
///
/// # Safety
///
/// The packets are mapped, and only the caller uses their links.
unsafe fn put(first: *mut Control, last: *mut Control) {
    let mut next = KEPT.load(Ordering::Relaxed);
    loop {
        // SAFETY: the caller guarantees a mapped packet whose link no other thread uses until the exchange succeeds.
        unsafe { (*last).next_kept = next };
        match KEPT.compare_exchange_weak(next, first, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => next = now,
        }
    }
}

/// Frees the memory of those threads that are gone.
pub fn free_gone() {
    if KEPT.load(Ordering::Relaxed).is_null() {
        return;
    }
    let mut rest = KEPT.swap(ptr::null_mut(), Ordering::Acquire);
    while let Some(control) = NonNull::new(rest) {
        // SAFETY: the packet was in the list, so that it is mapped. This function took the list, so that nothing else
        // uses the link. The thread may still use other parts of the packet, and `tid` is atomic.
        let (next, is_gone) =
            unsafe { ((*control.as_ptr()).next_kept, (*control.as_ptr()).tid.load(Ordering::Acquire) == 0) };
        if is_gone {
            // SAFETY: the thread has ended, and its handle was dropped, so that nothing uses the memory. The kernel
            // writes the rseq area only when a thread returns to user space, and clears `tid` after the last time.
            unsafe { control.as_ref().memory.unmap() };
        } else {
            // SAFETY: the packet is mapped, and this function took it from the list.
            unsafe { put(rest, rest) };
        }
        rest = next;
    }
}
