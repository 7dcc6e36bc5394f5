//! The calls, and what each is to return.

use core::fmt;

use rseq_core::sys::Errno;
use rseq_core::{KernelRseq, abi, arch};

/// The arguments of one call, relative to the row's area.
#[derive(Clone, Copy)]
pub struct Call {
    /// Bytes from the area's start; [`NULL`], [`UNMAPPED`] and [`KERNEL`] are addresses instead.
    pub at: usize,
    pub length: u32,
    pub flags: u32,
    pub signature: u32,
}

pub const NULL: usize = usize::MAX;
pub const UNMAPPED: usize = usize::MAX - 1;
pub const KERNEL: usize = usize::MAX - 2;

/// What a row expects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Success,
    Error(Errno),
    Death,
    /// The kernel itself fails, so it is not asked again.
    Oops,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("success"),
            Self::Error(errno) => errno.fmt(f),
            Self::Death => f.write_str("death by SIGSEGV"),
            Self::Oops => f.write_str("an oops of the kernel"),
        }
    }
}

/// What decides between the expectations, found out once.
pub struct Era {
    pub kernel: KernelRseq,
    /// Whether registering already writes the area (6.17 and stable kernels after it; before, returning to user space
    /// does).
    pub writes_at_once: bool,
    /// Whether the kernel oopses when it reads an area that is not mapped: 6.12.95 does on mips64 (malta), in
    /// `rseq_get_rseq_cs_ptr_val`, where KASLR has moved it.
    pub oopses: bool,
    /// Whether this is a 32-bit program on a 64-bit kernel, whose limit of addresses is that of 64-bit programs.
    pub is_compat: bool,
    /// Whether RSEQ_FLAG_SLICE_EXT_DEFAULT_ON is known (7.0).
    pub slice_flag: bool,
}

/// What a row's thread has done before the call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Before {
    Nothing,
    /// It has registered 32 bytes at the area's start.
    Registered,
    /// It has registered them and released them.
    Released,
}

pub struct Row {
    pub name: &'static str,
    pub before: Before,
    pub call: Call,
    pub expected: fn(&Era, &Call) -> Expected,
}

const SIG: u32 = arch::SIGNATURE;
pub const GOOD: Call = Call { at: 0, length: 32, flags: 0, signature: SIG };
pub const GONE: Call = Call { flags: abi::FLAG_UNREGISTER, ..GOOD };

const fn invalid(_: &Era, _: &Call) -> Expected {
    Expected::Error(Errno::EINVAL)
}

const fn denied(_: &Era, _: &Call) -> Expected {
    Expected::Error(Errno::EPERM)
}

const fn busy(_: &Era, _: &Call) -> Expected {
    Expected::Error(Errno::EBUSY)
}

const fn success(_: &Era, _: &Call) -> Expected {
    Expected::Success
}

/// A registration that nothing forbids but its length and its address.
fn by_size(era: &Era, call: &Call) -> Expected {
    let aligned = |align: u32| call.at.is_multiple_of(align as usize);
    let accepted = match call.length {
        abi::ORIGINAL_SIZE => aligned(abi::ORIGINAL_ALIGN),
        length if length > abi::ORIGINAL_SIZE => {
            era.kernel.has_feature_size()
                && length >= era.kernel.active_size()
                && aligned(era.kernel.registration_align())
        }
        _ => false,
    };
    if accepted { Expected::Success } else { Expected::Error(Errno::EINVAL) }
}

/// Memory that is not mapped: an error at once, or a signal on the way back to user space.
fn unmapped(era: &Era, _: &Call) -> Expected {
    match era {
        Era { oopses: true, .. } => Expected::Oops,
        Era { writes_at_once: true, .. } => Expected::Error(Errno::EFAULT),
        _ => Expected::Death,
    }
}

/// An address of a 32-bit or 64-bit kernel. To a 64-bit kernel, that of a 32-bit one is a user's, and not mapped.
fn kernel_address(era: &Era, call: &Call) -> Expected {
    if era.is_compat { unmapped(era, call) } else { Expected::Error(Errno::EFAULT) }
}

/// Address 0: a kernel that does not write it takes it for "no registration".
fn null(era: &Era, _: &Call) -> Expected {
    match era {
        Era { oopses: true, .. } => Expected::Oops,
        Era { writes_at_once: true, .. } => Expected::Error(Errno::EFAULT),
        _ => Expected::Success,
    }
}

