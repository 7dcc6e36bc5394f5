//! Registering, adopting and releasing this thread's area.

mod call;
mod error;
mod options;
mod ours;
mod request;

pub(crate) use call::probe;
pub use error::{RegisterError, ReleaseError};
pub use options::{Fallback, Mode, Options};

use crate::abi::Rseq;
use crate::area::{Area, OWN_SIZE, OwnArea, ThreadArea};
use crate::kernel::KernelRseq;
use crate::libc_area::{self, Owner, Symbols};
use crate::token::Token;
use crate::{arch, facts, sys};
use core::marker::PhantomData;
use core::ptr::NonNull;
use request::Request;

/// This thread's registration for rseq. It lends [`Token`]s, stays in its thread, and is released when dropped.
#[derive(Debug)]
pub struct Registration<A: Area> {
    area: A,
    len: u32,
    owner: Owner,
    fallback: Option<Fallback>,
    thread: PhantomData<*mut ()>,
}

impl Registration<OwnArea> {
    /// Registers this thread's own area, unless the thread is registered already. `options` may be a [`Mode`] alone.
    ///
    /// # Errors
    ///
    /// [`RegisterError`]; registration and area are unchanged. Where the libc or the runtime owns the registration, no
    /// system call is made. A thread without a thread pointer gets [`RegisterError::NoThreadPointer`].
    ///
    /// # Safety
    ///
    /// * The registration is successfully released before the thread's memory is freed: [`release`](Self::release)
    ///   returns whether it was, a drop does not. It is not leaked in a thread that ends before the process does.
    /// * The thread is not the child of `vfork`, or of another clone that shares this thread pointer with a running
    ///   parent.
    /// * The facts in [`KernelRseq`] are those of the running kernel: the feature size is the proof that it maintains
    ///   `mm_cid`.
    pub unsafe fn own(options: impl Into<Options>) -> Result<Self, RegisterError> {
        libc_and_runtime_do_not_register()?;
        if !arch::has_thread_pointer() {
            return Err(RegisterError::NoThreadPointer);
        }
        // SAFETY: the caller's contract.
        unsafe { Self::register_own(options.into(), Owner::Own) }
    }

    /// As [`own`](Self::own), without a system call that checks whether the thread has a thread pointer: it is known
    /// to.
    ///
    /// # Safety
    ///
    /// As [`own`](Self::own).
    #[cfg(feature = "std")]
    pub(crate) unsafe fn own_of_std() -> Result<Self, RegisterError> {
        libc_and_runtime_do_not_register()?;
        // SAFETY: the caller's contract.
        unsafe { Self::register_own(Mode::Extended.into(), Owner::Own) }
    }

    /// Registers this thread's own area for a runtime: one that defines `__rseq_offset`, `__rseq_size`, `__rseq_flags`
    /// with glibc's meaning and a u32 `__rseq_core_runtime` of 1, and registers every thread.
    ///
    /// # Errors
    ///
    /// [`RegisterError`]; registration and area are unchanged.
    ///
    /// # Safety
    ///
    /// As [`own`](Self::own).
    pub unsafe fn runtime(options: impl Into<Options>) -> Result<Self, RegisterError> {
        // SAFETY: the caller's contract.
        unsafe { Self::register_own(options.into(), Owner::Runtime) }
    }

    /// # Safety
    ///
    /// As [`own`](Self::own).
    unsafe fn register_own(options: Options, owner: Owner) -> Result<Self, RegisterError> {
        if Token::of_registered(OwnArea).is_some() {
            return Err(RegisterError::OtherOwner(Some(Owner::Own)));
        }
        let kernel = options.facts();
        let area = OwnArea.pointer();
        let request = Request::new(options, kernel, area, OWN_SIZE)?;
        let register = || {
            // SAFETY: the request is for no more than OWN_SIZE bytes, which the own area has. By the caller's contract
            // the area outlives the registration. `rseq_cs` and `flags` are 0 at first and after every release.
            let made = unsafe { call::register(area, request, kernel) }?;
            OwnArea.found_active_size(kernel);
            Ok(made)
        };
        // A signal handler must not see the first registration before its size is known.
        let made = if facts::OWN_ACTIVE_SIZE.get() == 0 { sys::with_signals_blocked(register) } else { register() }?;
        Ok(Self { area: OwnArea, len: made.len, owner, fallback: made.fallback, thread: PhantomData })
    }
}

