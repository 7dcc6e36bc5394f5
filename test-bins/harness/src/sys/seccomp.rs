//! Seccomp filters that refuse single system calls.

use linux_raw_sys::general::__NR_prctl;
use linux_raw_sys::prctl::{PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP};
use linux_raw_sys::ptrace as raw;
use rseq_core::sys::Errno;

use super::call;

/// What happens to a call that is refused.
#[derive(Clone, Copy)]
pub enum Refusal {
    /// It returns this error.
    Error(Errno),
    /// The process dies by SIGSYS.
    Kill,
}

#[repr(C)]
struct Program {
    length: u16,
    filter: *const raw::sock_filter,
}

/// Refuses the system call `nr` in this thread and its children from now on.
pub fn refuse(nr: u32, refusal: Refusal) -> Result<(), Errno> {
    let verdict = match refusal {
        Refusal::Error(errno) => raw::SECCOMP_RET_ERRNO | errno.0 as u32,
        Refusal::Kill => raw::SECCOMP_RET_KILL_PROCESS,
    };
    let filter = [
        // The number is the first word of seccomp_data.
        statement(raw::BPF_LD | raw::BPF_W | raw::BPF_ABS, 0, 0, 0),
        statement(raw::BPF_JMP | raw::BPF_JEQ, nr, 0, 1),
        statement(raw::BPF_RET, verdict, 0, 0),
        statement(raw::BPF_RET, raw::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = Program { length: filter.len() as u16, filter: filter.as_ptr() };
    // SAFETY: this option takes no pointer. It affects later calls of `execve` only.
    unsafe { call(__NR_prctl, [PR_SET_NO_NEW_PRIVS as usize, 1, 0, 0, 0]) }?;
    let args = [PR_SET_SECCOMP as usize, raw::SECCOMP_MODE_FILTER as usize, &raw const program as usize, 0, 0];
    // SAFETY: the kernel reads the program and its statements, which live across the call.
    unsafe { call(__NR_prctl, args) }.map(|_| ())
}

fn statement(code: u32, k: u32, jt: u8, jf: u8) -> raw::sock_filter {
    raw::sock_filter { code: code as u16, jt, jf, k }
}
