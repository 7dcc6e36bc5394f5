//! The variables that the headers read. A constructor sets them before `main`, and a destructor resets them when the
//! library is unloaded.

use core::ffi::{c_int, c_uint};
use core::sync::atomic::{AtomicBool, AtomicIsize, AtomicU32, Ordering};
use rseq_core::{Area, Owner, Registration, arch};

/// `ptrdiff_t rseq_offset`: the offset in bytes of each thread's area from its thread pointer.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the name is an interface")]
pub static rseq_offset: AtomicIsize = AtomicIsize::new(0);

/// `unsigned int rseq_size`: the number of bytes of the area that the kernel maintains. If this library registers
/// threads, it is 0 until the first registration. It is `UINT_MAX` before the constructor has run and after the
/// destructor has.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the name is an interface")]
pub static rseq_size: AtomicU32 = AtomicU32::new(c_uint::MAX);

/// `unsigned int rseq_flags`: the flags of registrations, always 0.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the name is an interface")]
pub static rseq_flags: AtomicU32 = AtomicU32::new(0);

/// Whether this library registers threads, which it does if neither the libc nor a runtime does.
static OWNS: AtomicBool = AtomicBool::new(false);

/// Whether `init` has set the variables.
static IS_READY: AtomicBool = AtomicBool::new(false);

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = init;
#[used]
#[unsafe(link_section = ".fini_array")]
static DESTRUCTOR: extern "C" fn() = exit;

/// Returns whether this library registers threads. It may be called before the constructor has run, by the constructor
/// of another library.
pub(crate) fn owns() -> bool {
    if !IS_READY.load(Ordering::Acquire) {
        init();
    }
    OWNS.load(Ordering::Relaxed)
}

/// `int rseq_init(void)` - prepares the library, as librseq requires it once in each process since 2025.
///
/// Here a constructor has done so already, and a call only has an effect before it, from the constructor of another
/// library. Returns `RSEQ_INIT_OK` (0) if the libc can register threads (glibc 2.35), even if it is switched off or the
/// kernel has no rseq: `rseq_registered()` returns whether the calling thread is registered. Returns
/// `RSEQ_INIT_ERROR_MISSING_SYMBOLS` (1) with any other libc; `rseq_register_current_thread()` registers threads there.
#[unsafe(no_mangle)]
pub extern "C" fn rseq_init() -> c_int {
    owns();
    c_int::from(Owner::of_symbols().is_none())
}

/// Finds out who registers threads. Concurrent calls store the same values.
extern "C" fn init() {
    let area = match Registration::adopt() {
        Ok(adopted) => {
            let area = adopted.token().area();
            rseq_size.store(area.active_size(), Ordering::Relaxed);
            area.pointer()
        }
        Err(_) => {
            OWNS.store(true, Ordering::Relaxed);
            let _ = rseq_size.compare_exchange(c_uint::MAX, 0, Ordering::Relaxed, Ordering::Relaxed);
            arch::own_area()
        }
    };
    let offset = area.addr().get().wrapping_sub(arch::thread_pointer()) as isize;
    rseq_offset.store(offset, Ordering::Relaxed);
    IS_READY.store(true, Ordering::Release);
}

extern "C" fn exit() {
    if OWNS.swap(false, Ordering::Relaxed) {
        rseq_offset.store(0, Ordering::Relaxed);
        rseq_size.store(c_uint::MAX, Ordering::Relaxed);
        IS_READY.store(false, Ordering::Release);
    }
}
