//! A filter of system calls like those that container engines install by default.
//!
//! The calls are those that Docker's default profile (moby `profiles/seccomp/default.json`) gives to privileged
//! containers only, as far as the suite makes them or could.

use std::io;

use nix::libc;

/// What is answered with `EPERM`.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_bpf,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_kcmp,
    libc::SYS_keyctl,
    libc::SYS_mbind,
    libc::SYS_mount,
    libc::SYS_move_pages,
    libc::SYS_perf_event_open,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_reboot,
    libc::SYS_set_mempolicy,
    libc::SYS_setns,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

/// What is answered with `ENOSYS`, so that C libraries take the older call.
const ABSENT: &[libc::c_long] = &[libc::SYS_clone3];

/// The program of the filter.
pub fn program() -> Vec<libc::sock_filter> {
    const LOAD_NUMBER: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jf, k| libc::sock_filter { code, jt: 0, jf, k };
    let refused = REFUSED.iter().map(|call| (*call, libc::EPERM));
    let absent = ABSENT.iter().map(|call| (*call, libc::ENOSYS));
    let mut steps = vec![step(LOAD_NUMBER, 0, 0)];
    for (call, error) in refused.chain(absent) {
        steps.push(step(JUMP_IF_EQUAL, 1, call as u32));
        steps.push(step(RETURN, 0, libc::SECCOMP_RET_ERRNO | error as u32));
    }
    steps.push(step(RETURN, 0, libc::SECCOMP_RET_ALLOW));
    steps
}

/// Puts this process and its children below the filter, for good. It makes two system calls and does nothing else.
pub fn install(filter: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: `PR_SET_NO_NEW_PRIVS` takes numbers. `PR_SET_SECCOMP` reads `program` and the `len` steps that it points
    // at, which `filter` keeps alive for the call, and writes to neither.
    let set = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    };
    if set { Ok(()) } else { Err(io::Error::last_os_error()) }
}
