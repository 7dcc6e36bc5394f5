//! librseq's operations: the caller picks the CPU, the section checks it, the caller handles the abort.
//!
//! An aborted operation is tried again on the CPU that the thread then runs on. In a thread that is not registered it
//! would never succeed: [`DynRegion`](crate::percpu::DynRegion) has an example of such a loop.

use crate::section::{Aborted, Committed, CompareFailed};

/// Why an operation that compares did not commit. librseq's operations end in these two ways only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// See [`Aborted`]: try again, on the CPU that the thread then runs on.
    Aborted,
    /// See [`CompareFailed`].
    CompareFailed,
}

family_error!(Error: Aborted, CompareFailed);

/// States librseq's operations: as they are, or changed for a test by an attribute of
/// [`critical_section!`](crate::critical_section).
#[doc(hidden)]
#[macro_export]
macro_rules! __librseq_sections {
    ($(#![$variant:ident])?) => {
        $crate::critical_section! {
            $(#![$variant])?
            /// `if *v == expect { *v = newv }`
            ///
            /// # Errors
            ///
            /// [`Error`].
            ///
            /// # Safety
            ///
            /// `v` is a valid word. `cpu` is not -1 or -2, the values of an area that is not registered.
            pub unsafe fn load_cbne_store(
                cpu: usize, v: *mut usize, expect: usize, newv: usize
            ) -> Result<Committed, $crate::ops::librseq::Error> {
                exits(Aborted, CompareFailed) abort(Aborted);
                check_index(cpu) else Aborted;
                cbne([v], expect) else CompareFailed;
                commit store([v], newv);
            }

            /// `*v += count`
            ///
            /// # Errors
            ///
            /// [`Aborted`].
            ///
            /// # Safety
            ///
            /// `v` is a valid word. `cpu` is not -1 or -2, the values of an area that is not registered.
            pub unsafe fn load_add_store(cpu: usize, v: *mut usize, count: usize) -> Result<Committed, Aborted> {
                exits(Aborted) abort(Aborted);
                check_index(cpu) else Aborted;
                commit add([v], count);
            }

            /// `if *v != expectnot { *load = *v; *v = *(*v + offset) }`: pops the first node of a list whose links are
            /// at `offset`.
            ///
            /// # Errors
            ///
            /// [`Error`]; `*load` may hold a value that was not committed.
            ///
            /// # Safety
            ///
            /// `v` and `load` are valid words, and `load` belongs to this thread. If the word at `v` is not
            /// `expectnot`, it is an address with a valid word `offset` bytes after it. `cpu` is not -1 or -2, the
            /// values of an area that is not registered.
            pub unsafe fn load_cbeq_store_add_load_store(
                cpu: usize, v: *mut usize, expectnot: usize, offset: usize, load: *mut usize
            ) -> Result<Committed, $crate::ops::librseq::Error> {
                exits(Aborted, CompareFailed) scratch(node) abort(Aborted);
                check_index(cpu) else Aborted;
                load(node, [v]);
                cbeq(node, expectnot) else CompareFailed;
                repeatable store([load], node);
                load(node, [node + offset]);
                commit store([v], node);
            }

            /// `*(*(*array + offset)) += count`: adds to a word that an entry of the array leads to, in an array that
            /// may be replaced.
            ///
            /// # Errors
            ///
            /// [`Aborted`].
            ///
            /// # Safety
            ///
            /// `array` is a valid word that holds an address. `offset` bytes after that address is a valid word that
            /// holds the address of a third. `cpu` is not -1 or -2, the values of an area that is not registered.
            pub unsafe fn load_add_load_load_add_store(
                cpu: usize, array: *mut usize, offset: usize, count: usize
            ) -> Result<Committed, Aborted> {
                exits(Aborted) scratch(v) abort(Aborted);
                check_index(cpu) else Aborted;
                load(v, [array]);
                load(v, [v + offset]);
                commit add([v], count);
            }

            /// `if *v == expect && *v2 == expect2 { *v = newv }`
            ///
            /// # Errors
            ///
            /// [`Error`].
            ///
            /// # Safety
            ///
            /// `v` and `v2` are valid words. `cpu` is not -1 or -2, the values of an area that is not registered.
            pub unsafe fn load_cbne_load_cbne_store(
                cpu: usize, v: *mut usize, expect: usize, v2: *mut usize, expect2: usize, newv: usize
            ) -> Result<Committed, $crate::ops::librseq::Error> {
                exits(Aborted, CompareFailed) abort(Aborted);
                check_index(cpu) else Aborted;
                cbne([v], expect) else CompareFailed;
                cbne([v2], expect2) else CompareFailed;
                commit store([v], newv);
            }

            /// `if *v == expect { *v2 = newv2; *v = newv }`, the second store in the order `O`.
            ///
            /// # Errors
            ///
            /// [`Error`]; `*v2` may have been written.
            ///
            /// # Safety
            ///
            /// `v` and `v2` are valid words; `v2` is not read by others before `v` is `newv`. `cpu` is not -1 or -2,
            /// the values of an area that is not registered.
            pub unsafe fn load_cbne_store_store(
                cpu: usize, v: *mut usize, expect: usize, v2: *mut usize, newv2: usize, newv: usize
            ) -> Result<Committed, $crate::ops::librseq::Error> {
                exits(Aborted, CompareFailed) abort(Aborted) order(O);
                check_index(cpu) else Aborted;
                cbne([v], expect) else CompareFailed;
                repeatable store([v2], newv2);
                commit store([v], newv);
            }

            /// `if *v == expect { copy len bytes from src to dst; *v = newv }`, the store in the order `O`.
            ///
            /// # Errors
            ///
            /// [`Error`]; `dst` may have been written.
            ///
            /// # Safety
            ///
            /// `v` is a valid word; `src` and `dst` are `len` valid bytes that do not overlap, and `dst` is not read by
            /// others before `v` is `newv`. `cpu` is not -1 or -2, the values of an area that is not registered.
            pub unsafe fn load_cbne_memcpy_store(
                cpu: usize, v: *mut usize, expect: usize, dst: *mut u8, src: *const u8, len: usize, newv: usize
            ) -> Result<Committed, $crate::ops::librseq::Error> {
                exits(Aborted, CompareFailed) scratch(i) abort(Aborted) order(O);
                check_index(cpu) else Aborted;
                cbne([v], expect) else CompareFailed;
                repeatable copy([dst], [src], len, i);
                commit store([v], newv);
            }
        }
    };
}

__librseq_sections!();
