//! Two threads on one CPU that count in a section of a load and a store: what a debugger stops between them.

use rseq_core::percpu::PossibleCpus;
use rseq_core::{Committed, OutOfRange, Registration, ThreadArea, critical_section};
use std::error::Error;
use std::sync::Barrier;
use std::thread;

const ROUNDS: usize = 200;
const STRIDE: usize = 64;

critical_section! {
    /// `slot += 1`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`]: this thread's CPU has no slot.
    ///
    /// # Safety
    ///
    /// `base` is the first of `len` slots of `STRIDE` bytes, each beginning with a valid word.
    pub unsafe fn count(base: *mut usize, len: usize) -> Result<Committed, OutOfRange> {
        exits(OutOfRange) scratch(i, sum) abort(restart) stride(STRIDE);
        load_index(i);
        bound(i, len) else OutOfRange;
        scale(i, STRIDE);
        load(sum, [base + i]);
        add(sum, 1);
        commit store([base + i], sum);
    }
}

/// A symbol by which the debugger finds the section, and calls.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn counted(registration: &Registration<ThreadArea>, base: *mut usize, len: usize) -> bool {
    // SAFETY: `main` made `len` slots of STRIDE bytes at `base`, and reads them when its threads have ended.
    unsafe { count::<STRIDE, _, _>(registration.token(), base, len) }.is_ok()
}

/// What the debugger calls while threads are stopped.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn called() -> i32 {
    std::hint::black_box(42)
}

fn main() -> Result<(), Box<dyn Error>> {
    let len = PossibleCpus::read()?.slots_by_cpu();
    let mut slots = vec![0usize; len * STRIDE / size_of::<usize>()];
    let base = slots.as_mut_ptr() as usize;
    stay_on_this_cpu();
    called();
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let registration = Registration::adopt().expect("glibc registers");
                barrier.wait();
                for _ in 0..ROUNDS {
                    assert!(counted(&registration, base as *mut usize, len));
                }
            });
        }
    });
    println!("added {}, found {}", 2 * ROUNDS, slots.iter().sum::<usize>());
    Ok(())
}

fn stay_on_this_cpu() {
    // SAFETY: a set of bits is valid as zeroes; the kernel reads a set of that size.
    let result = unsafe {
        let mut set: libc::cpu_set_t = core::mem::zeroed();
        libc::CPU_SET(libc::sched_getcpu() as usize, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set)
    };
    assert_eq!(result, 0, "sched_setaffinity");
}
