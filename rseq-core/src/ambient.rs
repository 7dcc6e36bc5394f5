//! The area of the calling thread, whoever registered it: found by one word of the process.

use crate::abi::Rseq;
use crate::area::{Area, OwnArea};
use crate::libc_area::{Owner, Symbols};
use crate::status::Cause;
use crate::{ByMmCid, KernelRseq, Token, arch, facts};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicIsize, AtomicU32, Ordering};

/// Where the area of the calling thread is, whoever owns its registration: a type without fields, whose tokens cost
/// nothing to keep and nothing to pass on.
///
/// It is the thread's own area ([`OwnArea`]) at first, and the libc's or the runtime's once
/// [`ensure_registered`] has found that they register threads. The types in [`percpu`](crate::percpu) work by it.
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
// versions of this crate share, as `__rseq_core_area` is. Link-time optimisation may put the text of two versions into one
// unit, hence `.ifndef`.
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

/// Whether `DISTANCE` holds.
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

    /// A token by concurrency ID, where the kernel maintains it (Linux 6.3) and this thread is registered.
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
        // SAFETY: the own area, or, by the distance between the two, the area of the libc or the runtime: both are in the
        // thread's static TLS, and so not null.
        unsafe { NonNull::new_unchecked(area) }
    }

    #[inline]
    fn active_size(self) -> u32 {
        match __rseq_core_distance.load(Ordering::Acquire) {
            0 => facts::OWN_ACTIVE_SIZE.get(),
            _ => ADOPTED_ACTIVE_SIZE.load(Ordering::Relaxed),
        }
    }
}

/// Makes sure that this thread is registered, and says by whom.
///
/// The types in [`percpu`](crate::percpu) do this when they are first used in a thread. A thread calls it itself before
/// a signal handler uses one of them, since registering a thread may allocate in the libc.
///
/// With the feature `std`, a thread that neither the libc nor a runtime registers is registered here, and released when
/// it ends. Without it, such a thread stays unregistered, unless the program uses
/// [`Registration::own`](crate::Registration#method.own).
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
    if !IS_SETTLED.load(Ordering::Acquire) {
        settle();
    }
    let symbols = Symbols::find();
    if Ambient::token().is_registered() {
        return Ok(symbols.filter(|symbols| symbols.registers()).map_or(Owner::Own, |symbols| symbols.owner));
    }
    match symbols {
        Some(symbols) if symbols.registers() => Err(Cause::ThreadNotRegistered(symbols.owner)),
        _ => thread::register(symbols.map(|symbols| symbols.owner)),
    }
}

/// Finds out whose areas the process's threads use. Threads that do so at the same time find the same.
#[cold]
fn settle() {
    if let Some(symbols) = Symbols::find().filter(|symbols| symbols.registers()) {
        let bytes = symbols.area().addr().get().wrapping_sub(OwnArea.pointer().addr().get());
        ADOPTED_ACTIVE_SIZE.store(symbols.active_size(KernelRseq::read()), Ordering::Relaxed);
        __rseq_core_distance.store(bytes as isize, Ordering::Release);
    }
    IS_SETTLED.store(true, Ordering::Release);
}

/// Threads that neither the libc nor a runtime registers: released by the destructor of a thread-local.
#[cfg(feature = "std")]
mod thread {
    extern crate std;

    use crate::status::Cause;
    use crate::{Mode, OwnArea, Owner, RegisterError, Registration, sys};
    use core::cell::Cell;
    use std::thread_local;

    thread_local! {
        static THIS: ThisThread = const { ThisThread { registration: Cell::new(None), refused: Cell::new(None) } };
    }

    struct ThisThread {
        registration: Cell<Option<Registration<OwnArea>>>,
        refused: Cell<Option<RegisterError>>,
    }

    /// Registers this thread, which is not registered, unless it was refused before.
    pub(super) fn register(_: Option<Owner>) -> Result<Owner, Cause> {
        let registered = THIS.try_with(|this| match this.refused.get() {
            Some(error) => Err(error),
            // A signal handler must not find the thread registered and its cell empty.
            None => sys::with_signals_blocked(|| this.register()),
        });
        match registered {
            Ok(Ok(())) => Ok(Owner::Own),
            Ok(Err(error)) => Err(Cause::of(error)),
            Err(_) => Err(Cause::ThreadEnds),
        }
    }

    impl ThisThread {
        fn register(&self) -> Result<(), RegisterError> {
            // A registration that is kept is none that the kernel knows: other code has released it.
            core::mem::forget(self.registration.take());
            let registered = own();
            self.refused.set(registered.as_ref().err().copied());
            registered.map(|registration| self.registration.set(Some(registration)))
        }
    }

    fn own() -> Result<Registration<OwnArea>, RegisterError> {
        // SAFETY: the destructor of the thread-local that keeps it releases it before the thread's memory goes. A child
        // of `vfork`, and any other clone that shares this thread pointer with a running parent, shares the area that
        // says that it is registered, and so does not come here. The kernel's facts are the kernel's own.
        unsafe { Registration::<OwnArea>::own(Mode::Extended) }
    }

    impl Drop for ThisThread {
        fn drop(&mut self) {
            if let Some(registration) = self.registration.take() {
                // A filter that came since may refuse it. The kernel then writes the area until the thread has ended.
                let _ = registration.release();
            }
        }
    }
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
