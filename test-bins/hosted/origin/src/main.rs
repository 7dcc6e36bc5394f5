//! Eight threads of origin, with its own start-up, that the core registers and that count under signals.
#![no_std]
#![no_main]

#[path = "../../worlds/src/storm.rs"]
mod storm;
mod system;

use core::ffi::c_void;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use linux_raw_sys as _;
use origin::thread;
use rseq_core::percpu::Counter;
use rseq_core::{Mode, OwnArea, Registration};
use rustix as _;
use storm::{Words, storm};

const THREADS: usize = 8;
const TIMES: usize = 20_000;
const CPUS: usize = 1024;
const STRIDE: usize = 16;

static WORDS: [AtomicUsize; CPUS * STRIDE] = [const { AtomicUsize::new(0) }; CPUS * STRIDE];
static ABORTS: AtomicUsize = AtomicUsize::new(0);
static DONE: AtomicUsize = AtomicUsize::new(0);
static COUNTER: Counter = Counter::new();

/// A thread: registered, counting, released, counting.
fn run(_: &mut [Option<NonNull<c_void>>]) -> Option<NonNull<c_void>> {
    // SAFETY: it is released below, before origin takes the thread's memory; the thread has its own thread pointer. The
    // kernel's facts are those that the core itself has read.
    let registration = match unsafe { Registration::<OwnArea>::own(Mode::Extended) } {
        Ok(registration) => registration,
        Err(error) => {
            system::print(format_args!("{error}\n"));
            return None;
        }
    };
    if DONE.fetch_add(1, Relaxed) == 0 {
        system::print(format_args!("{}\n", rseq_core::status()));
    }
    let mut aborts = 0;
    let words = Words { words: (&raw const WORDS).cast_mut().cast(), len: CPUS, stride: STRIDE };
    // SAFETY: atomic words, which only these sections change, and which are read when the threads have ended.
    let counted = unsafe { storm(registration.token(), words, TIMES, &mut aborts) };
    (0..TIMES).for_each(|_| COUNTER.inc());
    ABORTS.fetch_add(aborts, Relaxed);
    if !counted || registration.release().is_err() {
        system::print(format_args!("the registration is gone\n"));
    }
    (0..TIMES).for_each(|_| COUNTER.inc());
    None
}

/// The program: origin calls it when the main thread has its thread-local storage.
///
/// # Safety
///
/// Only origin calls it, once.
#[unsafe(no_mangle)]
unsafe fn origin_main(_: usize, _: *mut *mut u8, _: *mut *mut u8) -> i32 {
    system::interrupt_often();
    let create = || {
        // SAFETY: a function that takes no arguments, and the sizes that origin gives.
        unsafe { thread::create(run, &[], thread::default_stack_size(), thread::default_guard_size()) }
    };
    let threads: [_; THREADS] = core::array::from_fn(|_| create());
    system::leave_signals_to_others();
    for thread in threads {
        match thread {
            // SAFETY: each is joined once.
            Ok(thread) => drop(unsafe { thread::join(thread) }),
            Err(_) => system::print(format_args!("no thread\n")),
        }
    }
    let sections: usize = WORDS.iter().map(|word| word.load(Relaxed)).sum();
    let (counted, aborts) = (COUNTER.sum() as usize, ABORTS.load(Relaxed));
    let expected = THREADS * TIMES;
    system::print(format_args!("sections {sections} of {expected}\n"));
    system::print(format_args!("counter {counted} of {}\naborts {aborts}\n", 2 * expected));
    i32::from(sections != expected || counted != 2 * expected || aborts == 0)
}
