//! Sections that together take the commits that have an order, at every kind of address.

/// Passes them to a macro, after the sections that it is given.
#[doc(hidden)]
#[macro_export]
macro_rules! __ordered_commit_sections {
    ([$($macro:tt)+] $($given:tt)*) => {
        $($macro)+! {
            $($given)*

            /// `*v = 200`, in the order `O`.
            ///
            /// # Safety
            ///
            /// `v` is a valid word; `cpu` is not -1 or -2.
            pub unsafe fn commit_literal(cpu: usize, v: *mut usize) -> Result<$crate::Committed, $crate::Aborted> {
                exits(Aborted) abort(Aborted) order(O);
                check_index(cpu) else Aborted;
                commit store([v], 200);
            }

            /// `*(v + i) = x`, in the order `O`.
            ///
            /// # Safety
            ///
            /// `v + i` is a valid word; `cpu` is not -1 or -2.
            pub unsafe fn commit_sum(
                cpu: usize, v: *mut usize, i: usize, x: usize
            ) -> Result<$crate::Committed, $crate::Aborted> {
                exits(Aborted) abort(Aborted) order(O);
                check_index(cpu) else Aborted;
                commit store([v + i], x);
            }

            /// `*(v + 8) = x`, in the order `O`.
            ///
            /// # Safety
            ///
            /// `v + 8` is a valid word; `cpu` is not -1 or -2.
            pub unsafe fn commit_displaced(
                cpu: usize, v: *mut usize, x: usize
            ) -> Result<$crate::Committed, $crate::Aborted> {
                exits(Aborted) abort(Aborted) order(O);
                check_index(cpu) else Aborted;
                commit store([v + 8], x);
            }

            /// `v[j] = x`, in the order `O`.
            ///
            /// # Safety
            ///
            /// `v + 8 * j` is a valid word; `cpu` is not -1 or -2.
            pub unsafe fn commit_scaled(
                cpu: usize, v: *mut usize, j: usize, x: usize
            ) -> Result<$crate::Committed, $crate::Aborted> {
                exits(Aborted) abort(Aborted) order(O);
                check_index(cpu) else Aborted;
                commit store([v + j * 8], x);
            }

            /// `*(v + i) += x`, in the order `O`.
            ///
            /// # Safety
            ///
            /// `v + i` is a valid word; `cpu` is not -1 or -2.
            pub unsafe fn add_sum(
                cpu: usize, v: *mut usize, i: usize, x: usize
            ) -> Result<$crate::Committed, $crate::Aborted> {
                exits(Aborted) abort(Aborted) order(O);
                check_index(cpu) else Aborted;
                commit add([v + i], x);
            }

            /// `*(v + 8) += 200`, in the order `O`.
            ///
            /// # Safety
            ///
            /// `v + 8` is a valid word; `cpu` is not -1 or -2.
            pub unsafe fn add_displaced(cpu: usize, v: *mut usize) -> Result<$crate::Committed, $crate::Aborted> {
                exits(Aborted) abort(Aborted) order(O);
                check_index(cpu) else Aborted;
                commit add([v + 8], 200);
            }

            /// `v[j] += x`, in the order `O`.
            ///
            /// # Safety
            ///
            /// `v + 8 * j` is a valid word; `cpu` is not -1 or -2.
            pub unsafe fn add_scaled(
                cpu: usize, v: *mut usize, j: usize, x: usize
            ) -> Result<$crate::Committed, $crate::Aborted> {
                exits(Aborted) abort(Aborted) order(O);
                check_index(cpu) else Aborted;
                commit add([v + j * 8], x);
            }

            /// `v[j] += 1`, in the order `O`.
            ///
            /// # Safety
            ///
            /// `v + 8 * j` is a valid word; `cpu` is not -1 or -2.
            pub unsafe fn increment_scaled(
                cpu: usize, v: *mut usize, j: usize
            ) -> Result<$crate::Committed, $crate::Aborted> {
                exits(Aborted) abort(Aborted) order(O);
                check_index(cpu) else Aborted;
                commit add([v + j * 8], 1);
            }
        }
    };
}