fn slice_flag(era: &Era, _: &Call) -> Expected {
    if era.slice_flag { Expected::Success } else { Expected::Error(Errno::EINVAL) }
}

const fn row(name: &'static str, before: Before, call: Call, expected: fn(&Era, &Call) -> Expected) -> Row {
    Row { name, before, call, expected }
}

const fn length(length: u32) -> Call {
    Call { length, ..GOOD }
}

const fn at(at: usize) -> Call {
    Call { at, ..GOOD }
}

pub const ROWS: [Row; 40] = [
    row("register 32 bytes", Before::Nothing, GOOD, success),
    row("register 0 bytes", Before::Nothing, length(0), by_size),
    row("register 20 bytes", Before::Nothing, length(20), by_size),
    row("register 28 bytes", Before::Nothing, length(28), by_size),
    row("register 31 bytes", Before::Nothing, length(31), by_size),
    row("register 33 bytes", Before::Nothing, length(33), by_size),
    row("register 63 bytes", Before::Nothing, length(63), by_size),
    row("register 64 bytes", Before::Nothing, length(64), by_size),
    row("register 4096 bytes", Before::Nothing, length(4096), by_size),
    row("register at 4 bytes into the area", Before::Nothing, at(4), by_size),
    row("register at 16 bytes into the area", Before::Nothing, at(16), by_size),
    row("register at 32 bytes into the area", Before::Nothing, at(32), by_size),
    row("register 64 bytes, aligned to 32 only", Before::Nothing, Call { length: 64, ..at(32) }, by_size),
    row("register 64 bytes, aligned to 16 only", Before::Nothing, Call { length: 64, ..at(16) }, by_size),
    row("register at a kernel address", Before::Nothing, at(KERNEL), kernel_address),
    row("register unmapped memory", Before::Nothing, at(UNMAPPED), unmapped),
    row("register address 0", Before::Nothing, at(NULL), null),
    row("register with an unknown flag", Before::Nothing, Call { flags: 1 << 7, ..GOOD }, invalid),
    row("register with the highest flag", Before::Nothing, Call { flags: 1 << 31, ..GOOD }, invalid),
    row(
        "register with the time slice flag",
        Before::Nothing,
        Call { flags: abi::FLAG_SLICE_EXT_DEFAULT_ON, ..GOOD },
        slice_flag,
    ),
    row("register with signature 0", Before::Nothing, Call { signature: 0, ..GOOD }, success),
    row("unregister without a registration", Before::Nothing, GONE, invalid),
    row("unregister address 0 without a registration", Before::Nothing, Call { at: NULL, ..GONE }, invalid),
    row("register again", Before::Registered, GOOD, busy),
    row("register again, another address", Before::Registered, at(64), invalid),
    row("register again, a misaligned address", Before::Registered, at(4), invalid),
    row("register again, 64 bytes", Before::Registered, length(64), invalid),
    row("register again, 31 bytes", Before::Registered, length(31), invalid),
    row("register again, another signature", Before::Registered, Call { signature: !SIG, ..GOOD }, denied),
    row(
        "register again, another address and signature",
        Before::Registered,
        Call { signature: !SIG, ..at(64) },
        invalid,
    ),
    row("register again, an unknown flag", Before::Registered, Call { flags: 1 << 7, ..GOOD }, invalid),
    row("unregister", Before::Registered, GONE, success),
    row("unregister, another address", Before::Registered, Call { at: 64, ..GONE }, invalid),
    row("unregister, address 0", Before::Registered, Call { at: NULL, ..GONE }, invalid),
    row("unregister, 64 bytes", Before::Registered, Call { length: 64, ..GONE }, invalid),
    row("unregister, 31 bytes", Before::Registered, Call { length: 31, ..GONE }, invalid),
    row("unregister, another signature", Before::Registered, Call { signature: !SIG, ..GONE }, denied),
    row(
        "unregister with another flag too",
        Before::Registered,
        Call { flags: abi::FLAG_UNREGISTER | 1 << 7, ..GONE },
        invalid,
    ),
    row("unregister twice", Before::Released, GONE, invalid),
    row("register after unregistering", Before::Released, GOOD, success),
];
