//! The area of the calling thread, whatever its owner: found by one word of the process.

use crate::abi::Rseq;
use crate::area::{Area, OwnArea};
use crate::cause::Cause;
use crate::libc_area::{Owner, Symbols};
use crate::registration::{RegisterError, probe};
use crate::{ByMmCid, KernelRseq, Token, arch, facts};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicIsize, AtomicU32, Ordering};

#[cfg(feature = "std")]
mod thread;

/// The area of the calling thread, whatever the owner of its registration. The type has no fields, so its tokens cost
/// nothing to keep or to pass on.
///
/// It is the thread's own area ([`OwnArea`]) at first, and the libc's or the runtime's once [`ensure_registered`] has
/// found that these register threads. The types in [`percpu`](crate::percpu) use it.
///
/// A child of `vfork`, or of another clone that shares the thread pointer of a running thread, shares that thread's
/// area too, and the kernel maintains it for only one of the two. Such a child must not run sections, and must not use
/// the types in [`percpu`](crate::percpu): it may only call `exec` or exit.
///
/// A thread without a thread pointer, as in a program on the kernel's nolibc that has not set one, has no such area,
/// and reading it faults. [`ensure_registered`] and [`status`](crate::status()) detect this if they are called first.
///
/// # Examples
///
/// A section of the program's own, in a thread that needs no preparation:
///
/// ```
/// use rseq_core::{Ambient, ops::this_cpu};
///
/// let mut slots = vec![0usize; 8 * rseq_core::percpu::PossibleCpus::read()?.slots_by_cpu()];
/// let (base, len) = (slots.as_mut_ptr(), slots.len() / 8);
/// if rseq_core::ensure_registered().is_ok() {
///     // SAFETY: `len` slots of 64 bytes each, used by this thread only.
///     unsafe { this_cpu::inc::<64, _, _>(Ambient::token(), base, len) }?;
///     assert_eq!(slots.iter().sum::<usize>(), 1);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Ambient;

// The distance in bytes from the own area to the area of this process's threads, the same in each thread: a word that
// versions of this crate share, as `__rseq_core_area` is. Link-time optimisation may put the text of two versions into
// one unit, hence `.ifndef`.
#[cfg(not(rseq_stub))]
core::arch::global_asm!(
    ".ifndef __rseq_core_distance",
    ".pushsection .data.__rseq_core_distance, \"awG\", %progbits, __rseq_core_distance, comdat",
    ".balign {word}",
    ".weak __rseq_core_distance",
    ".hidden __rseq_core_distance",
    ".type __rseq_core_distance, %object",
    ".size __rseq_core_distance, {word}",
    "__rseq_core_distance:",
    ".zero {word}",
    ".popsection",
    ".endif",
    word = const size_of::<isize>(),
);

#[cfg(not(rseq_stub))]
#[allow(non_upper_case_globals, reason = "the name is an interface")]
unsafe extern "C" {
    /// Defined above, and only accessed as an atomic word.
    safe static __rseq_core_distance: AtomicIsize;
}

/// Private to this version: no thread is registered on such a target.
#[cfg(rseq_stub)]
#[allow(non_upper_case_globals, reason = "the name is that of the interface elsewhere")]
static __rseq_core_distance: AtomicIsize = AtomicIsize::new(0);

/// Active bytes of the areas that the libc or the runtime registers; meaningless if there are none.
static ADOPTED_ACTIVE_SIZE: AtomicU32 = AtomicU32::new(0);

/// Whether `__rseq_core_distance` and `ADOPTED_ACTIVE_SIZE` are final.
static IS_SETTLED: AtomicBool = AtomicBool::new(false);

impl Ambient {
    /// A token for this thread, registered or not.
    ///
    /// It proves nothing. In a thread that is not registered, sections that compare the index with a length (`bound`)
    /// leave without an effect, because the index is -1.
    #[inline]
    pub fn token() -> Token<'static, Self> {
        Token::new(Self)
    }

    /// A token by concurrency ID. None if the kernel does not maintain it (before Linux 6.3), if this thread is not
    /// registered, or before the first [`ensure_registered`] of the process.
    #[inline]
    pub fn token_by_mm_cid() -> Option<Token<'static, Self, ByMmCid>> {
        Self::token().by_mm_cid()
    }
}

impl Area for Ambient {
    const DIRECT: bool = false;
    const BY_OFFSET: bool = arch::BY_OFFSET;

    #[inline]
    fn offset(self) -> isize {
        #[cfg(all(target_arch = "x86_64", not(rseq_stub)))]
        return arch::ambient_offset();
        #[cfg(not(all(target_arch = "x86_64", not(rseq_stub))))]
        arch::own_offset().wrapping_add(__rseq_core_distance.load(Ordering::Relaxed))
    }

