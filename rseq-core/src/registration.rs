//! Registering, adopting and releasing this thread's area.

use crate::abi::{self, Rseq};
use crate::area::{Area, OWN_SIZE, OwnArea, ThreadArea, read};
use crate::libc_area::{Owner, Symbols};
use crate::sys::{self, CallError, Errno};
use crate::token::Token;
use crate::{KernelRseq, arch};
use core::fmt;
use core::marker::PhantomData;
use core::mem::offset_of;
use core::ptr::NonNull;

/// How much of the area to register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// All that the kernel has: [`KernelRseq::registration_len`]. Longer than 32 bytes, that is "V2" on Linux 7.1 and later
    /// (and 7.0 stable): IDs are updated only when they change, and writing one from user space kills the task.
    Extended,
    /// The original 32 bytes, with the behaviour of before.
    Legacy,
}

/// Why this thread's area is not registered by this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterError {
    /// ENOSYS, and the auxiliary vector says nothing of rseq: a kernel without it (before Linux 4.18, or no `CONFIG_RSEQ`).
    NoSyscall,
    /// A seccomp filter refuses the call: EPERM, or ENOSYS although the auxiliary vector tells of rseq.
    Blocked(Errno),
    /// The thread is registered, by another owner: None is one that defines no `__rseq_offset`.
    OtherOwner(Option<Owner>),
    /// The thread is registered at this area, with another signature than this architecture's.
    SignatureDiffers,
    /// The area's address is not a multiple of this many bytes.
    Misaligned(u32),
    /// The kernel takes no registration of this many bytes.
    LengthRefused(u32),
    /// The kernel cannot write the area (EFAULT).
    Fault,
    /// Nobody registered this thread, so there is nothing to adopt.
    NothingToAdopt,
    /// An error that `rseq(2)` does not document.
    Other(Errno),
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSyscall => write!(f, "this kernel has no rseq"),
            Self::Blocked(errno) => write!(f, "rseq is blocked, as by seccomp: {errno}"),
            Self::OtherOwner(owner) => {
                let who = match owner {
                    Some(Owner::Libc) => "the libc",
                    Some(Owner::Runtime) => "the runtime",
                    Some(Owner::Own) => "this program",
                    None => "somebody else",
                };
                write!(f, "{who} has registered this thread for rseq")
            }
            Self::SignatureDiffers => write!(f, "this thread is registered for rseq with another signature"),
            Self::Misaligned(align) => write!(f, "the rseq area is not aligned to {align} bytes"),
            Self::LengthRefused(len) => write!(f, "the kernel refuses an rseq area of {len} bytes"),
            Self::Fault => write!(f, "the kernel cannot write the rseq area"),
            Self::NothingToAdopt => write!(f, "neither a libc nor a runtime has registered this thread for rseq"),
            Self::Other(errno) => write!(f, "rseq failed: {errno}"),
        }
    }
}

impl core::error::Error for RegisterError {}

/// Why a registration could not be released. The thread may still be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The kernel knows no such registration of this thread (EINVAL): somebody else released it, or the thread is a clone.
    NotRegistered,
    /// The registration has another signature (EPERM), or a seccomp filter came since.
    Refused,
    /// Another error, such as ENOSYS from a filter that came since.
    Other(Errno),
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRegistered => write!(f, "this thread's rseq registration was gone"),
            Self::Refused => write!(f, "the kernel refuses to release this thread's rseq registration"),
            Self::Other(errno) => write!(f, "releasing the rseq registration failed: {errno}"),
        }
    }
}

impl core::error::Error for ReleaseError {}

/// This thread's registration for rseq. It lends [`Token`]s, stays in its thread, and is released when dropped.
#[derive(Debug)]
pub struct Registration<A: Area> {
    area: A,
    len: u32,
    owner: Owner,
    thread: PhantomData<*mut ()>,
}

impl Registration<OwnArea> {
    /// Registers this thread's own area, unless somebody has registered the thread.
    ///
    /// # Errors
    ///
    /// [`RegisterError`]. Where the libc or the runtime owns the registration, no system call is made.
    ///
    /// # Safety
    ///
    /// The registration is dropped or released before the thread's memory goes: it is not leaked in a thread that ends
    /// before the process does. The thread is not the child of `vfork`, or of another clone that shares this thread pointer
    /// with a running parent.
    pub unsafe fn own(kernel: KernelRseq, mode: Mode) -> Result<Self, RegisterError> {
        nobody_registers()?;
        // SAFETY: the caller's contract.
        unsafe { Self::register_own(kernel, mode, Owner::Own) }
    }

    /// Registers this thread's own area for a runtime: one that defines `__rseq_offset`, `__rseq_size`, `__rseq_flags` with
    /// glibc's meaning and a u32 `__rseq_core_runtime` of 1, and registers every thread.
    ///
    /// # Errors
    ///
    /// [`RegisterError`].
    ///
    /// # Safety
    ///
    /// As [`own`](Self::own).
    pub unsafe fn runtime(kernel: KernelRseq, mode: Mode) -> Result<Self, RegisterError> {
        // SAFETY: the caller's contract.
        unsafe { Self::register_own(kernel, mode, Owner::Runtime) }
    }

