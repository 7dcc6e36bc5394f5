//! What disturbs threads: signals, other CPUs, and the end of their registration.

use hosted::storm::{self, Storm};
use rseq_core::{Ambient, Area, arch, sys};
use std::cell::Cell;
use std::ffi::c_void;
use std::io;
use std::mem::{MaybeUninit, transmute};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Between two signals to a thread.
const PERIOD: Duration = Duration::from_micros(20);

/// Signals that were handled.
pub static SIGNALS: AtomicU64 = AtomicU64::new(0);

/// Signals that found the thread in an abort handler, to which the kernel had sent it from the section that they
/// interrupted. What preemption and migration abort is not counted.
pub static ABORTS: AtomicU64 = AtomicU64::new(0);

/// Times that a thread was moved to another CPU.
pub static MOVES: AtomicU64 = AtomicU64::new(0);

type Interrupted = *mut dyn FnMut();

thread_local! {
    /// What this thread does on a signal.
    static ON_SIGNAL: Cell<Option<Interrupted>> = const { Cell::new(None) };
}

unsafe extern "C" {
    static __start___rseq_failure: u8;
    static __stop___rseq_failure: u8;
}

/// Installs the signal handler.
pub fn install() {
    storm::handle_in_context(on_signal).unwrap_or_else(|error| panic!("sigaction: {error}"));
}

extern "C" fn on_signal(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    SIGNALS.fetch_add(1, Relaxed);
    // SAFETY: the kernel hands a ucontext_t to a handler with SA_SIGINFO.
    if is_abort_handler(unsafe { program_counter(context) }) {
        ABORTS.fetch_add(1, Relaxed);
    }
    if let Some(work) = ON_SIGNAL.get() {
        // SAFETY: `interrupted_by` keeps the closure until it has taken it out of the cell, and does not use it itself;
        // the signal is blocked in its handler, so this is the only use.
        unsafe { (*work)() };
    }
}

/// Whether an abort handler begins there: after the signature that the kernel looks for. Sections that leave by
/// themselves have code beside these handlers, too.
fn is_abort_handler(address: usize) -> bool {
    let handlers = &raw const __start___rseq_failure as usize..&raw const __stop___rseq_failure as usize;
    let before = address.wrapping_sub(size_of::<u32>());
    // SAFETY: four bytes of this program's code.
    handlers.contains(&before)
        && unsafe { std::ptr::with_exposed_provenance::<u32>(before).read_unaligned() } == arch::SIGNATURE
}

/// # Safety
///
/// A `ucontext_t`.
#[cfg(target_arch = "x86_64")]
unsafe fn program_counter(context: *mut c_void) -> usize {
    // SAFETY: the caller's contract.
    unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_RIP as usize] as usize }
}

/// # Safety
///
/// A `ucontext_t`.
#[cfg(target_arch = "aarch64")]
unsafe fn program_counter(context: *mut c_void) -> usize {
    // SAFETY: the caller's contract.
    unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.pc as usize }
}

/// Runs `work`, interrupted by a timer's signals, at each of which the thread does what `on_signal` says.
pub fn interrupted_by<R>(on_signal: &mut dyn FnMut(), work: impl FnOnce() -> R) -> io::Result<R> {
    struct Ended;
    impl Drop for Ended {
        fn drop(&mut self) {
            ON_SIGNAL.set(None);
        }
    }
    // SAFETY: only the lifetime changes. The pointer is taken out of the cell before this function returns, and the
    // handler of a later signal finds none.
    let on_signal = unsafe { transmute::<*mut (dyn FnMut() + '_), Interrupted>(on_signal) };
    ON_SIGNAL.set(Some(on_signal));
    let _ended = Ended;
    let _storm = Storm::start(PERIOD)?;
    Ok(work())
}

/// The CPUs that the process may run on.
pub fn cpus() -> &'static [u32] {
    static CPUS: OnceLock<Vec<u32>> = OnceLock::new();
    CPUS.get_or_init(|| {
        let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
        // SAFETY: all zeros is a valid set, and the kernel writes at most so many bytes of it.
        let set = unsafe {
            let read = libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), set.as_mut_ptr());
            assert_eq!(read, 0, "sched_getaffinity: {}", io::Error::last_os_error());
            set.assume_init()
        };
        // SAFETY: numbers below the size of the set.
        (0..libc::CPU_SETSIZE as u32).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu as usize, &set) }).collect()
    })
}

/// Moves a thread, or this one by 0, to a CPU. A thread that has ended is not found.
pub fn move_to(thread: libc::pid_t, cpu: u32) {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: all zeros is a valid set; the number is of `cpus`; the kernel reads so many bytes.
    let moved = unsafe {
        libc::CPU_SET(cpu as usize, &mut *set.as_mut_ptr());
        libc::sched_setaffinity(thread, size_of::<libc::cpu_set_t>(), set.as_ptr())
    };
    MOVES.fetch_add(u64::from(moved == 0), Relaxed);
}

pub fn thread_id() -> libc::pid_t {
    // SAFETY: gettid has no preconditions.
    unsafe { libc::gettid() }
}

/// Releases the registration of this thread, which then works without sections.
pub fn unregister() {
    let area = Ambient::token().area().pointer().as_ptr();
    // SAFETY: the thread's own area, if it has one, and per-CPU types do without a registration.
    let release = |len| unsafe { sys::rseq(area, len, rseq_core::abi::FLAG_UNREGISTER, arch::SIGNATURE) };
    let is_released = rseq_core::ensure_registered().is_ok() && (32..=256).any(|len| release(len).is_ok());
    assert!(is_released || !Ambient::token().is_registered(), "no length releases the libc's registration");
}
