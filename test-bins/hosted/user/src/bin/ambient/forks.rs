//! Children: of `fork`, while other threads count and allocate, and of a clone as `vfork` makes it.

use crate::{BY_CPU, BY_MM_CID, add};
use anyhow::{Result, ensure};
use rseq_core::percpu::Counter;
use rseq_core::{Cause, Owner, Status, ensure_registered, status};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

static STOP: AtomicBool = AtomicBool::new(false);

/// Counts, and makes and drops counters, until it is told to stop.
fn busy() {
    while !STOP.load(Relaxed) {
        add(10);
        let counters: [Counter; 8] = [const { Counter::new() }; 8];
        counters.iter().for_each(Counter::inc);
    }
}

pub fn fork() -> Result<()> {
    const CHILDREN: u32 = 300;
    let outcome = thread::scope(|scope| {
        (0..4).for_each(|_| drop(scope.spawn(busy)));
        let outcome = (0..CHILDREN).try_for_each(|_| in_child(child));
        STOP.store(true, Relaxed);
        outcome
    });
    println!("{CHILDREN} children");
    outcome
}

/// Runs `body` in a child of fork, which is killed after 20 seconds.
fn in_child(body: fn() -> Result<()>) -> Result<()> {
    // SAFETY: the child allocates, which glibc and musl allow it, prints and ends.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: a timer that kills the child.
            unsafe { libc::alarm(20) };
            let outcome = body();
            if let Err(why) = &outcome {
                eprintln!("child: {why:#}");
            }
            // SAFETY: ends the child without the destructors of its parent.
            unsafe { libc::_exit(outcome.is_err().into()) }
        }
        pid => {
            let mut state = 0;
            // SAFETY: waits for the child; a negative number, of a fork that failed, is no child of this process.
            let waited = unsafe { libc::waitpid(pid, &mut state, 0) };
            ensure!(pid > 0 && waited == pid && state == 0, "the child {pid} ended with {state:#x}");
            Ok(())
        }
    }
}

/// The only thread of its process: what it adds is all that is added.
fn child() -> Result<()> {
    let before = (BY_CPU.sum(), BY_MM_CID.sum());
    add(1000);
    let after = (BY_CPU.sum() - before.0, BY_MM_CID.sum() - before.1);
    ensure!(after == (1000, 3000), "{after:?} were added to");
    let counter: Counter = Counter::new();
    counter.add(5);
    ensure!(counter.sum() == 5, "a new counter has {}", counter.sum());
    ensure!(matches!(status(), Status::On(_) | Status::Off(Cause::Filtered(_))), "the child: {}", status());
    Ok(())
}

extern "C" fn body_of_vfork(_: *mut libc::c_void) -> libc::c_int {
    let registered = ensure_registered();
    BY_CPU.inc();
    i32::from(registered != Err(Cause::SharedThreadPointer))
}

/// The child comes first, in a thread that is not registered yet: it must not register its parent's area.
pub fn vfork() -> Result<()> {
    let mut stack = vec![0u128; 4096];
    let top = stack.as_mut_ptr_range().end;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let mut state = 0;
    // SAFETY: the parent waits for the child, which runs on a stack of its own, counts, and ends.
    unsafe {
        let pid = libc::clone(body_of_vfork, top.cast(), flags, std::ptr::null_mut());
        ensure!(libc::waitpid(pid, &mut state, 0) == pid, "no child");
    }
    let parent = ensure_registered();
    println!("the child ended with {state:#x}, the parent: {parent:?}");
    ensure!(state == 0, "the child was registered");
    ensure!(parent == Ok(Owner::Own), "the parent: {parent:?}");
    // The kernel knows the registration.
    let area = rseq_core::arch::own_area().as_ptr();
    // SAFETY: the very registration that there is: refused with EBUSY.
    let again = unsafe { rseq_core::sys::rseq(area, length(), 0, rseq_core::arch::SIGNATURE) };
    ensure!(again == Err(rseq_core::sys::CallError::Busy), "registered again: {again:?}");
    BY_CPU.inc();
    ensure!(BY_CPU.sum() == 2, "{} instead of 2", BY_CPU.sum());
    Ok(())
}

fn length() -> u32 {
    rseq_core::KernelRseq::read().registration_len()
}