    #[inline]
    fn pointer(self) -> NonNull<Rseq> {
        let area = arch::own_area().as_ptr().wrapping_byte_offset(__rseq_core_distance.load(Ordering::Relaxed));
        // SAFETY: `area` is the own area, or, by the distance between the two, the area of the libc or the runtime.
        // Both are in the thread's static TLS, so it is not null.
        unsafe { NonNull::new_unchecked(area) }
    }

    #[cfg(all(target_arch = "x86_64", not(rseq_stub)))]
    #[inline]
    fn index<I: crate::Index>(self) -> u32 {
        // SAFETY: this thread's area begins at that offset, and has at least 32 bytes.
        unsafe { arch::index_by_offset::<I>(self.offset()) }
    }

    #[inline]
    fn active_size(self) -> u32 {
        match __rseq_core_distance.load(Ordering::Acquire) {
            0 => facts::OWN_ACTIVE_SIZE.get(),
            _ => ADOPTED_ACTIVE_SIZE.load(Ordering::Relaxed),
        }
    }
}

/// Registers this thread if necessary, and returns the owner of its registration.
///
/// The types in [`percpu`](crate::percpu) do this at their first use in a thread. A thread whose signal handlers use
/// them calls it first, because registering a thread may allocate in the libc.
///
/// With the feature `std`, a thread that neither the libc nor a runtime registers is registered here, and released when
/// it ends. Without it, such a thread stays unregistered, unless the program uses
/// [`Registration::own`](crate::Registration#method.own). A thread whose registration was refused does not try again.
///
/// # Errors
///
/// [`Cause`]: why the thread is not registered.
///
/// # Examples
///
/// ```
/// match rseq_core::ensure_registered() {
///     Ok(owner) => println!("registered by {owner}"),
///     Err(cause) => println!("not registered: {cause}"),
/// }
/// ```
pub fn ensure_registered() -> Result<Owner, Cause> {
    register().map_err(|cause| match cause {
        // The kernel or a filter may be why threads are unregistered: a call shows which.
        Cause::NothingRegisters(_) | Cause::ThreadNotRegistered(_) => probe().err().map_or(cause, Cause::of),
        cause => cause,
    })
}

/// As [`ensure_registered`], without a system call that determines the cause: for each use of per-CPU data in a thread
/// that is not registered.
pub(crate) fn register() -> Result<Owner, Cause> {
    if !IS_SETTLED.load(Ordering::Acquire) {
        settle()?;
    }
    let symbols = Symbols::find();
    if Ambient::token().is_registered() {
        return Ok(symbols.filter(|symbols| symbols.registers()).map_or(Owner::Own, |symbols| symbols.owner));
    }
    match symbols {
        Some(symbols) if symbols.registers() => Err(Cause::ThreadNotRegistered(symbols.owner)),
        symbols => thread::register(symbols.map(|symbols| symbols.owner)),
    }
}

/// Determines whose areas the process's threads use. Threads that do so at the same time get the same result. It fails
/// where there is no static TLS, and so no area.
#[cold]
fn settle() -> Result<(), Cause> {
    if let Some(symbols) = Symbols::find().filter(|symbols| symbols.registers()) {
        let bytes = symbols.area().addr().get().wrapping_sub(OwnArea.pointer().addr().get());
        ADOPTED_ACTIVE_SIZE.store(symbols.active_size(KernelRseq::read()), Ordering::Relaxed);
        __rseq_core_distance.store(bytes as isize, Ordering::Release);
    } else if !arch::has_thread_pointer() {
        return Err(Cause::Refused(RegisterError::NoThreadPointer));
    }
    IS_SETTLED.store(true, Ordering::Release);
    Ok(())
}

/// Without `std` there is no hook that would release a thread when it ends.
#[cfg(not(feature = "std"))]
mod thread {
    use crate::Owner;
    use crate::cause::Cause;

    pub(super) fn register(off: Option<Owner>) -> Result<Owner, Cause> {
        Err(Cause::NothingRegisters(off))
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;
    use crate::Registration;
    use core::mem::size_of;

    #[test]
    fn costs_nothing_to_keep() {
        assert_eq!((size_of::<Ambient>(), size_of::<Token<'static, Ambient>>()), (0, 0));
    }

    #[test]
    fn is_the_area_that_there_is_to_adopt() {
        if let Ok(adopted) = Registration::adopt() {
            assert_eq!(ensure_registered(), Ok(adopted.owner()));
            assert_eq!(Ambient.pointer(), adopted.token().area().pointer());
            assert_eq!(Ambient.active_size(), adopted.token().area().active_size());
            assert_eq!(Ambient::token_by_mm_cid().is_some(), adopted.token().by_mm_cid().is_some());
        } else {
            assert_eq!(Ambient.pointer(), OwnArea.pointer());
        }
    }
}
