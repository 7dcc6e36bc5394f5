//! librseq's operations in three flavours: as they are, stretched by delays, and with every comparison made twice.

use core::hint::black_box;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use harness::index::Here;
use rseq_core::ops::librseq;
use rseq_core::testing::Differed;
use rseq_core::{Aborted, Committed, Index, Order, OwnArea};

/// Librseq's operations whose counts are one and whose offsets are literals, as a C compiler makes of them.
macro_rules! sections_of_literals {
    ($(#![$variant:ident])?) => {
        rseq_core::critical_section! {
            $(#![$variant])?
            /// [`load_add_store`](rseq_core::ops::librseq::load_add_store) of one.
            pub unsafe fn increment(cpu: usize, v: *mut usize) -> Result<Committed, Aborted> {
                exits(Aborted) abort(Aborted);
                check_index(cpu) else Aborted;
                commit add([v], 1);
            }

            /// [`load_add_load_load_add_store`](rseq_core::ops::librseq::load_add_load_load_add_store) of one.
            pub unsafe fn load_add_load_load_increment(
                cpu: usize, array: *mut usize, offset: usize
            ) -> Result<Committed, Aborted> {
                exits(Aborted) scratch(v) abort(Aborted);
                check_index(cpu) else Aborted;
                load(v, [array]);
                load(v, [v + offset]);
                commit add([v], 1);
            }

            /// [`load_cbeq_store_add_load_store`](rseq_core::ops::librseq::load_cbeq_store_add_load_store) that expects
            /// something else than 0, with an offset of 8.
            pub unsafe fn load_cbz_store_load_store(
                cpu: usize, v: *mut usize, load: *mut usize
            ) -> Result<Committed, rseq_core::ops::librseq::Error> {
                exits(Aborted, CompareFailed) scratch(node) abort(Aborted);
                check_index(cpu) else Aborted;
                load(node, [v]);
                cbz(node) else CompareFailed;
                repeatable store([load], node);
                load(node, [node + 8]);
                commit store([v], node);
            }
        }
    };
}
pub(crate) use sections_of_literals;

mod plain {
    pub use rseq_core::ops::librseq::*;
    use rseq_core::{Aborted, Committed, CompareFailed};
    sections_of_literals!();
}

mod stretched {
    use rseq_core::{Aborted, Committed, CompareFailed};
    rseq_core::__librseq_sections!(#![stretched]);
    sections_of_literals!(#![stretched]);
}

mod compare_twice {
    use rseq_core::{Aborted, Committed, CompareFailed};
    rseq_core::__librseq_sections!(#![compare_twice]);
    sections_of_literals!(#![compare_twice]);
}

/// Loop counts of the points inside of sections: before the first step, and after each.
pub type Delays = [usize; 8];

/// Second comparisons that differed, in all threads.
pub static DIFFERED: AtomicUsize = AtomicUsize::new(0);

/// The operations as they are, fit for measuring.
#[derive(Clone, Copy)]
pub struct Plain;

/// What delayed operations are given.
#[derive(Clone, Copy)]
pub struct Delayed {
    /// The loop count right before the section is armed.
    pub before: usize,
    /// Those inside.
    pub inside: &'static Delays,
}

impl Delayed {
    /// Loops before the section; where the others are.
    fn begin(self) -> *const usize {
        for turn in 0..self.before {
            black_box(turn);
        }
        self.inside.as_ptr()
    }
}

/// The operations with a delay at each point.
#[derive(Clone, Copy)]
pub struct Stretched(pub Delayed);

/// The same, and every comparison is made again after its delay.
#[derive(Clone, Copy)]
pub struct CompareTwice(pub Delayed);

/// What the two delayed forms of an operation return, as its plain form would.
trait Told<E> {
    fn told(self) -> Result<Committed, E>;
}

impl<E> Told<E> for Result<Committed, E> {
    fn told(self) -> Self {
        self
    }
}

impl<E: From<Aborted>> Told<E> for Result<Result<Committed, E>, Differed> {
    fn told(self) -> Result<Committed, E> {
        self.unwrap_or_else(|Differed| {
            DIFFERED.fetch_add(1, Relaxed);
            Err(Aborted.into())
        })
    }
}

/// Declares [`Flavour`] and implements it three times over one list of operations.
macro_rules! flavours {
    ($($(#[doc = $doc:literal])* $name:ident $(<$order:ident>)? ($($arg:ident: $type:ty),*) -> $error:ty;)*) => {
        /// A flavour of the operations.
        ///
        /// # Safety
        ///
        /// Every method has the contract of its operation in `rseq_core::ops::librseq`.
        pub trait Flavour: Copy + Send + Sync + 'static {
            /// Whether anything happens around the sections.
            const INJECTS: bool;

            $($(#[doc = $doc])*
            unsafe fn $name<$($order: Order,)? I: Index>(
                self, token: Here<I>, cpu: usize, $($arg: $type),*
            ) -> Result<Committed, $error>;)*
        }

        impl Flavour for Plain {
            const INJECTS: bool = false;

            $(#[inline(always)]
            unsafe fn $name<$($order: Order,)? I: Index>(
                self, token: Here<I>, cpu: usize, $($arg: $type),*
            ) -> Result<Committed, $error> {
                // SAFETY: the caller meets the operation's contract.
                unsafe { plain::$name::<$($order,)? OwnArea, I>(token, cpu, $($arg),*) }
            })*
        }

        flavours!(@delayed Stretched stretched $($name $(<$order>)? ($($arg: $type),*) -> $error;)*);
        flavours!(@delayed CompareTwice compare_twice $($name $(<$order>)? ($($arg: $type),*) -> $error;)*);
    };
    (@delayed $flavour:ident $module:ident
     $($name:ident $(<$order:ident>)? ($($arg:ident: $type:ty),*) -> $error:ty;)*) => {
        impl Flavour for $flavour {
            const INJECTS: bool = true;

            $(#[inline(never)]
            unsafe fn $name<$($order: Order,)? I: Index>(
                self, token: Here<I>, cpu: usize, $($arg: $type),*
            ) -> Result<Committed, $error> {
                // SAFETY: the caller meets the operation's contract; there is a delay for each of its steps.
                unsafe { $module::$name::<$($order,)? OwnArea, I>(token, cpu, $($arg,)* self.0.begin()) }.told()
            })*
        }
    };
}

flavours! {
    /// `if *v == expect { *v = newv }`
    load_cbne_store(v: *mut usize, expect: usize, newv: usize) -> librseq::Error;
    /// `*v += 1`
    increment(v: *mut usize) -> Aborted;
    /// `if *v != 0 { *load = *v; *v = *(*v + 8) }`
    load_cbz_store_load_store(v: *mut usize, load: *mut usize) -> librseq::Error;
    /// `*(*(array + offset)) += 1`
    load_add_load_load_increment(array: *mut usize, offset: usize) -> Aborted;
    /// `if *v == expect && *v2 == expect2 { *v = newv }`
    load_cbne_load_cbne_store(
        v: *mut usize, expect: usize, v2: *mut usize, expect2: usize, newv: usize
    ) -> librseq::Error;
    /// `if *v == expect { *v2 = newv2; *v = newv }`
    load_cbne_store_store<O>(v: *mut usize, expect: usize, v2: *mut usize, newv2: usize, newv: usize) -> librseq::Error;
    /// `if *v == expect { copy; *v = newv }`
    load_cbne_memcpy_store<O>(
        v: *mut usize, expect: usize, dst: *mut u8, src: *const u8, len: usize, newv: usize
    ) -> librseq::Error;
}
