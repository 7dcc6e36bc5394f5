//! The system calls of this runtime, typed.

use core::ffi::CStr;
use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;
use core::time::Duration;
use linux_raw_sys::general as nr;
use linux_raw_sys::prctl::{PR_GET_NAME, PR_SET_NAME};
use rseq_core::sys::{Errno, SIGSET_BYTES, SignalAction, syscall};

#[cfg(target_pointer_width = "64")]
const NR_PPOLL: u32 = nr::__NR_ppoll;
#[cfg(target_pointer_width = "32")]
const NR_PPOLL: u32 = nr::__NR_ppoll_time64;

#[cfg(target_pointer_width = "64")]
const NR_SLEEP: u32 = nr::__NR_clock_nanosleep;
#[cfg(target_pointer_width = "32")]
const NR_SLEEP: u32 = nr::__NR_clock_nanosleep_time64;

#[cfg(not(target_arch = "riscv32"))]
const NR_FUTEX: u32 = nr::__NR_futex;
#[cfg(target_arch = "riscv32")]
const NR_FUTEX: u32 = nr::__NR_futex_time64;

#[cfg(not(target_arch = "riscv32"))]
const NR_FCNTL: u32 = nr::__NR_fcntl;
#[cfg(target_arch = "riscv32")]
const NR_FCNTL: u32 = nr::__NR_fcntl64;

/// Offsets of `mmap2` count 4096-byte units; all of ours are 0.
#[cfg(target_pointer_width = "64")]
const NR_MMAP: u32 = nr::__NR_mmap;
#[cfg(target_pointer_width = "32")]
const NR_MMAP: u32 = nr::__NR_mmap2;

/// `write(2)`; returns the bytes written.
pub fn write(fd: i32, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel reads the `bytes.len()` bytes of a live slice.
    unsafe { syscall(nr::__NR_write, [fd as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0]) }
}

