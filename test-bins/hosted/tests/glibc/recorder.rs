//! Every rseq(2) call of a process and its threads, seen by the kernel itself: a seccomp filter stops each one and asks
//! here, from before the dynamic linker's first instruction on.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};
use std::thread;

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The thread that made it.
    pub thread: u32,
    /// Its `flags`: 0 registers, 1 unregisters.
    pub flags: u64,
    /// Its address of the area.
    pub area: u64,
}

/// Runs the command to its end, and lists its calls in their order.
pub fn record(command: &mut Command) -> io::Result<(Output, Vec<Call>)> {
    let (ours, theirs) = UnixStream::pair()?;
    let install = move || send_fd(theirs.as_raw_fd(), install_filter()?.as_raw_fd());
    // SAFETY: between fork and exec the closure makes system calls only: prctl, seccomp, sendmsg, close.
    unsafe { command.pre_exec(install) };
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let listener = receive_fd(ours.as_raw_fd())?;
    let recorder = thread::spawn(move || answer_all(listener));
    let output = child.wait_with_output()?;
    let calls = recorder.join().map_err(|_| io::Error::other("the recorder panicked"))??;
    Ok((output, calls))
}

/// From now on rseq(2) waits for an answer of whoever holds the returned descriptor.
fn install_filter() -> io::Result<OwnedFd> {
    const NR_OFFSET: u32 = 0;
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let give = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, k, jt, jf| libc::sock_filter { code, jt, jf, k };
    let mut filter = [
        step(load, NR_OFFSET, 0, 0),
        step(equal, libc::SYS_rseq as u32, 0, 1),
        step(give, libc::SECCOMP_RET_USER_NOTIF, 0, 0),
        step(give, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    let (mode, flags) = (libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER);
    // SAFETY: prctl takes numbers only here; seccomp reads the program, which lives across the call.
    let fd = unsafe {
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0).into())?;
        check(libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program))?
    };
    // SAFETY: the kernel just opened it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Answers until no process is left that the filter is on.
fn answer_all(listener: OwnedFd) -> io::Result<Vec<Call>> {
    let mut calls = Vec::new();
    loop {
        let mut poll = libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd.
        check(unsafe { libc::poll(&mut poll, 1, -1) }.into())?;
        if poll.revents & libc::POLLIN == 0 {
            return Ok(calls);
        }
        calls.extend(answer(&listener)?);
    }
}

/// Lets one call go on, unless its thread was killed meanwhile.
fn answer(listener: &OwnedFd) -> io::Result<Option<Call>> {
    // SAFETY: all zeros is a valid seccomp_notif, and what the kernel wants to be given.
    let mut asked: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    if !ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, &mut asked)? {
        return Ok(None);
    }
    let flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;
    let mut answer = libc::seccomp_notif_resp { id: asked.id, val: 0, error: 0, flags };
    ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_SEND, &mut answer)?;
    Ok(Some(Call { thread: asked.pid, flags: asked.data.args[2], area: asked.data.args[0] }))
}

/// One of the listener's two requests; false where the thread that asked is gone.
fn ioctl<T>(listener: &OwnedFd, request: libc::Ioctl, data: &mut T) -> io::Result<bool> {
    // SAFETY: `T` is the request's structure, which the ioctl reads and writes.
    match check(unsafe { libc::ioctl(listener.as_raw_fd(), request, data) }.into()) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Room for one descriptor in a control message, aligned as its header.
#[repr(C, align(8))]
struct Control([u8; 24]);

/// Calls `transfer` with a message of one byte and a control buffer.
fn with_message(control: &mut Control, transfer: impl FnOnce(&mut libc::msghdr) -> isize) -> io::Result<()> {
    let mut byte = 0u8;
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: all zeros is a valid msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control.0).cast();
    message.msg_controllen = control.0.len();
    check(transfer(&mut message) as libc::c_long).map(|_| ())
}

fn send_fd(socket: RawFd, fd: RawFd) -> io::Result<()> {
    let mut control = Control([0; 24]);
    with_message(&mut control, |message| {
        // SAFETY: the control buffer has room for one header and one descriptor (CMSG_SPACE(4) is 24), which is what is
        // written; sendmsg reads the message and its buffers, all alive.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(4) as usize;
            libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd);
            libc::sendmsg(socket, message, 0)
        }
    })
}

fn receive_fd(socket: RawFd) -> io::Result<OwnedFd> {
    let mut control = Control([0; 24]);
    let mut fd = None;
    with_message(&mut control, |message| {
        // SAFETY: recvmsg writes into the message's buffers, all alive; a first header that it leaves is within the
        // control buffer, and after one of SCM_RIGHTS there is a descriptor.
        unsafe {
            let result = libc::recvmsg(socket, message, libc::MSG_CMSG_CLOEXEC);
            let header = libc::CMSG_FIRSTHDR(message);
            if result > 0 && !header.is_null() && (*header).cmsg_type == libc::SCM_RIGHTS {
                fd = Some(libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned());
            }
            result
        }
    })?;
    let fd = fd.ok_or_else(|| io::Error::other("no descriptor came"))?;
    // SAFETY: the kernel just opened it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
