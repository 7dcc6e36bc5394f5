//! An area at the same address before and after exec: a registration that outlived its image would write to the new
//! one's memory.

use core::cell::UnsafeCell;

use harness::sys::cpu::{self, Set};
use harness::sys::time::{self, Deadline, MILLISECOND};
use rseq_core::abi::ORIGINAL_SIZE;
use rseq_core::arch;
use rseq_core::sys::rseq_raw;

use crate::family::{NOT_REPLACED, path, replace};

/// What this program is told: to register an area and to execute itself, to do so in a thread, to look at the area.
pub const MAIN: &str = "--exec-area";
pub const THREAD: &str = "--exec-area-thread";
pub const AFTER: &str = "--after-exec-area";

/// A CPU number that no machine has.
const NEVER: u32 = 10_000_000;

#[repr(C, align(64))]
struct Area(UnsafeCell<[u32; 16]>);

// SAFETY: the kernel and [`values`] alone access the words, each with single volatile or kernel accesses.
unsafe impl Sync for Area {}

/// In `.data`, so that a new image begins with these values, at the address of the old one: programs are linked for
/// fixed addresses, unless they are static-pie.
static AREA: Area = Area(UnsafeCell::new([NEVER, NEVER, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));

/// cpu_id_start and cpu_id.
fn values() -> [u32; 2] {
    let words = AREA.0.get().cast::<u32>();
    // SAFETY: the first two words of the area, which is static; volatile, as the kernel may write them.
    [0, 1].map(|word| unsafe { words.add(word).read_volatile() })
}

/// Registers the area for the calling thread, which has no registration, and executes this program again.
pub fn register_and_execute() -> u8 {
    // SAFETY: the area is static, aligned to 64 bytes, has more than 32, and is this thread's alone; no section relies
    // on it.
    if unsafe { rseq_raw(AREA.0.get() as usize, ORIGINAL_SIZE, 0, arch::SIGNATURE) }.is_err() {
        return 1;
    }
    if values().contains(&NEVER) {
        return 2;
    }
    path().map_or(NOT_REPLACED, |path| replace(path, c"RSEQ_RT=off", c"--after-exec-area"))
}

/// The same in a second thread, while the first one waits for it.
pub fn in_thread() -> u8 {
    rseq_rt::thread::spawn(register_and_execute).map_or(3, |handle| handle.join())
}

/// In the new image, which has no registration: nothing writes, whatever happens to the thread.
pub fn is_untouched() -> u8 {
    let Ok(allowed) = cpu::affinity(0) else { return 5 };
    let deadline = Deadline::after(50 * MILLISECOND);
    while !deadline.is_past() {
        for cpu in allowed.iter() {
            if cpu::set_affinity(0, &Set::only(cpu)).is_err() {
                return 6;
            }
            time::sleep(MILLISECOND);
        }
    }
    if values() == [NEVER; 2] { 0 } else { 7 }
}
