//! Processes: identity, children, the end.

use core::ffi::CStr;

use linux_raw_sys::general as raw;
use rseq_core::sys::Errno;

pub use super::identity::{context_switches, id, thread_id};
use super::{Harmless, call, harmless, time};

/// Ends the process.
pub fn exit(code: u8) -> ! {
    loop {
        let _ = harmless(Harmless::ExitGroup, [code as usize]);
    }
}

/// Puts the calling thread under `SCHED_FIFO` with this priority, from 1 to 99: it preempts all threads of ordinary
/// policies.
///
/// # Errors
///
/// EPERM without CAP_SYS_NICE or a limit that allows it.
pub fn run_first_in_first_out(priority: i32) -> Result<(), Errno> {
    // SAFETY: the kernel reads one sched_param, which is an int.
    unsafe { call(raw::__NR_sched_setscheduler, [0, raw::SCHED_FIFO as usize, &raw const priority as usize]) }
        .map(|_| ())
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this code.
    Exited(u8),
    /// This signal killed it.
    Killed(u32),
    /// It is only stopped, by this signal.
    Stopped(u32),
}

impl Ending {
    fn from_status(status: u32) -> Self {
        match (status & 0x7f, status >> 8 & 0xff) {
            (0, code) => Self::Exited(code as u8),
            (0x7f, signal) => Self::Stopped(signal),
            (signal, _) => Self::Killed(signal),
        }
    }
}

impl core::fmt::Display for Ending {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Killed(raw::SIGSEGV) => f.write_str("SIGSEGV"),
            Self::Killed(raw::SIGSYS) => f.write_str("SIGSYS"),
            Self::Killed(raw::SIGKILL) => f.write_str("SIGKILL (timeout)"),
            Self::Killed(signal) => write!(f, "signal {signal}"),
            Self::Stopped(signal) => write!(f, "stopped by signal {signal}"),
        }
    }
}

/// A child process that is killed and reaped if it is dropped before its end.
pub struct Child {
    /// The child's process number.
    pub pid: u32,
    reaped: bool,
}

impl Child {
    /// Forks; the child runs `body` and exits with the code it returns.
    pub fn fork(body: &mut dyn FnMut() -> u8) -> Result<Self, Errno> {
        // SAFETY: the child has its own copy of all memory and continues on its copy of this stack. It runs `body` and
        // exits without returning into the parent's callers.
        let pid = unsafe { call(raw::__NR_clone, fork_args(0)) }?;
        if pid == 0 {
            exit(body());
        }
        Ok(Self { pid: pid as u32, reaped: false })
    }

    /// Waits for the child's next stop or its end.
    pub fn wait(&mut self) -> Result<Ending, Errno> {
        loop {
            match self.wait_with(raw::__WALL | raw::WUNTRACED) {
                Ok(Some(ending)) => return Ok(ending),
                Ok(None) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Waits for the child's end. After `nanoseconds` it is killed, and the result is [`Ending::Killed`] with SIGKILL.
    pub fn wait_for(&mut self, nanoseconds: u64) -> Result<Ending, Errno> {
        let deadline = time::Deadline::after(nanoseconds);
        let mut pause = 50 * time::MICROSECOND;
        loop {
            match self.wait_with(raw::__WALL | raw::WNOHANG) {
                Ok(Some(ending)) => return Ok(ending),
                Ok(None) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
            if deadline.is_past() {
                self.kill(raw::SIGKILL)?;
                return self.wait();
            }
            time::sleep(pause);
            pause = (2 * pause).min(10 * time::MILLISECOND);
        }
    }

    /// Sends `signal` to the child.
    pub fn kill(&self, signal: u32) -> Result<(), Errno> {
        harmless(Harmless::Kill, [self.pid as usize, signal as usize]).map(|_| ())
    }

    fn wait_with(&mut self, options: u32) -> Result<Option<Ending>, Errno> {
        let mut status = 0u32;
        let args = [self.pid as usize, &raw mut status as usize, options as usize, 0];
        // SAFETY: the kernel writes one int at `status` and is given no rusage.
        let pid = unsafe { call(raw::__NR_wait4, args) }?;
        if pid == 0 {
            return Ok(None);
        }
        let ending = Ending::from_status(status);
        self.reaped = !matches!(ending, Ending::Stopped(_));
        Ok(Some(ending))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = self.kill(raw::SIGKILL);
            while !self.reaped && self.wait().is_ok() {}
        }
    }
}

/// Waits for the next stop, or the end, of the traced thread `tid`.
pub fn wait_thread(tid: u32) -> Result<Ending, Errno> {
    let mut thread = core::mem::ManuallyDrop::new(Child { pid: tid, reaped: false });
    thread.wait()
}

/// Runs `body` in a forked child and waits at most `nanoseconds` for its end.
pub fn in_child(nanoseconds: u64, body: &mut dyn FnMut() -> u8) -> Result<Ending, Errno> {
    Child::fork(body)?.wait_for(nanoseconds)
}

/// Replaces the program of this process; returns only if that failed. The lists end with a null pointer.
pub fn execute(path: &CStr, arguments: &[*const u8], environment: &[*const u8]) -> Errno {
    let ended = |list: &[*const u8]| list.last().is_some_and(|last| last.is_null());
    if !ended(arguments) || !ended(environment) {
        return Errno::EINVAL;
    }
    let args = [path.as_ptr() as usize, arguments.as_ptr() as usize, environment.as_ptr() as usize];
    // SAFETY: the path is NUL-terminated and both lists end with a null pointer, as just checked; their strings are
    // NUL-terminated by the type's users, who take them from C strings.
    match unsafe { call(raw::__NR_execve, args) } {
        Ok(_) => Errno::EINVAL,
        Err(errno) => errno,
    }
}

/// The arguments of `clone(2)` without a new stack. Container profiles and emulators support it, unlike `clone3`.
pub fn fork_args(flags: u32) -> [usize; 5] {
    let flags = (flags | raw::SIGCHLD) as usize;
    // s390x takes the stack first.
    if cfg!(target_arch = "s390x") { [0, flags, 0, 0, 0] } else { [flags, 0, 0, 0, 0] }
}

/// The kernel's release and this machine's name, as `uname` has them.
pub fn kernel_name() -> Option<KernelName> {
    // SAFETY: all-zero is valid for arrays of bytes.
    let mut name: linux_raw_sys::system::new_utsname = unsafe { core::mem::zeroed() };
    // SAFETY: the kernel writes one new_utsname at `name`.
    unsafe { call(raw::__NR_uname, [&raw mut name as usize]) }.ok()?;
    Some(KernelName(name))
}

/// What `uname` returned.
pub struct KernelName(linux_raw_sys::system::new_utsname);

impl KernelName {
    /// Such as `6.18.44`.
    pub fn release(&self) -> &str {
        text(&self.0.release)
    }

    /// Such as `x86_64`.
    pub fn machine(&self) -> &str {
        text(&self.0.machine)
    }
}

fn text(field: &[core::ffi::c_char; 65]) -> &str {
    // SAFETY: `c_char` and `u8` have the same size and validity.
    let bytes = unsafe { core::slice::from_raw_parts(field.as_ptr().cast::<u8>(), field.len()) };
    CStr::from_bytes_until_nul(bytes).ok().and_then(|name| name.to_str().ok()).unwrap_or("?")
}
