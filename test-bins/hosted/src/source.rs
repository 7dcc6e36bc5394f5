//! The two ways to a registration in a glibc process, with one interface.

use anyhow::{Result, bail};
use rseq_core::{Area, Mode, OwnArea, Owner, RegisterError, Registration, ThreadArea, Token};

/// Where a thread's registration comes from.
pub trait Source: 'static {
    /// Where the area is.
    type Area: Area;
    /// Who owns the registration.
    const OWNER: Owner;
    /// The calling thread's registration.
    fn register() -> Result<Registration<Self::Area>, RegisterError>;
    /// A token, if the calling thread is registered at this moment; for signal handlers.
    fn current() -> Option<Token<'static, Self::Area>>;
    /// What this source says to a second claim on the thread, where `register` has succeeded.
    fn refuses_others() -> Result<()>;
}

/// glibc registers every thread; the program adopts that.
#[derive(Debug)]
pub struct Adopted;

/// glibc was told not to (`GLIBC_TUNABLES=glibc.pthread.rseq=0`); every thread registers and releases itself.
#[derive(Debug)]
pub struct Own;

impl Source for Adopted {
    type Area = ThreadArea;
    const OWNER: Owner = Owner::Libc;

    fn register() -> Result<Registration<ThreadArea>, RegisterError> {
        Registration::adopt()
    }

    fn current() -> Option<Token<'static, ThreadArea>> {
        ThreadArea::current()
    }

    fn refuses_others() -> Result<()> {
        expect(own(), RegisterError::OtherOwner(Some(Owner::Libc)))
    }
}

impl Source for Own {
    type Area = OwnArea;
    const OWNER: Owner = Owner::Own;

    fn register() -> Result<Registration<OwnArea>, RegisterError> {
        own()
    }

    fn current() -> Option<Token<'static, OwnArea>> {
        OwnArea::current()
    }

    fn refuses_others() -> Result<()> {
        expect(own(), RegisterError::OtherOwner(Some(Owner::Own)))?;
        expect(Registration::adopt(), RegisterError::NothingToAdopt)
    }
}

fn own() -> Result<Registration<OwnArea>, RegisterError> {
    // SAFETY: every registration of this package is a local of a function that its thread leaves before it ends, no
    // thread is the child of a vfork, and the kernel's facts are its own.
    unsafe { Registration::own(Mode::Extended) }
}

fn expect<A: Area>(result: Result<Registration<A>, RegisterError>, error: RegisterError) -> Result<()> {
    match result {
        Err(found) if found == error => Ok(()),
        Err(found) => bail!("expected \"{error}\", got \"{found}\""),
        Ok(_) => bail!("expected \"{error}\", got a second registration"),
    }
}
