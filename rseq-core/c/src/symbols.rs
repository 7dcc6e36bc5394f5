//! The variables that the headers read, set by a constructor before `main`, and once more when the library is unloaded.

use core::ffi::c_uint;
use core::sync::atomic::{AtomicBool, AtomicIsize, AtomicU32, Ordering};
use rseq_core::{Area, Registration, arch};

/// `ptrdiff_t rseq_offset`: the distance of each thread's area from its thread pointer, in bytes.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the name is an interface")]
pub static rseq_offset: AtomicIsize = AtomicIsize::new(0);

/// `unsigned int rseq_size`: bytes of the area that the kernel maintains. 0 until the first thread is registered by
/// this library, `UINT_MAX` before the constructor has run and after the library was unloaded.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the name is an interface")]
pub static rseq_size: AtomicU32 = AtomicU32::new(c_uint::MAX);

/// `unsigned int rseq_flags`: the flags of registrations, 0.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the name is an interface")]
pub static rseq_flags: AtomicU32 = AtomicU32::new(0);

/// Whether this library registers threads, because neither the libc nor a runtime does.
static OWNS: AtomicBool = AtomicBool::new(false);

/// Whether the variables hold.
static IS_READY: AtomicBool = AtomicBool::new(false);

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = init;
#[used]
#[unsafe(link_section = ".fini_array")]
static DESTRUCTOR: extern "C" fn() = exit;

/// Whether this library registers threads. It may be asked before the constructor has run, by that of another library.
pub(crate) fn owns() -> bool {
    if !IS_READY.load(Ordering::Acquire) {
        init();
    }
    OWNS.load(Ordering::Relaxed)
}

/// Finds the owner. Each thread that comes here at once finds the same.
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
