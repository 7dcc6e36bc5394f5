//! A copy of this process that runs one function, for an experiment that must leave no trace in this one.

use super::{Errno, IS_MIPS, syscall};
use linux_raw_sys::general::{__NR_clone, __NR_exit_group, __NR_waitid, __WALL, P_PID, WEXITED};

/// Words of `siginfo_t`, all architectures' 128 bytes.
const WORDS: usize = 32;

/// `si_code`: MIPS has it before `si_errno`.
const CODE: usize = if IS_MIPS { 1 } else { 2 };

/// `si_status`, after `si_pid` and `si_uid`, which begin at a multiple of a pointer's size.
const STATUS: usize = if cfg!(target_pointer_width = "64") { 6 } else { 5 };

/// `CLD_EXITED`.
const EXITED: i32 = 1;

/// Runs `body` in a child process with a copy of this one's memory and waits for it. Returns its exit code; None if a
/// signal ended it. The child sends no signal when it ends, and the program's own calls of `wait` do not reap it by
/// accident.
///
/// # Errors
///
/// Those of `clone(2)` and `waitid(2)`, such as EAGAIN and EPERM; ENOSYS from a filter.
pub(crate) fn in_child(body: impl FnOnce() -> u8) -> Result<Option<u8>, Errno> {
    // SAFETY: without flags, in whatever order an architecture takes the arguments, clone copies the whole process. The
    // child continues below, on its copy of this stack, runs `body` and ends.
    match unsafe { syscall(__NR_clone, [0; 6]) }? {
        0 => exit(body()),
        pid => wait(pid),
    }
}

/// [`in_child`], for a test of what may never end: a signal ends the child after a second of CPU time.
#[cfg(all(test, not(miri), not(rseq_stub)))]
pub(crate) fn in_limited_child(body: impl FnOnce() -> u8) -> Result<Option<u8>, Errno> {
    const RLIMIT_CPU: usize = 0;
    in_child(|| {
        let limits = [1u64, 1];
        let args = [0, RLIMIT_CPU, limits.as_ptr() as usize, 0, 0, 0];
        // SAFETY: the kernel reads one `struct rlimit64`, two u64, and is given nowhere to write. The hard limit is
        // SIGKILL, which is never blocked.
        match unsafe { syscall(linux_raw_sys::general::__NR_prlimit64, args) } {
            Ok(_) => body(),
            Err(_) => u8::MAX,
        }
    })
}

/// Ends the process at once.
pub(crate) fn exit(code: u8) -> ! {
    loop {
        // SAFETY: ends this process, a child of `in_child`, without touching memory.
        let _ = unsafe { syscall(__NR_exit_group, [code.into(), 0, 0, 0, 0, 0]) };
    }
}

fn wait(pid: usize) -> Result<Option<u8>, Errno> {
    let mut info = [0i32; WORDS];
    let args = [P_PID as usize, pid, info.as_mut_ptr() as usize, (WEXITED | __WALL) as usize, 0, 0];
    // SAFETY: the kernel writes a siginfo_t of 128 bytes, and reaps the child that `in_child` made.
    while let Err(errno) = unsafe { syscall(__NR_waitid, args) } {
        if errno != Errno::EINTR {
            return Err(errno);
        }
    }
    Ok((info[CODE] == EXITED).then_some(info[STATUS] as u8))
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn the_exit_code_comes_back_and_the_memory_does_not() {
        let mut value = 1;
        let ended = in_child(|| {
            value = 2;
            core::hint::black_box(&mut value);
            77
        });
        assert_eq!(ended, Ok(Some(77)));
        assert_eq!(core::hint::black_box(value), 1);
    }

    #[test]
    fn a_child_that_is_killed_has_no_exit_code() {
        assert_eq!(in_child(|| std::process::abort()), Ok(None));
    }
}
