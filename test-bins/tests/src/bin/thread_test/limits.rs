//! Threads that the kernel's limits do not allow.

use core::sync::atomic::{AtomicU32, Ordering};

use harness::ktap::{OrFail, Unmet, Verdict};
use harness::sys::call;
use harness::{ensure, skip};
use linux_raw_sys::general as raw;
use rseq_core::sys::Errno;
use rseq_rt::thread;

use crate::values::Counted;
use crate::{in_thread, kernel_knows_this_thread};

/// Runs `body` under a soft limit.
fn limited<T>(resource: u32, soft: u64, body: impl FnOnce() -> T) -> Result<T, Unmet> {
    let set = |new: Option<&[u64; 2]>| {
        let mut old = [0_u64; 2];
        let new = new.map_or(0, |limits| limits.as_ptr() as usize);
        // SAFETY: the kernel reads two 64-bit words at `new`, if it is not null, and writes two at `old`.
        unsafe { call(raw::__NR_prlimit64, [0, resource as usize, new, old.as_mut_ptr() as usize]) }.map(|_| old)
    };
    let before = set(None).or_fail("prlimit64")?;
    set(Some(&[soft, before[1]])).or_fail("prlimit64")?;
    let value = body();
    set(Some(&before)).or_fail("prlimit64")?;
    Ok(value)
}

/// The result of a thread that cannot be started: the error, and how often its closure was dropped.
fn refused_spawn() -> (Option<Errno>, u32) {
    static DROPS: AtomicU32 = AtomicU32::new(0);
    DROPS.store(0, Ordering::Relaxed);
    let counted = Counted(&DROPS);
    let error = thread::spawn(move || drop(counted)).map(thread::JoinHandle::join).err();
    (error, DROPS.load(Ordering::Relaxed))
}

pub fn no_memory() -> Verdict {
    let (error, drops) = limited(raw::RLIMIT_AS, 4096, refused_spawn)?;
    ensure!(error == Some(Errno::ENOMEM), "spawn gives {error:?}, not ENOMEM");
    ensure!(drops == 1, "the closure was dropped {drops} times");
    in_thread(kernel_knows_this_thread).map(drop)
}

pub fn too_many() -> Verdict {
    // The limit does not bind root. A thread can leave root for itself, as user IDs belong to threads here.
    let attempt = || {
        let nobody = 65534;
        // SAFETY: the call takes numbers and changes this thread's credentials only.
        let left = unsafe { call(raw::__NR_setresuid, [nobody; 3]) };
        // SAFETY: the call takes nothing.
        let user = unsafe { call(raw::__NR_getuid, []) };
        (left.is_err() && user == Ok(0), refused_spawn())
    };
    let spawned = thread::spawn(move || limited(raw::RLIMIT_NPROC, 0, attempt));
    let (still_root, (error, drops)) = spawned.or_fail("spawn")?.join()?;
    if still_root {
        return Err(skip!("this root may not become another user"));
    }
    ensure!(error == Some(Errno::EAGAIN), "spawn gives {error:?}, not EAGAIN");
    ensure!(drops == 1, "the closure was dropped {drops} times");
    in_thread(kernel_knows_this_thread).map(drop)
}
