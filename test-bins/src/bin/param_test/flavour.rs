//! librseq's operations in three flavours: as they are, stretched by delays, and with every comparison made twice.

use rseq_core::section::operations as plain;
use rseq_core::{Aborted, Committed, Index, Order, OwnArea, Stopped};
use test_bins::index::Here;

mod stretched {
    use rseq_core::{Aborted, Committed, CompareFailed, Stopped};
    rseq_core::librseq_sections!(#![stretched]);
}

mod compare_twice {
    use rseq_core::{Aborted, Committed, CompareFailed, Stopped};
    rseq_core::librseq_sections!(#![compare_twice]);
}

/// Loop counts by step, the first one unused.
pub type Delays = [usize; 8];

/// The operations as they are, fit for measuring.
#[derive(Clone, Copy)]
pub struct Plain;

/// The operations with a delay after each step.
#[derive(Clone, Copy)]
pub struct Stretched(pub &'static Delays);

/// The same, and every comparison is made again after its delay.
#[derive(Clone, Copy)]
pub struct CompareTwice(pub &'static Delays);

impl Stretched {
    fn delays(self) -> *const usize {
        self.0.as_ptr()
    }
}

impl CompareTwice {
    fn delays(self) -> *const usize {
        self.0.as_ptr()
    }
}

/// Declares [`Flavour`] and implements it three times over one list of operations.
macro_rules! flavours {
    ($($(#[doc = $doc:literal])* $name:ident $(<$order:ident>)? ($($arg:ident: $type:ty),*) -> $error:ty;)*) => {
        /// A flavour of the operations.
        ///
        /// # Safety
        ///
        /// Every method has the contract of its operation in `rseq_core::section::operations`.
        pub trait Flavour: Copy + Send + Sync + 'static {
            /// Whether anything happens around the sections.
            const INJECTS: bool;

            $($(#[doc = $doc])*
            unsafe fn $name<$($order: Order,)? I: Index>(
                self, token: Here, index: I, cpu: usize, $($arg: $type),*
            ) -> Result<Committed, $error>;)*
        }

        impl Flavour for Plain {
            const INJECTS: bool = false;

            $(#[inline(always)]
            unsafe fn $name<$($order: Order,)? I: Index>(
                self, token: Here, index: I, cpu: usize, $($arg: $type),*
            ) -> Result<Committed, $error> {
                // SAFETY: the caller meets the operation's contract.
                unsafe { plain::$name::<$($order,)? OwnArea, I>(token, index, cpu, $($arg),*) }
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
                self, token: Here, index: I, cpu: usize, $($arg: $type),*
            ) -> Result<Committed, $error> {
                // SAFETY: the caller meets the operation's contract; there is a delay for each of its steps.
                unsafe { $module::$name::<$($order,)? OwnArea, I>(token, index, cpu, $($arg,)* self.delays()) }
            })*
        }
    };
}

flavours! {
    /// `if *v == expect { *v = newv }`
    load_cbne_store(v: *mut usize, expect: usize, newv: usize) -> Stopped;
    /// `*v += count`
    load_add_store(v: *mut usize, count: usize) -> Aborted;
    /// `if *v != expectnot { *load = *v; *v = *(*v + offset) }`
    load_cbeq_store_add_load_store(v: *mut usize, expectnot: usize, offset: usize, load: *mut usize) -> Stopped;
    /// `*(*(array + offset)) += count`
    load_add_load_load_add_store(array: *mut usize, offset: usize, count: usize) -> Aborted;
    /// `if *v == expect && *v2 == expect2 { *v = newv }`
    load_cbne_load_cbne_store(v: *mut usize, expect: usize, v2: *mut usize, expect2: usize, newv: usize) -> Stopped;
    /// `if *v == expect { *v2 = newv2; *v = newv }`
    load_cbne_store_store<O>(v: *mut usize, expect: usize, v2: *mut usize, newv2: usize, newv: usize) -> Stopped;
    /// `if *v == expect { copy; *v = newv }`
    load_cbne_memcpy_store<O>(
        v: *mut usize, expect: usize, dst: *mut u8, src: *const u8, len: usize, newv: usize
    ) -> Stopped;
}
