//! The memory of detached threads whose rseq registration, or tid word, the kernel did not let go of, kept until it has
//! seen them end.

use super::packet::Control;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

/// A list of packets: threads put theirs in front, and [`free_gone`] takes the whole list.
static KEPT: AtomicPtr<Control> = AtomicPtr::new(ptr::null_mut());

/// Keeps the memory of a thread that is about to end.
///
/// # Safety
///
/// The packet is in its thread's memory, which its handle has given up, and the thread uses neither afterwards but for
/// its stack. The kernel clears `tid` at the thread's end.
pub unsafe fn keep(control: NonNull<Control>) {
    let packet = control.as_ptr();
    // SAFETY: the packet is this thread's alone until it is in the list.
    unsafe { put(packet, packet) };
}

/// Puts packets that are linked, from `first` to `last`, in front of the list.
///
/// # Safety
///
/// The packets are the caller's alone.
unsafe fn put(first: *mut Control, last: *mut Control) {
    let mut next = KEPT.load(Ordering::Relaxed);
    loop {
        // SAFETY: the packet is the caller's alone until the exchange succeeds.
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
        // SAFETY: the packet was in the list, so that it is this function's alone but for `tid`, which the kernel
        // clears.
        let (next, is_gone) =
            unsafe { ((*control.as_ptr()).next_kept, (*control.as_ptr()).tid.load(Ordering::Acquire) == 0) };
        if is_gone {
            // SAFETY: the thread has ended, and its handle has given the memory up. The kernel writes the area of a
            // thread only on its way back to user space, and `tid` after the last of them.
            unsafe { control.as_ref().memory.unmap() };
        } else {
            // SAFETY: the packet is this function's alone.
            unsafe { put(rest, rest) };
        }
        rest = next;
    }
}