/// Waits until `fd` takes bytes, or has an error to report.
pub fn wait_writable(fd: i32) -> Result<(), Errno> {
    let mut poll = nr::pollfd { fd, events: nr::POLLOUT as i16, revents: 0 };
    // SAFETY: the kernel reads and writes one pollfd; no timeout, no signal set.
    match unsafe { syscall(NR_PPOLL, [&raw mut poll as usize, 1, 0, 0, 0, 0]) } {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// The flags of a descriptor; EBADF if it is closed.
pub fn descriptor_flags(descriptor: i32) -> Result<usize, Errno> {
    // SAFETY: the call takes numbers and changes nothing.
    unsafe { syscall(NR_FCNTL, [descriptor as usize, nr::F_GETFD as usize, 0, 0, 0, 0]) }
}

/// Opens `/dev/null` for reading and writing.
pub fn open_null() -> Result<usize, Errno> {
    open(c"/dev/null", nr::O_RDWR)
}

/// Opens the root directory as a place only: neither to read nor to write.
pub fn open_root() -> Result<usize, Errno> {
    open(c"/", nr::O_PATH)
}

fn open(path: &CStr, flags: u32) -> Result<usize, Errno> {
    let args = [nr::AT_FDCWD as usize, path.as_ptr() as usize, flags as usize, 0, 0, 0];
    // SAFETY: the path is a C string that lives across the call.
    unsafe { syscall(nr::__NR_openat, args) }
}

/// Ends the process.
pub fn exit_group(code: u8) -> ! {
    loop {
        // SAFETY: the call takes a number and does not return.
        let _ = unsafe { syscall(nr::__NR_exit_group, [code.into(), 0, 0, 0, 0, 0]) };
    }
}

/// Ends this thread; the kernel clears and wakes its child-tid word.
pub fn exit_thread() -> ! {
    loop {
        // SAFETY: the call takes a number and does not return. Nothing on this stack is used afterwards.
        let _ = unsafe { syscall(nr::__NR_exit, [0; 6]) };
    }
}

/// Fresh, zeroed, private memory: `len` bytes, page-aligned, readable and writable.
pub fn map(len: usize, flags: u32) -> Result<NonNull<u8>, Errno> {
    let protection = nr::PROT_READ | nr::PROT_WRITE;
    let flags = nr::MAP_PRIVATE | nr::MAP_ANONYMOUS | flags;
    let args = [0, len, protection as usize, flags as usize, usize::MAX, 0];
    // s390x alone has the arguments in memory.
    let args = if cfg!(target_arch = "s390x") { [args.as_ptr() as usize, 0, 0, 0, 0, 0] } else { args };
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no existing memory.
    let address = unsafe { syscall(NR_MMAP, args) }?;
    NonNull::new(address as *mut u8).ok_or(Errno::ENOMEM)
}

/// Sets the protection (`PROT_*`) of `len` bytes.
///
/// # Safety
///
/// The pages belong to the caller, and are no longer accessed in a way that `protection` does not allow.
pub unsafe fn protect(address: NonNull<u8>, len: usize, protection: u32) -> Result<(), Errno> {
    // SAFETY: the caller guarantees that the change affects no access.
    unsafe { syscall(nr::__NR_mprotect, [address.as_ptr() as usize, len, protection as usize, 0, 0, 0]) }.map(drop)
}

/// Unmaps `len` bytes.
///
/// # Safety
///
/// The pages belong to the caller, and are no longer accessed.
pub unsafe fn unmap(address: NonNull<u8>, len: usize) {
    // SAFETY: the caller guarantees that the pages are not accessed. The call fails only for an invalid range.
    let _ = unsafe { syscall(nr::__NR_munmap, [address.as_ptr() as usize, len, 0, 0, 0, 0]) };
}

/// Who waits for a futex, and so which kind of key the kernel looks it up by.
#[derive(Clone, Copy)]
pub enum FutexKey {
    /// Only threads of this process, woken by threads of this process.
    Private = nr::FUTEX_PRIVATE_FLAG as isize,
    /// A word that the kernel itself wakes, at the end of a thread.
    Shared = 0,
}

/// Sleeps while `word` is `expected`; may return early.
pub fn futex_wait(word: &AtomicU32, expected: u32, key: FutexKey) {
    let operation = nr::FUTEX_WAIT as usize | key as usize;
    // SAFETY: the kernel reads one live word; without a timeout. Every error means that the caller looks again.
    let _ = unsafe { syscall(NR_FUTEX, [word.as_ptr() as usize, operation, expected as usize, 0, 0, 0]) };
}

/// Wakes one thread that waits, with the private key, for the word at `address`. The word itself is not touched, so its
/// memory may already be gone.
pub fn futex_wake_one(address: *const AtomicU32) {
    let operation = nr::FUTEX_WAKE as usize | FutexKey::Private as usize;
    // SAFETY: a private wake uses the address as a key and reads no memory.
    let _ = unsafe { syscall(NR_FUTEX, [address as usize, operation, 1, 0, 0, 0]) };
}

/// Wakes all threads that wait with this key for the word at `address`, which is not touched.
#[cfg(feature = "hosted")]
pub fn futex_wake_all_by(address: *const u32, key: FutexKey) {
    let operation = nr::FUTEX_WAKE as usize | key as usize;
    // SAFETY: the kernel uses the address as a key, and fails where nothing is mapped.
    let _ = unsafe { syscall(NR_FUTEX, [address as usize, operation, i32::MAX as usize, 0, 0, 0]) };
}

/// As [`futex_wait`] with a private key, for at most `timeout`. Returns whether that has passed.
pub fn futex_wait_timeout(word: &AtomicU32, expected: u32, timeout: Duration) -> bool {
    /// Half of the kernel's timespec for this call number.
    #[cfg(not(target_arch = "riscv32"))]
    type Word = isize;
    #[cfg(target_arch = "riscv32")]
    type Word = i64;
    let seconds = Word::try_from(timeout.as_secs()).unwrap_or(Word::MAX);
    let timeout = [seconds, timeout.subsec_nanos() as Word];
    let operation = nr::FUTEX_WAIT as usize | FutexKey::Private as usize;
    let args = [word.as_ptr() as usize, operation, expected as usize, timeout.as_ptr() as usize, 0, 0];
    // SAFETY: the kernel reads one live word and one timespec.
    let result = unsafe { syscall(NR_FUTEX, args) };
    result == Err(Errno::ETIMEDOUT)
}

/// Wakes all threads that wait, with the private key, for the word at `address`, which is not touched.
pub fn futex_wake_all(address: *const AtomicU32) {
    let operation = nr::FUTEX_WAKE as usize | FutexKey::Private as usize;
    // SAFETY: a private wake uses the address as a key and reads no memory.
    let _ = unsafe { syscall(NR_FUTEX, [address as usize, operation, i32::MAX as usize, 0, 0, 0]) };
}

/// `sched_yield(2)`.
pub fn yield_now() {
    // SAFETY: the call takes no argument and touches no memory.
    let _ = unsafe { syscall(nr::__NR_sched_yield, [0; 6]) };
}

/// Sleeps for `time` ([seconds, nanoseconds]) on the monotonic clock; on EINTR, `time` becomes what is left.
pub fn sleep(time: &mut [i64; 2]) -> Result<(), Errno> {
    let address = time.as_mut_ptr() as usize;
    // SAFETY: two 64-bit words are the kernel's timespec for this call number, which it reads and writes.
    unsafe { syscall(NR_SLEEP, [nr::CLOCK_MONOTONIC as usize, 0, address, address, 0, 0]) }.map(drop)
}

/// This thread's number.
pub fn gettid() -> u32 {
    // SAFETY: the call takes no argument and touches no memory.
    unsafe { syscall(nr::__NR_gettid, [0; 6]) }.unwrap_or(0) as u32
}

/// Makes the kernel forget the word that it would clear at the end of this thread. Where a filter refuses the call, the
/// kernel still clears it.
pub fn forget_child_tid() -> Result<(), Errno> {
    // SAFETY: a null pointer is documented as "none".
    unsafe { syscall(nr::__NR_set_tid_address, [0; 6]) }.map(drop)
}

/// Blocks every signal in this thread.
pub fn block_signals() {
    let all = [u8::MAX; SIGSET_BYTES];
    let args = [nr::SIG_BLOCK as usize, all.as_ptr() as usize, 0, SIGSET_BYTES, 0, 0];
    // SAFETY: the kernel reads `SIGSET_BYTES` bytes of a live array.
    let _ = unsafe { syscall(nr::__NR_rt_sigprocmask, args) };
}

/// What the kernel passes to a handler (`siginfo_t`), up to the address of a fault.
#[repr(C)]
pub struct SignalInfo {
    signal: i32,
    #[cfg(not(any(target_arch = "mips64", target_arch = "mips64r6")))]
    errno: i32,
    code: i32,
    #[cfg(any(target_arch = "mips64", target_arch = "mips64r6"))]
    errno: i32,
    address: usize,
}

impl SignalInfo {
    /// Whether nothing is mapped at the address of a fault, as below the main thread's stack.
    pub fn is_unmapped(&self) -> bool {
        /// `<asm-generic/siginfo.h>`.
        const SEGV_MAPERR: i32 = 1;
        self.code == SEGV_MAPERR
    }

    /// The address at which an access has failed; `None` for a signal that was sent, or without an address.
    pub fn fault_address(&self) -> Option<usize> {
        /// `<asm-generic/siginfo.h>`: sent by the kernel.
        const SI_KERNEL: i32 = 0x80;
        (self.code > 0 && self.code != SI_KERNEL).then_some(self.address)
    }
}

/// A handler of SIGSEGV.
pub type FaultHandler = extern "C" fn(i32, *const SignalInfo, *mut u8);

/// Sets what SIGSEGV does, once and on the alternate stack. EBUSY if something else than its default action was set.
///
/// # Safety
///
/// `restorer` is the address of the code that a handler returns to, or 0 where the kernel provides it.
pub unsafe fn set_fault_handler(handler: FaultHandler, restorer: usize) -> Result<(), Errno> {
    let flags = nr::SA_SIGINFO | nr::SA_ONSTACK | nr::SA_RESETHAND;
    let new = SignalAction::new(handler as usize, flags, restorer);
    let mut old = SignalAction::new(0, 0, 0);
    let set = |new: *const SignalAction, old: *mut SignalAction| {
        // SAFETY: the kernel reads and writes one sigaction each, or none where the pointer is null. The handler is a
        // function of this program, and returns to what the caller's contract says.
        unsafe {
            syscall(nr::__NR_rt_sigaction, [nr::SIGSEGV as usize, new as usize, old as usize, SIGSET_BYTES, 0, 0])
        }
    };
    set(&new, &mut old)?;
    if old.handler() != 0 {
        set(&old, core::ptr::null_mut())?;
        return Err(Errno::EBUSY);
    }
    Ok(())
}

/// Has signal handlers that ask for it (`SA_ONSTACK`) run on other memory than the calling thread's stack.
///
/// # Errors
///
/// Those of `sigaltstack(2)`.
///
/// # Safety
///
/// The `len` bytes are the calling thread's alone for as long as it runs handlers.
pub unsafe fn set_alternate_stack(start: NonNull<u8>, len: usize) -> Result<(), Errno> {
    let stack = nr::stack_t { ss_sp: start.as_ptr().cast(), ss_flags: 0, ss_size: len as _ };
    // SAFETY: the kernel reads one stack_t; the caller answers for the memory.
    unsafe { syscall(nr::__NR_sigaltstack, [&raw const stack as usize, 0, 0, 0, 0, 0]) }.map(drop)
}

/// Sends `signal` to the calling thread.
pub fn signal_self(signal: u32) -> Result<(), Errno> {
    // SAFETY: the calls take numbers and touch no memory.
    unsafe {
        let process = syscall(nr::__NR_getpid, [0; 6])?;
        syscall(nr::__NR_tgkill, [process, gettid() as usize, signal as usize, 0, 0, 0]).map(drop)
    }
}

/// Reads the calling thread's name, with a NUL after it.
pub fn thread_name(name: &mut [u8; 16]) -> Result<(), Errno> {
    let args = [PR_GET_NAME as usize, name.as_mut_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: the kernel writes 16 bytes (`TASK_COMM_LEN`).
    unsafe { syscall(nr::__NR_prctl, args) }.map(drop)
}

/// Sets the calling thread's name, up to a NUL.
pub fn set_thread_name(name: &[u8; 16]) -> Result<(), Errno> {
    let args = [PR_SET_NAME as usize, name.as_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: the kernel reads at most 16 bytes (`TASK_COMM_LEN`).
    unsafe { syscall(nr::__NR_prctl, args) }.map(drop)
}

/// Sets the soft limit of the stack's size in bytes, and returns the limits (soft, hard) from before.
pub fn stack_limit(new: Option<[u64; 2]>) -> Result<[u64; 2], Errno> {
    let mut old = [0_u64; 2];
    let new = new.as_ref().map_or(0, |limits| limits.as_ptr() as usize);
    let args = [0, nr::RLIMIT_STACK as usize, new, old.as_mut_ptr() as usize, 0, 0];
    // SAFETY: two 64-bit words are an rlimit64, which the kernel reads at `new` (or nowhere) and writes at `old`.
    unsafe { syscall(nr::__NR_prlimit64, args) }?;
    Ok(old)
}