    unsafe fn register_own(kernel: KernelRseq, mode: Mode, owner: Owner) -> Result<Self, RegisterError> {
        if Token::of_registered(OwnArea).is_some() {
            return Err(RegisterError::OtherOwner(Some(Owner::Own)));
        }
        let len = Request::new(kernel, mode).fitting(OwnArea.pointer(), OWN_SIZE)?;
        // Before the registration: from then on a signal handler may find the thread registered.
        OwnArea.set_active_size(kernel.active_size().min(len));
        // SAFETY: the own area is static TLS of OWN_SIZE >= len bytes; it outlives the registration by the caller's contract.
        unsafe { register(OwnArea.pointer(), len, kernel) }?;
        Ok(Self { area: OwnArea, len, owner, thread: PhantomData })
    }
}

impl Registration<ThreadArea> {
    /// Adopts the registration that the libc or the runtime made for this thread.
    ///
    /// # Errors
    ///
    /// [`RegisterError::NothingToAdopt`] where they did not, as under musl, with `glibc.pthread.rseq=0`, or on a kernel
    /// without rseq.
    pub fn adopt(kernel: KernelRseq) -> Result<Self, RegisterError> {
        let (area, owner) = adoptable(kernel).ok_or(RegisterError::NothingToAdopt)?;
        Ok(Self { area, len: 0, owner, thread: PhantomData })
    }

    /// Registers an area that the caller gives, of `size` bytes.
    ///
    /// # Errors
    ///
    /// [`RegisterError`]; [`RegisterError::LengthRefused`] where `size` is below 32.
    ///
    /// # Safety
    ///
    /// As [`own`](Registration::own), and `area` is `size` bytes of this thread's memory until then.
    pub unsafe fn at(area: NonNull<Rseq>, size: usize, kernel: KernelRseq, mode: Mode) -> Result<Self, RegisterError> {
        nobody_registers()?;
        let len = Request::new(kernel, mode).fitting(area, size)?;
        // SAFETY: `area` is `size` >= 32 bytes of this thread's memory and aligned to 32, by the contract and `fitting`.
        unsafe { reset(area) };
        // SAFETY: as above, and the memory outlives the registration by the caller's contract.
        unsafe { register(area, len, kernel) }?;
        let area = ThreadArea::new(area, kernel.active_size().min(len));
        Ok(Self { area, len, owner: Owner::Own, thread: PhantomData })
    }
}

impl ThreadArea {
    /// A token, if the libc or the runtime has registered this thread and it is registered at this moment.
    #[inline]
    pub fn current(kernel: KernelRseq) -> Option<Token<'static, Self>> {
        adoptable(kernel).map(|(area, _)| Token::new(area))
    }
}

impl<A: Area> Registration<A> {
    /// Proof that this thread is registered.
    #[inline]
    pub fn token(&self) -> Token<'_, A> {
        Token::new(self.area)
    }

    /// Who made the registration.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Bytes registered; None for an adopted registration, whose owner alone knows.
    pub fn registered_len(&self) -> Option<u32> {
        self.is_ours().then_some(self.len)
    }

    /// Whether this object made the registration, and so releases it.
    fn is_ours(&self) -> bool {
        self.len != 0
    }

    /// Releases the registration; an adopted one stays its owner's.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`].
    pub fn release(self) -> Result<(), ReleaseError> {
        let this = core::mem::ManuallyDrop::new(self);
        this.unregister()
    }

    fn unregister(&self) -> Result<(), ReleaseError> {
        if !self.is_ours() {
            return Ok(());
        }
        // SAFETY: this object made the registration of these very bytes.
        unsafe { unregister(self.area.pointer(), self.len) }
    }
}

impl<A: Area> Drop for Registration<A> {
    /// Releases the registration; an error is ignored, as [`release`](Self::release) would have told it.
    fn drop(&mut self) {
        let _ = self.unregister();
    }
}

/// An error where the libc or the runtime registers threads.
fn nobody_registers() -> Result<(), RegisterError> {
    match Symbols::find() {
        Some(symbols) if symbols.registers() => Err(RegisterError::OtherOwner(Some(symbols.owner))),
        _ => Ok(()),
    }
}

/// The libc's or the runtime's registration of this thread.
fn adoptable(kernel: KernelRseq) -> Option<(ThreadArea, Owner)> {
    let symbols = Symbols::find().filter(|symbols| symbols.registers())?;
    let area = ThreadArea::new(symbols.area(), symbols.active_size(kernel));
    Token::of_registered(area).map(|_| (area, symbols.owner))
}

/// A length and the alignment it takes.
struct Request {
    len: u32,
    align: u32,
}

impl Request {
    const LEGACY: Self = Self { len: abi::ORIGINAL_SIZE, align: abi::ORIGINAL_ALIGN };