impl Registration<ThreadArea> {
    /// Adopts the registration that the libc or the runtime made for this thread.
    ///
    /// # Errors
    ///
    /// [`RegisterError::NothingToAdopt`] if there is none, as under musl, with `glibc.pthread.rseq=0`, or on a kernel
    /// without rseq.
    pub fn adopt() -> Result<Self, RegisterError> {
        let (area, owner) = adoptable().ok_or(RegisterError::NothingToAdopt)?;
        Ok(Self { area, len: 0, owner, fallback: None, thread: PhantomData })
    }

    /// Adopts the registration that other code of this program, such as C that calls rseq(2) itself, has made for this
    /// thread with `len` bytes at `area`. That code keeps it: neither [`release`](Self::release) nor a drop releases
    /// it.
    ///
    /// # Errors
    ///
    /// [`RegisterError::NothingToAdopt`] if the area shows that the thread is not registered.
    ///
    /// # Safety
    ///
    /// * `area` is `len` bytes of this thread's memory for as long as this object lives.
    /// * It is registered with the signature [`arch::SIGNATURE`], or its `cpu_id` is -1 or -2. It is not released
    ///   before the last section with a token of this object has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::ptr::NonNull;
    /// use rseq_core::{Registration, abi::Rseq};
    ///
    /// let mut area = Rseq::new(); // as C declares it, and has not registered it
    /// // SAFETY: an area on the stack, which lives longer than the registration; its `cpu_id` is -1.
    /// let registration = unsafe { Registration::adopt_at(NonNull::from(&mut area), 32) };
    /// assert!(registration.is_err());
    /// ```
    pub unsafe fn adopt_at(area: NonNull<Rseq>, len: u32) -> Result<Self, RegisterError> {
        let area = ThreadArea::new(area, KernelRseq::read().active_size().min(len));
        Token::of_registered(area).ok_or(RegisterError::NothingToAdopt)?;
        Ok(Self { area, len: 0, owner: Owner::Own, fallback: None, thread: PhantomData })
    }

    /// Registers an area of `size` bytes that the caller provides.
    ///
    /// # Errors
    ///
    /// [`RegisterError`]; registration and area are unchanged.
    ///
    /// # Safety
    ///
    /// As [`own`](Registration::own), and `area` is `size` bytes of this thread's memory until the release. Unless the
    /// thread is already registered there, the area's `rseq_cs` and `flags` are 0, as [`Rseq::new`] makes them.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::ptr::NonNull;
    /// use rseq_core::{Mode, Registration, abi::Rseq};
    ///
    /// let area = NonNull::from(Box::leak(Box::new(Rseq::new())));
    /// // SAFETY: the area is fresh, and is never freed.
    /// match unsafe { Registration::at(area, size_of::<Rseq>(), Mode::Extended) } {
    ///     Ok(registration) => registration.release()?,
    ///     Err(error) => eprintln!("{error}"), // such as "the libc has registered this thread for rseq"
    /// }
    /// # Ok::<(), rseq_core::ReleaseError>(())
    /// ```
    pub unsafe fn at(area: NonNull<Rseq>, size: usize, options: impl Into<Options>) -> Result<Self, RegisterError> {
        libc_and_runtime_do_not_register()?;
        let options = options.into();
        let kernel = options.facts();
        let request = Request::new(options, kernel, area, size)?;
        // SAFETY: the request is for no more than `size` bytes of the area; the rest is the caller's contract.
        let made = unsafe { call::register(area, request, kernel) }?;
        let area = ThreadArea::new(area, kernel.active_size().min(made.len));
        Ok(Self { area, len: made.len, owner: Owner::Own, fallback: made.fallback, thread: PhantomData })
    }
}

