//! The area of the calling thread, whoever registered it: found by one word of the process.

use crate::abi::Rseq;
use crate::area::{Area, OwnArea};
use crate::libc_area::{Owner, Symbols};
use crate::registration::{RegisterError, probe};
use crate::status::Cause;
use crate::{ByMmCid, KernelRseq, Token, arch, facts};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicIsize, AtomicU32, Ordering};

#[cfg(feature = "std")]
mod thread;

/// Where the area of the calling thread is, whoever owns its registration: a type without fields, whose tokens cost
/// nothing to keep and nothing to pass on.
///
/// It is the thread's own area ([`OwnArea`]) at first, and the libc's or the runtime's once
/// [`ensure_registered`] has found that they register threads. The types in [`percpu`](crate::percpu) work by it.
///
/// A child of `vfork`, or of another clone that shares the thread pointer of a running thread, shares that thread's
/// area too, and the kernel maintains it for one of the two only. Such a child must not run sections, and must not use
/// the types in [`percpu`](crate::percpu): all it does is call `exec` or exit.
///
/// A thread without a thread pointer, as in a program on the kernel's nolibc that has not set one, has no such area:
/// reading it faults. [`ensure_registered`] and [`status`](crate::status()) say so, if they are asked first.
///
/// # Examples
///
/// A section of one's own, in a thread that nobody had to prepare:
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
    /// Defined above, and only ever accessed as an atomic word.
    safe static __rseq_core_distance: AtomicIsize;
}

/// Of this version alone: there is nothing to find where no thread is registered.
#[cfg(rseq_stub)]
#[allow(non_upper_case_globals, reason = "the name is that of the interface elsewhere")]
static __rseq_core_distance: AtomicIsize = AtomicIsize::new(0);

/// Active bytes of areas that the libc or the runtime registers; of no meaning where there are none.
static ADOPTED_ACTIVE_SIZE: AtomicU32 = AtomicU32::new(0);

/// Whether `__rseq_core_distance` and `ADOPTED_ACTIVE_SIZE` hold.
static IS_SETTLED: AtomicBool = AtomicBool::new(false);

impl Ambient {
    /// A token for this thread, registered or not.
    ///
    /// It proves nothing: in a thread that is not registered, sections that compare the index with a length
    /// (`bound`) leave without an effect, as its index is -1.
    #[inline]
    pub fn token() -> Token<'static, Self> {
        Token::new(Self)
    }

    /// A token by concurrency ID, where the kernel maintains it (Linux 6.3) and this thread is registered. None before
    /// the first [`ensure_registered`] of the process.
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
        // SAFETY: the own area, or, by the distance between the two, the area of the libc or the runtime: both are in
        // the thread's static TLS, and so not null.
        unsafe { NonNull::new_unchecked(area) }
    }

    #[cfg(all(target_arch = "x86_64", not(rseq_stub)))]
    #[inline]
    fn index<I: crate::Index>(self) -> u32 {
        // SAFETY: the area of this thread begins there, and is 32 bytes at least.
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

/// Makes sure that this thread is registered, and returns the owner of its registration.
///
/// The types in [`percpu`](crate::percpu) do this when they are first used in a thread. A thread calls it itself before
/// a signal handler uses one of them, because registering a thread may allocate in the libc.
///
/// With the feature `std`, a thread that neither the libc nor a runtime registers is registered here, and released when
/// it ends. Without it, such a thread stays unregistered, unless the program uses
/// [`Registration::own`](crate::Registration#method.own). A thread that was refused is not asked about again.
///
/// # Errors
///
/// [`Cause`]: why it is not registered.
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
        // Threads may be unregistered because the kernel or a filter refused: the kernel is asked which it is.
        Cause::NobodyRegisters(_) | Cause::ThreadNotRegistered(_) => probe().err().map_or(cause, Cause::of),
        cause => cause,
    })
}

/// As [`ensure_registered`], without a system call for the cause: for each use of per-CPU data in a thread that is not
/// registered.
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

/// Finds out whose areas the process's threads use. Threads that do so at the same time find the same. It fails where
/// there is no static TLS, and so no area.
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

/// Without `std` nothing would release a thread when it ends.
#[cfg(not(feature = "std"))]
mod thread {
    use crate::Owner;
    use crate::status::Cause;

    pub(super) fn register(off: Option<Owner>) -> Result<Owner, Cause> {
        Err(Cause::NobodyRegisters(off))
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