    fn new(kernel: KernelRseq, mode: Mode) -> Self {
        match mode {
            Mode::Legacy => Self::LEGACY,
            Mode::Extended => Self { len: kernel.registration_len(), align: kernel.registration_align() },
        }
    }

    /// The length to register at `area` of `size` bytes: 32 where the memory is too short or too little aligned for more.
    fn fitting(self, area: NonNull<Rseq>, size: usize) -> Result<u32, RegisterError> {
        [self, Self::LEGACY]
            .into_iter()
            .find(|wanted| wanted.len as usize <= size && area.addr().get().is_multiple_of(wanted.align as usize))
            .map(|wanted| wanted.len)
            .ok_or(if size < abi::ORIGINAL_SIZE as usize {
                RegisterError::LengthRefused(size as u32)
            } else {
                RegisterError::Misaligned(abi::ORIGINAL_ALIGN)
            })
    }
}

/// Registers `len` bytes at `area`, and reads the refusal.
///
/// # Safety
///
/// `len` bytes at `area` are this thread's memory until the registration is released.
unsafe fn register(area: NonNull<Rseq>, len: u32, kernel: KernelRseq) -> Result<(), RegisterError> {
    // SAFETY: the caller's contract is the call's.
    let Err(error) = (unsafe { sys::rseq(area.as_ptr(), len, 0, arch::SIGNATURE) }) else { return Ok(()) };
    Err(match error {
        CallError::NoSyscall if kernel.speaks() => RegisterError::Blocked(Errno::ENOSYS),
        CallError::NoSyscall => RegisterError::NoSyscall,
        CallError::Permission if is_registered(area) => RegisterError::SignatureDiffers,
        CallError::Permission => RegisterError::Blocked(Errno::EPERM),
        CallError::Busy => RegisterError::OtherOwner(Some(Owner::Own)),
        // SAFETY: the caller's contract, for no more bytes than `len`.
        CallError::Invalid => unsafe { read_invalid(area, len) },
        CallError::Fault => RegisterError::Fault,
        CallError::Other(errno) => RegisterError::Other(errno),
    })
}

/// What an EINVAL means: a thread that is registered refuses every length, one that is not takes 32 bytes.
///
/// # Safety
///
/// As [`register`], with 32 bytes.
unsafe fn read_invalid(area: NonNull<Rseq>, len: u32) -> RegisterError {
    if len == abi::ORIGINAL_SIZE {
        return RegisterError::OtherOwner(None);
    }
    // SAFETY: 32 bytes at `area` are this thread's memory by the contract, and the registration is released at once.
    match unsafe { sys::rseq(area.as_ptr(), abi::ORIGINAL_SIZE, 0, arch::SIGNATURE) } {
        Ok(()) => {
            // SAFETY: made on the line above.
            let _ = unsafe { unregister(area, abi::ORIGINAL_SIZE) };
            RegisterError::LengthRefused(len)
        }
        Err(_) => RegisterError::OtherOwner(None),
    }
}

fn is_registered(area: NonNull<Rseq>) -> bool {
    let cpu_id = read(ThreadArea::new(area, 0), offset_of!(Rseq, cpu_id));
    cpu_id < abi::CPU_ID_REGISTRATION_FAILED
}

/// Unregisters, and gives the area back its initial state before any signal handler can look at it: the kernel leaves a
/// concurrency ID of 0 behind, which a section would take for a slot.
///
/// # Safety
///
/// `len` bytes at `area` are what this thread registered.
unsafe fn unregister(area: NonNull<Rseq>, len: u32) -> Result<(), ReleaseError> {
    sys::with_signals_blocked(|| {
        // SAFETY: releases the registration that the contract names; no memory is given away.
        let result = unsafe { sys::rseq(area.as_ptr(), len, abi::FLAG_UNREGISTER, arch::SIGNATURE) };
        if result.is_ok() {
            // SAFETY: at least 32 bytes of this thread's memory, which the kernel no longer writes.
            unsafe { reset(area) };
        }
        result
    })
    .map_err(|error| match error {
        CallError::Invalid => ReleaseError::NotRegistered,
        CallError::Permission => ReleaseError::Refused,
        other => ReleaseError::Other(other.errno()),
    })
}

/// The state of an area that nobody maintains: no CPU, no concurrency ID, no section.
///
/// # Safety
///
/// `area` is 32 bytes of this thread's memory that the kernel does not maintain.
unsafe fn reset(area: NonNull<Rseq>) {
    let area = area.as_ptr();
    // SAFETY: the fields are among the first 32 bytes, nobody else writes them, and signal handlers of this thread read
    // them with volatile accesses only.
    unsafe {
        (&raw mut (*area).cpu_id).write_volatile(abi::CPU_ID_UNINITIALIZED);
        (&raw mut (*area).mm_cid).write_volatile(abi::CPU_ID_UNINITIALIZED);
        (&raw mut (*area).cpu_id_start).write_volatile(0);
        (&raw mut (*area).rseq_cs).write_volatile(0);
        (&raw mut (*area).flags).write_volatile(0);
    }
}
