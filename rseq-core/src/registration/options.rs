//! What to register, and what was left out.

use crate::abi;
use crate::kernel::KernelRseq;
use core::fmt;

/// How much of the area to register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// All that the kernel has: [`KernelRseq::registration_len`]. Longer than 32 bytes, that is "V2" on Linux 7.1 and
    /// later (and 7.0 stable): IDs are updated only when they change, and writing one from user space kills the task.
    Extended,
    /// The original 32 bytes, with the behaviour of older kernels.
    Legacy,
}

/// How to register: a [`Mode`] and further options. A `Mode` alone converts into it.
///
/// ```
/// use rseq_core::{Mode, OwnArea, Registration, Options};
///
/// let options = Options::new(Mode::Extended).slice_extension();
/// // SAFETY: the registration is a local of this thread, and released below before the thread ends.
/// match unsafe { Registration::<OwnArea>::own(options) } {
///     Ok(registration) => registration.release()?,
///     Err(error) => eprintln!("{error}"),
/// }
/// # Ok::<(), rseq_core::ReleaseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Options {
    pub(super) mode: Mode,
    pub(super) flags: u32,
    kernel: Option<KernelRseq>,
}

impl Options {
    /// The mode, no flags, and the kernel's facts as [`KernelRseq::read`] finds them.
    pub const fn new(mode: Mode) -> Self {
        Self { mode, flags: 0, kernel: None }
    }

    /// Enables the time slice extension in this thread at once
    /// ([`FLAG_SLICE_EXT_DEFAULT_ON`](abi::FLAG_SLICE_EXT_DEFAULT_ON), Linux 7.0): see
    /// [`SliceGuard`](crate::SliceGuard). An older kernel refuses the flag; the registration is then made without it,
    /// and [`Registration::fallback`](crate::Registration::fallback) is [`Fallback::SliceFlagRefused`].
    pub const fn slice_extension(self) -> Self {
        Self { flags: self.flags | abi::FLAG_SLICE_EXT_DEFAULT_ON, ..self }
    }

    /// Uses these facts instead of those that [`KernelRseq::read`] finds.
    pub const fn kernel(self, kernel: KernelRseq) -> Self {
        Self { kernel: Some(kernel), ..self }
    }

    pub(super) fn facts(self) -> KernelRseq {
        self.kernel.unwrap_or_else(KernelRseq::read)
    }
}

impl From<Mode> for Options {
    fn from(mode: Mode) -> Self {
        Self::new(mode)
    }
}

/// Why a registration has less than was requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fallback {
    /// The area is smaller than the registration that this kernel supports, both in bytes: 32 bytes are registered.
    TooSmall {
        /// [`KernelRseq::registration_len`].
        wanted: u32,
        /// The size of the area.
        size: usize,
    },
    /// The area's address is not a multiple of the [`KernelRseq::registration_align`] bytes named here: 32 bytes are
    /// registered.
    Misaligned(u32),
    /// The kernel refused a registration of this many bytes, though the auxiliary vector names them: 32 are registered.
    LengthRefused(u32),
    /// The kernel does not know the flag of [`Options::slice_extension`] (before Linux 7.0): the extension is not
    /// enabled.
    SliceFlagRefused,
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSmall { wanted, size } => {
                write!(f, "32 bytes are registered: the kernel wants {wanted}, the area has {size}")
            }
            Self::Misaligned(align) => {
                write!(f, "32 bytes are registered: the kernel wants an alignment of {align} bytes for more")
            }
            Self::LengthRefused(len) => write!(f, "32 bytes are registered: the kernel refuses {len}"),
            Self::SliceFlagRefused => write!(f, "this kernel does not know the flag for time slice extensions"),
        }
    }
}
