//! The registration that the runtime made, in a test's terms.

use rseq_core::sys::{self, Errno};
use rseq_core::{Mode, OwnArea, RegisterError, Token, abi, arch};
use rseq_rt::NotRegistered;

use crate::text::Text;
use crate::verdict::Unmet;

/// A registration's facts, as the system call takes them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// The area's address.
    pub address: usize,
    /// The registered bytes.
    pub length: u32,
}

impl Registered {
    /// The calling thread's registration. A skip if there is no rseq, and a failure if the runtime's registration
    /// failed.
    pub fn by_runtime() -> Result<Self, Unmet> {
        let mode = rseq_rt::registration().map_err(unregistered)?;
        let length = match mode {
            Mode::Legacy => abi::ORIGINAL_SIZE,
            _ => rseq_rt::kernel().registration_len(),
        };
        Ok(Self { address: arch::own_area().as_ptr() as usize, length })
    }

    /// Releases it without the runtime's knowledge.
    ///
    /// # Errors
    ///
    /// The kernel's.
    ///
    /// # Safety
    ///
    /// The process is a forked child that never returns to the runtime: no section of it relies on the registration.
    pub unsafe fn release(self) -> Result<(), Errno> {
        // SAFETY: it registers nothing. By the caller's contract no section relies on the registration that it
        // releases.
        unsafe { sys::rseq_raw(self.address, self.length, abi::FLAG_UNREGISTER, arch::SIGNATURE) }
    }
}

/// The meaning of a refused registration for a test: a skip if there is no rseq, else a failure.
pub fn refused(error: RegisterError) -> Unmet {
    unregistered(NotRegistered::Refused(error))
}

fn unregistered(error: NotRegistered) -> Unmet {
    let why = Text::of(format_args!("not registered: {error}"));
    match error {
        NotRegistered::Off => Unmet::Skip(why),
        NotRegistered::Refused(error) if error.is_unavailable() => Unmet::Skip(why),
        _ => Unmet::Fail(why),
    }
}

/// This thread's token; a skip with the reason where there is no registration.
pub fn token() -> Result<Token<'static, OwnArea>, Unmet> {
    Registered::by_runtime()?;
    rseq_rt::current().ok_or_else(|| crate::fail!("registered, but the area's cpu_id says otherwise"))
}
