//! A filter that refuses rseq(2) from some moment on.

use crate::{add, is_exact};
use anyhow::{Context, Result, anyhow, ensure};
use rseq_core::{Cause, Status, status};
use std::sync::{Arc, Barrier};
use std::thread;

/// From now on rseq(2) returns `errno` in every thread of this process; 0 looks like success.
pub fn install(errno: u32) -> Result<()> {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_rseq as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | errno),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: prctl takes numbers only here; seccomp reads the program, which lives across the call.
    let result = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        let (mode, flags) = (libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_TSYNC);
        libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program)
    };
    ensure!(result == 0, "seccomp: {}", std::io::Error::last_os_error());
    Ok(())
}

/// Threads that are registered when the filter comes count on and end without a release; later ones are refused.
pub fn late(errno: &str) -> Result<()> {
    const THREADS: u64 = 16;
    let errno: u32 = errno.parse().context("no error number")?;
    let gate = Arc::new(Barrier::new(THREADS as usize + 1));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let gate = Arc::clone(&gate);
            thread::spawn(move || {
                add(1000);
                let before = status();
                gate.wait();
                gate.wait();
                add(1000);
                before == status() && matches!(before, Status::On(_))
            })
        })
        .collect();
    gate.wait();
    install(errno)?;
    gate.wait();
    let stayed = threads.into_iter().map(|thread| thread.join()).filter(|on| matches!(on, Ok(true))).count();
    ensure!(stayed == THREADS as usize, "{stayed} of {THREADS} threads stayed registered");
    let ours = rseq_core::OwnArea::current().is_none();
    let later = thread::spawn(|| {
        add(1000);
        status()
    });
    let later = later.join().map_err(|_| anyhow!("a thread panicked"))?;
    println!("status of a later thread: {later}");
    ensure!(!ours || matches!(later, Status::Off(Cause::Filtered(_))), "a later thread: {later}");
    is_exact(2000 * THREADS + 1000)
}
