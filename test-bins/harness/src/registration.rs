//! The registration that the runtime made, as a test needs to know it.

use rseq_core::sys::{self, Errno};
use rseq_core::{Mode, OwnArea, RegisterError, Token, abi, arch};
use rseq_rt::NotRegistered;

use crate::ktap::Unmet;
use crate::text::Text;

/// A registration's facts, as the system call takes them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// The area's address.
    pub address: usize,
    /// The registered bytes.
    pub length: u32,
}

impl Registered {
    /// The calling thread's; a skip where there is no rseq, and a failure where the runtime's registration went wrong.
    pub fn by_runtime() -> Result<Self, Unmet> {
        let mode = rseq_rt::registration().map_err(unregistered)?;
        let length = match mode {
            Mode::Legacy => abi::ORIGINAL_SIZE,
            _ => rseq_rt::kernel().registration_len(),
        };
        Ok(Self { address: arch::own_area().as_ptr() as usize, length })
    }

    /// Undoes it behind the runtime's back.
    ///
    /// # Errors
    ///
    /// The kernel's.
    ///
    /// # Safety
    ///
    /// The process is a forked child that never returns to the runtime: no section of it relies on the registration.
    pub unsafe fn release(self) -> Result<(), Errno> {
        // SAFETY: releasing stops the kernel's writes; who else used the registration is ruled out by the caller.
        unsafe { sys::rseq_raw(self.address, self.length, abi::FLAG_UNREGISTER, arch::SIGNATURE) }
    }
}

/// What a refused registration means to a test: a skip where there is no rseq, else a failure.
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