impl Registration<ThreadArea> {
    /// Rebuilds the registration from the values of [`into_raw`](Registration::into_raw), so that another frame of the
    /// thread can release it.
    ///
    /// # Examples
    ///
    /// ```
    /// use rseq_core::{Mode, OwnArea, Registration};
    ///
    /// // SAFETY: the thread is registered until it is released below.
    /// if let Ok(registration) = unsafe { Registration::<OwnArea>::own(Mode::Extended) } {
    ///     let (area, len) = registration.into_raw();
    ///     // SAFETY: both are what `into_raw` returned in this thread, once.
    ///     unsafe { Registration::from_raw(area, len) }.release()?;
    /// }
    /// # Ok::<(), rseq_core::ReleaseError>(())
    /// ```
    ///
    /// # Safety
    ///
    /// `into_raw` returned these values in this thread, and no other object was made from them.
    pub unsafe fn from_raw(area: NonNull<Rseq>, len: u32) -> Self {
        let area = ThreadArea::new(area, KernelRseq::read().active_size().min(len));
        Self { area, len, owner: Owner::Own, fallback: None, thread: PhantomData }
    }
}

impl ThreadArea {
    /// A token, if the libc or the runtime has registered this thread and the registration still exists.
    #[inline]
    pub fn current() -> Option<Token<'static, Self>> {
        Token::of_registered(libc_area::of_this_thread())
    }
}

impl<A: Area> Registration<A> {
    /// Proof that this thread is registered.
    #[inline]
    pub fn token(&self) -> Token<'_, A> {
        Token::new(self.area)
    }

    /// The owner of the registration.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Bytes registered; None for an adopted registration, whose length only its owner knows.
    pub fn registered_len(&self) -> Option<u32> {
        self.is_ours().then_some(self.len)
    }

    /// Why the registration has less than was requested; None if it has all.
    pub fn fallback(&self) -> Option<Fallback> {
        self.fallback
    }

    /// Whether this object made the registration, and so releases it.
    fn is_ours(&self) -> bool {
        self.len != 0
    }

    /// Returns the area and the number of registered bytes, 0 for an adopted registration, without releasing it. The
    /// thread stays registered until [`from_raw`](Registration::from_raw) has rebuilt the registration and that is
    /// released. For C code, which keeps no Rust object.
    pub fn into_raw(self) -> (NonNull<Rseq>, u32) {
        let this = core::mem::ManuallyDrop::new(self);
        (this.area.pointer(), this.len)
    }

    /// Releases the registration; an adopted one stays with its owner.
    ///
    /// # Errors
    ///
    /// [`ReleaseError`]. The thread may still be registered then, so the memory of its area must stay.
    pub fn release(self) -> Result<(), ReleaseError> {
        let this = core::mem::ManuallyDrop::new(self);
        this.unregister()
    }

    fn unregister(&self) -> Result<(), ReleaseError> {
        if !self.is_ours() {
            return Ok(());
        }
        // SAFETY: this object made the registration of these bytes.
        unsafe { call::unregister(self.area.pointer(), self.len) }
    }
}

impl<A: Area> Drop for Registration<A> {
    /// Releases the registration and ignores an error, which [`release`](Self::release) would return.
    fn drop(&mut self) {
        let _ = self.unregister();
    }
}

/// An error where the libc or the runtime registers threads.
fn libc_and_runtime_do_not_register() -> Result<(), RegisterError> {
    match Symbols::find() {
        Some(symbols) if symbols.registers() => Err(RegisterError::OtherOwner(Some(symbols.owner))),
        _ => Ok(()),
    }
}

/// The libc's or the runtime's registration of this thread.
fn adoptable() -> Option<(ThreadArea, Owner)> {
    let symbols = Symbols::find().filter(|symbols| symbols.registers())?;
    let area = ThreadArea::new(symbols.area(), symbols.active_size(KernelRseq::read()));
    Token::of_registered(area).map(|_| (area, symbols.owner))
}
