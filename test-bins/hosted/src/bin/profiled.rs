//! A program that profiles itself as profilers do: a signal handler walks the stack, by unwind information and by frame
//! pointers, from wherever the signal found the thread. Most of its time passes in critical sections, so the kernel has
//! sent the thread to an abort handler before the signal handler runs.

use std::ffi::c_void;
use std::process::ExitCode;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rseq_core::{Aborted, Committed, OutOfRange, critical_section};

critical_section! {
    /// Adds 1 to the slot, after a copy that takes a while, and restarts itself.
    unsafe fn restarting(
        base: *mut usize, len: usize, to: *mut u8, from: *const u8, n: usize
    ) -> Result<Committed, OutOfRange> {
        exits(OutOfRange) scratch(i, k) abort(restart) stride(S);
        load_index(i);
        bound(i, len) else OutOfRange;
        scale(i, S);
        repeatable copy([to], [from], n, k);
        commit add([base + i], 1);
    }

    /// The same on a CPU of the caller's choice, who sees the abort.
    unsafe fn leaving(
        cpu: usize, v: *mut usize, to: *mut u8, from: *const u8, n: usize
    ) -> Result<Committed, Aborted> {
        exits(Aborted) scratch(k) abort(Aborted);
        check_index(cpu) else Aborted;
        repeatable copy([to], [from], n, k);
        commit add([v], 1);
    }
}

const BYTES: usize = 64 << 10;
const SLOTS: usize = 4096;
const STRIDE: usize = 64;
const DEPTH: usize = 64;

/// The frames of `anchor`'s caller and of those above, as a profiler sees them from ordinary code.
static ABOVE: [AtomicPtr<c_void>; DEPTH] = [const { AtomicPtr::new(std::ptr::null_mut()) }; DEPTH];
static ABOVE_COUNT: AtomicUsize = AtomicUsize::new(0);

static IN_HANDLERS: AtomicUsize = AtomicUsize::new(0);
static UNWOUND: AtomicUsize = AtomicUsize::new(0);
static BY_FRAME_POINTERS: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" {
    static __start___rseq_failure: u8;
    static __stop___rseq_failure: u8;
    fn backtrace(buffer: *mut *mut c_void, size: libc::c_int) -> libc::c_int;
}

fn main() -> ExitCode {
    // The two sections alone: `profiled`'s own registration is the libc's.
    let frames = std::env::args().nth(1).is_some_and(|arg| arg == "--frame-pointers");
    let outcome = anchor();
    if let Err(why) = outcome {
        println!("skipped: {why:#}");
        return ExitCode::from(4);
    }
    let [handlers, unwound, pointers] = [&IN_HANDLERS, &UNWOUND, &BY_FRAME_POINTERS].map(|count| count.load(Relaxed));
    println!("samples in abort handlers: {handlers}, unwound: {unwound}, by frame pointers: {pointers}");
    let all = handlers >= 50 && unwound == handlers && (!frames || pointers == handlers);
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Takes note of the frames above it, and works.
#[inline(never)]
fn anchor() -> Result<()> {
    let mut frames = [std::ptr::null_mut(); DEPTH];
    // SAFETY: writes at most DEPTH addresses to `frames`.
    let count = unsafe { backtrace(frames.as_mut_ptr(), DEPTH as libc::c_int) } as usize;
    // The first is this very function.
    let above = &frames[1..count];
    above.iter().zip(&ABOVE).for_each(|(frame, place)| place.store(*frame, Relaxed));
    ABOVE_COUNT.store(above.len(), Relaxed);
    let done = work();
    stop_timer();
    done
}

#[inline(never)]
fn work() -> Result<()> {
    let area = rseq_core::ThreadArea::current();
    let token = area.context("glibc has not registered this thread for rseq")?;
    let (from, mut to) = (vec![1u8; BYTES], vec![0u8; BYTES]);
    let mut slots = vec![0usize; SLOTS * STRIDE / size_of::<usize>()];
    let (base, to, from) = (slots.as_mut_ptr(), to.as_mut_ptr(), from.as_ptr());
    start_timer();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) && IN_HANDLERS.load(Relaxed) < 300 {
        for _ in 0..100 {
            // SAFETY: `base` is the first of SLOTS slots of STRIDE bytes, `to` and `from` are BYTES bytes, all of this
            // frame.
            let _ = unsafe { restarting::<STRIDE, _, _>(token, base, SLOTS, to, from, BYTES) };
            let cpu = token.cpu_id() as usize;
            // SAFETY: the same memory, and the CPU is one that the kernel named.
            let _ = unsafe { leaving(token, cpu, base, to, from, BYTES) };
        }
    }
    Ok(())
}

fn set_timer(microseconds: i64) {
    let interval = libc::timeval { tv_sec: 0, tv_usec: microseconds };
    let timer = libc::itimerval { it_interval: interval, it_value: interval };
    // SAFETY: reads a valid itimerval.
    unsafe { libc::setitimer(libc::ITIMER_PROF, &raw const timer, std::ptr::null_mut()) };
}

fn start_timer() {
    // SAFETY: all zeros is a valid sigaction, filled in below.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_signal as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
    // SAFETY: installs a handler that calls `backtrace` only, which has been loaded by then, and atomics.
    unsafe { libc::sigaction(libc::SIGPROF, &raw const action, std::ptr::null_mut()) };
    set_timer(2000);
}

fn stop_timer() {
    set_timer(0);
}

extern "C" fn on_signal(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel hands a ucontext_t to a handler with SA_SIGINFO.
    let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let interrupted = registers[libc::REG_RIP as usize] as usize;
    let handlers = &raw const __start___rseq_failure as usize..&raw const __stop___rseq_failure as usize;
    if !handlers.contains(&interrupted) {
        return;
    }
    IN_HANDLERS.fetch_add(1, Relaxed);
    let mut frames = [std::ptr::null_mut(); DEPTH];
    // SAFETY: writes at most DEPTH addresses to `frames`.
    let count = unsafe { backtrace(frames.as_mut_ptr(), DEPTH as libc::c_int) } as usize;
    UNWOUND.fetch_add(usize::from(ends_above(&frames[..count])), Relaxed);
    let (count, frames) = follow_frame_pointers(registers[libc::REG_RBP as usize] as usize);
    BY_FRAME_POINTERS.fetch_add(usize::from(frames[..count].contains(&ABOVE[0].load(Relaxed))), Relaxed);
}

/// Whether these frames end as those do that `anchor` took note of.
fn ends_above(frames: &[*mut c_void]) -> bool {
    let count = ABOVE_COUNT.load(Relaxed);
    let Some(start) = frames.len().checked_sub(count) else { return false };
    count > 0 && frames[start..].iter().zip(&ABOVE).all(|(frame, above)| *frame == above.load(Relaxed))
}

/// The return addresses along the chain of frame pointers, as far as it goes up the stack.
fn follow_frame_pointers(mut pointer: usize) -> (usize, [*mut c_void; DEPTH]) {
    let mut frames = [std::ptr::null_mut(); DEPTH];
    let mut count = 0;
    let here = &raw const frames as usize;
    while count < DEPTH && pointer > here && pointer - here < 1 << 20 && pointer.is_multiple_of(8) {
        // SAFETY: an aligned address above this frame, at most 1 MiB up this thread's stack, whose upper end main's
        // frame is far from.
        let [next, address] = unsafe { (pointer as *const [usize; 2]).read() };
        frames[count] = address as *mut c_void;
        count += 1;
        if next <= pointer {
            break;
        }
        pointer = next;
    }
    (count, frames)
}
