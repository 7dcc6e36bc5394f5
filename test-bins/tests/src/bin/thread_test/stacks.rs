//! Stacks: their sizes, and what ends them.

use core::hint::black_box;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU32, Ordering};

use harness::ensure;
use harness::ktap::Verdict;
use harness::sys::process;
use harness::sys::time::{self, SECOND};
use rseq_core::sys::Errno;
use rseq_rt::thread::{self, Builder};

/// Writes to `depth` bytes of a stack of `size` bytes in frames of `FRAME` bytes, from their lowest up, with a larger
/// one mapped in the meantime, which the kernel puts right below.
pub fn use_stack<const FRAME: usize>(size: usize, depth: usize) -> u8 {
    static NEIGHBOUR: AtomicU32 = AtomicU32::new(0);
    #[inline(never)]
    fn descend<const FRAME: usize>(top: usize, depth: usize) -> usize {
        let mut here = MaybeUninit::<[u8; FRAME]>::uninit();
        let lowest = black_box(here.as_mut_ptr().cast::<u8>());
        // SAFETY: the array begins there.
        unsafe { lowest.write_volatile(1) };
        let used = top - lowest as usize;
        if used < depth { black_box(descend::<FRAME>(top, depth)) } else { used }
    }
    let thread = Builder::new().stack_size(size).spawn(move || {
        while NEIGHBOUR.load(Ordering::Relaxed) == 0 {
            time::yield_now();
        }
        let top = 0_u8;
        let used = descend::<FRAME>(black_box(&raw const top) as usize, depth);
        // The neighbour may be overwritten by now.
        process::exit(u8::from(used < depth))
    });
    let neighbour = Builder::new().stack_size(8 << 20).spawn(|| {
        NEIGHBOUR.store(1, Ordering::Relaxed);
        time::sleep(60 * SECOND);
    });
    match (thread, neighbour) {
        (Ok(thread), Ok(_neighbour)) => thread.join(),
        _ => process::exit(2),
    }
}

pub fn hostile_sizes() -> Verdict {
    let sizes = [0, 1, thread::MIN_STACK_SIZE - 1, isize::MAX as usize - 4096, isize::MAX as usize, usize::MAX - 4096];
    for size in sizes.into_iter().chain([usize::MAX - 1, usize::MAX]) {
        let refused = Builder::new().stack_size(size).spawn(|| ()).err();
        let wanted = if size < thread::MIN_STACK_SIZE { Errno::EINVAL } else { Errno::ENOMEM };
        ensure!(refused == Some(wanted), "a stack of {size:#x} bytes gives {refused:?}, not {wanted}");
    }
    #[repr(align(2097152))]
    struct Huge;
    let refused = thread::spawn(|| Huge).err();
    ensure!(refused == Some(Errno::EINVAL), "a result with alignment 2 MiB gives {refused:?}");
    Ok(())
}
