//! What rseq-rt leaves to rustix: standard input, files, clocks, affinity, processes and signals, an example of each.
//! All of it works without a libc and without `std`. The test `the_system_is_reached_through_rustix` runs this file:
//!
//! ```toml
//! [dependencies.rustix]
//! version = "1"
//! default-features = false
//! features = ["fs", "process", "runtime", "stdio", "thread", "time"]
//! ```
//!
//! With rseq-rt's feature `origin`, the release of rustix must be the one that origin builds with.

use core::ffi::CStr;
use core::ptr::null;
use rustix::fs::{Mode, OFlags};
use rustix::io::Result;
use rustix::process::{Signal, WaitOptions};
use rustix::runtime::{Fork, How, KernelSigSet};
use rustix::thread::CpuSet;
use rustix::time::ClockId;

/// Standard input: the bytes that come at once.
pub fn input(buffer: &mut [u8]) -> Result<usize> {
    // SAFETY: rseq-rt opens descriptor 0 before `main`, and this program does not close it.
    let stdin = unsafe { rustix::stdio::stdin() };
    rustix::io::read(stdin, buffer)
}

/// Files: the first bytes of one. The descriptor is closed when it is dropped.
pub fn first_bytes(path: &CStr, buffer: &mut [u8]) -> Result<usize> {
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::read(&file, buffer)
}

/// Time, through the vDSO where the kernel has one: nanoseconds since the machine started.
pub fn now() -> u64 {
    let time = rustix::time::clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The CPU of the calling thread, through the vDSO, whether rseq is registered or not.
pub fn cpu() -> usize {
    rustix::thread::sched_getcpu()
}

/// Affinity: runs `function` on one CPU, then leaves the thread where it may run.
pub fn on_cpu<T>(cpu: usize, function: impl FnOnce() -> T) -> Result<T> {
    let before = rustix::thread::sched_getaffinity(None)?;
    let mut only = CpuSet::new();
    only.set(cpu);
    rustix::thread::sched_setaffinity(None, &only)?;
    let value = function();
    rustix::thread::sched_setaffinity(None, &before)?;
    Ok(value)
}

/// Processes: runs a program with one argument and this program's environment, and waits for its exit code. `None` if a
/// signal has ended it.
pub fn run(path: &CStr, argument: &CStr, environment: &[*const u8]) -> Result<Option<i32>> {
    assert_eq!(environment.last(), Some(&null()), "the environment ends with a null pointer");
    let arguments = [path.as_ptr().cast(), argument.as_ptr().cast(), null()];
    // SAFETY: the child has one thread, which was forked wherever the others of this process were: it executes a
    // program, and uses no lock before.
    let child = match unsafe { rustix::runtime::kernel_fork() }? {
        Fork::ParentOf(child) => child,
        Fork::Child(_) => {
            // SAFETY: C strings, and lists that end with a null pointer.
            let _ = unsafe { rustix::runtime::execve(path, arguments.as_ptr(), environment.as_ptr()) };
            rustix::runtime::exit_group(127)
        }
    };
    let ended = rustix::process::waitpid(Some(child), WaitOptions::empty())?;
    Ok(ended.and_then(|(_, status)| status.exit_status()))
}

/// Signals: blocks one in the calling thread, and in those that it starts from now on, so that [`next_signal`] finds
/// it. No handler is needed then; one can be set by `rustix::runtime::kernel_sigaction`, with a return path of its own
/// on x86-64.
pub fn block(signal: Signal) -> Result<()> {
    let mut set = KernelSigSet::empty();
    set.insert(signal);
    // SAFETY: no code here relies on being interrupted by the signal.
    unsafe { rustix::runtime::kernel_sigprocmask(How::BLOCK, Some(&set)) }.map(drop)
}

/// Waits for a signal that was blocked.
pub fn next_signal(signal: Signal) -> Result<Signal> {
    let mut set = KernelSigSet::empty();
    set.insert(signal);
    // SAFETY: the signal is blocked, so that nothing else takes it.
    unsafe { rustix::runtime::kernel_sigwait(&set) }
}
