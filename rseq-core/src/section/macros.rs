//! `critical_section!`: from steps to `asm!`, with the rules checked on the way.

/// States critical sections, once for every architecture.
///
/// Each item becomes an `unsafe fn` that takes a [`Token`](crate::Token) by any [`Index`](crate::Index) and the parameters
/// that it names, and runs its steps as one restartable sequence.
///
/// ```
/// use rseq_core::ops::librseq;
/// use rseq_core::{Aborted, CompareFailed, Committed, critical_section};
///
/// critical_section! {
///     /// Stores `newv` in `v` if `v` holds `expect` and this thread runs on `cpu`.
///     ///
///     /// # Safety
///     ///
///     /// `v` must be valid for reads and writes by this thread's sections.
///     pub unsafe fn replace(cpu: usize, v: *mut usize, expect: usize, newv: usize) -> Result<Committed, librseq::Error> {
///         exits(Aborted, CompareFailed) scratch() abort(Aborted);
///         check_index cpu => Aborted;
///         cbne [v], expect => CompareFailed;
///         commit store [v], newv;
///     }
/// }
/// ```
///
/// # The head
///
/// * `exits(A, B)`: unit structs in scope, each convertible into the error of the return type. The function returns
///   `Err(From::from(A))` when a step leaves by `A`.
/// * `scratch(r, s)`: registers for the steps.
/// * `abort(A)`: an abort leaves by `A`; `abort(restart)`: the section begins again, and the caller never sees it.
/// * `stride(S)`, optional: adds `const S: usize`, the bytes from one CPU's slot to the next, a power of two.
/// * `order(O)`, optional: adds `O: Order`, the memory order of the commit.
///
/// # The steps
///
/// | step | effect |
/// |---|---|
/// | `check_index x => A;` | leave by `A` unless the index (CPU or concurrency ID) is the low 32 bits of `x` |
/// | `load_index r;` | `r` = index, sign-extended to a word |
/// | `bound r, x => A;` | leave by `A` if `r` >= `x`, unsigned: the index -1 of an unregistered thread is below no `x` |
/// | `scale r, S;` | `r` = `r` x stride |
/// | `load r, [m];` | `r` = the word at `m` |
/// | `cbne r, x => A;` `cbeq r, x => A;` | leave by `A` if `r` differs from `x`, equals `x`; `r` may be `[m]` |
/// | `cbz r => A;` | leave by `A` if `r` is 0 |
/// | `add r, x;` | `r` += `x` |
/// | `repeatable store [m], x;` | the word at `m` = `x`, which an aborted section may do any number of times |
/// | `repeatable copy [d], [s], n using r;` | `n` bytes from `s` to `d`, repeatable too; `r` is used up |
/// | `commit store [m], x;` | the commit; `commit store(O)` in the order `O` |
/// | `commit add [m], x;` | the commit: the word at `m` += `x` |
/// | `commit increment [m];` | the commit: the word at `m` += 1 |
///
/// `m` is `a` or `a + b`: a parameter, a scratch register, or the sum of two. Words are as wide as a pointer, parameters
/// are words or pointers. Their names are free, but for those that begin with `rseq_`.
///
/// # For tests
///
/// An attribute before the items changes all of them:
///
/// * `#![stretched]` adds a last parameter, `delays: *const usize`, and, after the n-th step, a loop that counts down from
///   `delays[n]`, so that a test can hold the section open there; from `delays[0]` where it is armed and has not begun.
/// * `#![compare_twice]` does the same, and makes every comparison again after its delay. In a section that restarts as it
///   should, the second one cannot fail: if it does, the function returns [`Differed`](crate::section::Differed), and
///   otherwise its result in an `Ok`.
/// * `#![unarmed]` leaves out the store that arms the section: a control, which loses updates.
/// * `#![model]` makes data of the sections, `STATEMENTS`, a slice of [`Statement`](crate::section::Statement)s, instead of
///   functions: what an interpreter needs to try every interruption, and to compare the assembly with.
///
/// # What does not compile
///
/// The first step must bind the section to an index:
///
/// ```compile_fail
/// # use rseq_core::{Aborted, Committed, critical_section};
/// critical_section! {
///     pub unsafe fn unbound(v: *mut usize, n: usize) -> Result<Committed, Aborted> {
///         exits(Aborted) scratch() abort(Aborted);
///         commit add [v], n;
///     }
/// }
/// ```
///
/// There is one commit, and it is the last step; a store before it says that it is repeatable.
///
/// A stride is a power of two:
///
/// ```compile_fail
/// # use rseq_core::{Committed, OutOfRange, Registration, critical_section};
/// # critical_section! {
/// #     unsafe fn count(base: *mut usize, len: usize, n: usize) -> Result<Committed, OutOfRange> {
/// #         exits(OutOfRange) scratch(i) abort(restart) stride(STRIDE);
/// #         load_index i;
/// #         bound i, len => OutOfRange;
/// #         scale i, STRIDE;
/// #         commit add [base + i], n;
/// #     }
/// # }
/// # let registration = Registration::adopt().unwrap();
/// # let base = std::ptr::null_mut();
/// unsafe { count::<24, _, _>(registration.token(), base, 0, 1) };
/// ```
///
/// # Restarting
///
/// A section with `abort(restart)` ends when it commits or leaves, so it must be able to leave in a thread that is not
/// registered: `bound` does that, since the index is -1 there. Under a debugger that single-steps, every step is an abort,
/// and such a section does not end: step over it by its exit points.
#[macro_export]
macro_rules! critical_section {
    (#![unarmed] $($items:tt)+) => { $crate::__rseq_items! { unarmed [] $($items)+ } };
    (#![stretched] $($items:tt)+) => { $crate::__rseq_items! { stretched [rseq_delays: *const usize] $($items)+ } };
    (#![compare_twice] $($items:tt)+) => {
        $crate::__rseq_items! { compare_twice [rseq_delays: *const usize; Differed] $($items)+ }
    };
    (#![model] $($items:tt)+) => { $crate::__rseq_items! { model [] $($items)+ } };
    ($($items:tt)+) => { $crate::__rseq_items! { plain [] $($items)+ } };
}

/// Splits items.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_items {
    (model []
     $($(#[$meta:meta])* $vis:vis unsafe fn $name:ident $inputs:tt -> $result:ty { $($body:tt)* })+) => {
        /// The sections as data.
        pub const STATEMENTS: &[$crate::section::Statement] = &[
            $($crate::__rseq_statement! { unsafe fn $name $inputs -> $result { $($body)* } }),+
        ];
    };
    ($variant:ident $more:tt
     $($(#[$meta:meta])* $vis:vis unsafe fn $name:ident $inputs:tt -> $result:ty { $($body:tt)* })+) => {
        $($crate::__rseq_item! {
            $variant $more $(#[$meta])* $vis unsafe fn $name $inputs -> $result { $($body)* }
        })+
    };
}

/// Gives a section its function.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_item {
    ($variant:ident [$($more:ident: $more_type:ty)? $(; $differed:ident)?]
     $(#[$meta:meta])* $vis:vis unsafe fn $name:ident($($input:ident: $type:ty),* $(,)?) -> $result:ty {
        exits($($exit:ident),*) scratch($($scratch:ident),*) abort($abort:ident)
            $(stride($stride:ident))? $(order($order:ident))?;
        $($steps:tt)*
    }) => {
        $(#[$meta])*
        #[inline]
        #[allow(clippy::too_many_arguments, reason = "a section takes what its steps name")]
        $vis unsafe fn $name<
            $($order: $crate::Order,)?
            $(const $stride: usize,)?
            RseqArea: $crate::Area,
            RseqIndex: $crate::Index,
        >(
            token: $crate::Token<'_, RseqArea, RseqIndex>, $($input: $type,)* $($more: $more_type)?
        ) -> $crate::__rseq_result!($variant $result) {
            $(const { assert!($stride.is_power_of_two(), "a stride is a power of two") };)?
            $crate::__rseq_ordered! {
                [$($order)?]
                {
                    [token RseqIndex] $variant $abort
                    [$($scratch)*] [$($input)* $($more)?] [$($stride)?] [$($exit)* $($differed)?]
                }
                $($steps)*
            }
            $crate::__rseq_end!($variant Ok($crate::Committed))
        }
    };
}

/// What a section's function returns, given the result that its statement names.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_result {
    (compare_twice $result:ty) => { Result<$result, $crate::section::Differed> };
    ($variant:ident $result:ty) => { $result };
}

/// That result, in it.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_end {
    (compare_twice $result:expr) => {
        Ok($result)
    };
    ($variant:ident $result:expr) => {
        $result
    };
}

/// Returns from a section's function by an exit.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_left {
    (compare_twice Differed) => {
        return Err($crate::section::Differed)
    };
    ($variant:ident $exit:ident) => {
        return $crate::__rseq_end!($variant Err(From::from($exit)))
    };
}

/// States a section once, or once for each order of its commit.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_ordered {
    ([] $head:tt $($steps:tt)*) => {
        $crate::__rseq_first! { $head none [1 2 3 4 5 6 7 8 9 10 11 12] $($steps)* }
    };
    ([$order:ident] $head:tt $($steps:tt)*) => {
        if <$order as $crate::Order>::RELEASE {
            $crate::__rseq_first! { $head release [1 2 3 4 5 6 7 8 9 10 11 12] $($steps)* }
        } else {
            $crate::__rseq_first! { $head relaxed [1 2 3 4 5 6 7 8 9 10 11 12] $($steps)* }
        }
    };
}

/// The first step binds the section to an index.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_first {
    ($head:tt $order:ident $numbers:tt check_index $($rest:tt)*) => {
        $crate::__rseq_next! { $head $order $numbers [] check_index $($rest)* }
    };
    ($head:tt $order:ident $numbers:tt load_index $($rest:tt)*) => {
        $crate::__rseq_next! { $head $order $numbers [] load_index $($rest)* }
    };
    ($($other:tt)*) => {
        compile_error!("a critical section begins with `check_index` or `load_index`: nothing else binds it to a CPU")
    };
}

/// Takes one step after the other into the normal form that `__rseq_step!` knows.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_next {
    ($head:tt $order:ident [$n:tt $($ns:tt)*] [$($done:tt)*] check_index $x:ident => $exit:ident; $($rest:tt)*) => {
        $crate::__rseq_next! { $head $order [$($ns)*] [$($done)* ($n (check_index $x $exit))] $($rest)* }
    };
    ($head:tt $order:ident [$n:tt $($ns:tt)*] [$($done:tt)*] load_index $r:ident; $($rest:tt)*) => {
        $crate::__rseq_next! { $head $order [$($ns)*] [$($done)* ($n (load_index $r))] $($rest)* }
    };
    ($head:tt $order:ident [$n:tt $($ns:tt)*] [$($done:tt)*] bound $r:ident, $x:ident => $exit:ident; $($rest:tt)*) => {
        $crate::__rseq_next! { $head $order [$($ns)*] [$($done)* ($n (cbae $r $x $exit))] $($rest)* }
    };
    ($head:tt $order:ident [$n:tt $($ns:tt)*] [$($done:tt)*] scale $r:ident, $k:ident; $($rest:tt)*) => {
        $crate::__rseq_next! { $head $order [$($ns)*] [$($done)* ($n (scale $r $k))] $($rest)* }
    };
    ($head:tt $order:ident [$n:tt $($ns:tt)*] [$($done:tt)*] load $r:ident, [$($m:tt)+]; $($rest:tt)*) => {
        $crate::__rseq_next! { $head $order [$($ns)*] [$($done)* ($n (load $r [$($m)+]))] $($rest)* }
    };
    ($head:tt $order:ident [$n:tt $($ns:tt)*] [$($done:tt)*] cbne $a:tt, $x:ident => $exit:ident; $($rest:tt)*) => {
        $crate::__rseq_next! { $head $order [$($ns)*] [$($done)* ($n (cbne $a $x $exit))] $($rest)* }
    };
    ($head:tt $order:ident [$n:tt $($ns:tt)*] [$($done:tt)*] cbeq $a:tt, $x:ident => $exit:ident; $($rest:tt)*) => {
        $crate::__rseq_next! { $head $order [$($ns)*] [$($done)* ($n (cbeq $a $x $exit))] $($rest)* }
    };
    ($head:tt $order:ident [$n:tt $($ns:tt)*] [$($done:tt)*] cbz $r:ident => $exit:ident; $($rest:tt)*) => {
        $crate::__rseq_next! { $head $order [$($ns)*] [$($done)* ($n (cbz $r $exit))] $($rest)* }
    };
    ($head:tt $order:ident [$n:tt $($ns:tt)*] [$($done:tt)*] add $r:ident, $x:ident; $($rest:tt)*) => {
        $crate::__rseq_next! { $head $order [$($ns)*] [$($done)* ($n (add $r $x))] $($rest)* }
    };
    ($head:tt $order:ident [$n:tt $($ns:tt)*] [$($done:tt)*]
     repeatable store [$($m:tt)+], $x:ident; $($rest:tt)*) => {
        $crate::__rseq_next! { $head $order [$($ns)*] [$($done)* ($n (store [$($m)+] $x))] $($rest)* }
    };
    ($head:tt $order:ident [$n:tt $($ns:tt)*] [$($done:tt)*]
     repeatable copy [$d:ident], [$s:ident], $len:ident using $r:ident; $($rest:tt)*) => {
        $crate::__rseq_next! { $head $order [$($ns)*] [$($done)* ($n (copy [$d] [$s] $len $r))] $($rest)* }
    };
    ($head:tt $order:ident $ns:tt $done:tt store $($rest:tt)*) => {
        compile_error!("a store before the commit happens again after an abort: say `repeatable store` if it may")
    };
    ($head:tt $order:ident $ns:tt $done:tt copy $($rest:tt)*) => {
        compile_error!("a copy before the commit happens again after an abort: say `repeatable copy` if it may")
    };
    ($head:tt $order:ident [$n:tt $($ns:tt)*] [$($done:tt)*] commit store [$($m:tt)+], $x:ident; $($rest:tt)*) => {
        $crate::__rseq_last! { $head [$($done)*] ($n (commit_store [$($m)+] $x)) $($rest)* }
    };
    ($head:tt release [$n:tt $($ns:tt)*] [$($done:tt)*]
     commit store($order:ident) [$($m:tt)+], $x:ident; $($rest:tt)*) => {
        $crate::__rseq_last! { $head [$($done)*] ($n (commit_release [$($m)+] $x)) $($rest)* }
    };
    ($head:tt relaxed [$n:tt $($ns:tt)*] [$($done:tt)*]
     commit store($order:ident) [$($m:tt)+], $x:ident; $($rest:tt)*) => {
        $crate::__rseq_last! { $head [$($done)*] ($n (commit_store [$($m)+] $x)) $($rest)* }
    };
    ($head:tt $order:ident [$n:tt $($ns:tt)*] [$($done:tt)*] commit add [$($m:tt)+], $x:ident; $($rest:tt)*) => {
        $crate::__rseq_last! { $head [$($done)*] ($n (commit_add [$($m)+] $x)) $($rest)* }
    };
    ($head:tt $order:ident [$n:tt $($ns:tt)*] [$($done:tt)*] commit increment [$($m:tt)+]; $($rest:tt)*) => {
        $crate::__rseq_last! { $head [$($done)*] ($n (commit_increment [$($m)+])) $($rest)* }
    };
    ($head:tt $order:ident [] $done:tt $($rest:tt)+) => {
        compile_error!("a critical section has twelve steps at most")
    };
    ($head:tt $order:ident $ns:tt $done:tt) => {
        compile_error!("a critical section ends with its commit: `commit store`, `commit add` or `commit increment`")
    };
    ($head:tt $order:ident $ns:tt $done:tt $step:tt $($rest:tt)*) => {
        compile_error!(concat!("not a step of a critical section, or with other operands than it takes: `", stringify!($step), "`"))
    };
}

/// Nothing follows the commit.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_last {
    ({ $names:tt stretched $($head:tt)* } $done:tt $commit:tt) => {
        $crate::__rseq_stretch! { { $names stretched $($head)* } [(0 (delay rseq_delays 0))] $done $commit }
    };
    ({ $names:tt compare_twice $($head:tt)* } $done:tt $commit:tt) => {
        $crate::__rseq_stretch! { { $names compare_twice $($head)* } [(0 (delay rseq_delays 0))] $done $commit }
    };
    ($head:tt $done:tt $commit:tt) => {
        $crate::__rseq_stretch! { $head [] $done $commit }
    };
    ($head:tt $done:tt $commit:tt commit $($rest:tt)*) => {
        compile_error!("a critical section has one commit: the kernel cannot undo the first when it aborts the second")
    };
    ($head:tt $done:tt $commit:tt $($rest:tt)+) => {
        compile_error!("no step may follow the commit: the section is over there")
    };
}

/// Puts delays, and second comparisons, between the steps of sections for tests.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_stretch {
    ({ $names:tt stretched $($head:tt)* } [$($out:tt)*] [($n:tt $step:tt) $($rest:tt)*] $commit:tt) => {
        $crate::__rseq_stretch! {
            { $names stretched $($head)* } [$($out)* ($n $step) ($n (delay rseq_delays $n))] [$($rest)*] $commit
        }
    };
    ({ $names:tt compare_twice $($head:tt)* } [$($out:tt)*] [($n:tt $step:tt) $($rest:tt)*] $commit:tt) => {
        $crate::__rseq_compare_twice! {
            { $names compare_twice $($head)* } [$($out)* ($n $step) ($n (delay rseq_delays $n))] ($n $step) [$($rest)*] $commit
        }
    };
    ($head:tt [] [$($step:tt)*] $commit:tt) => { $crate::__rseq_emit! { $head [$($step)* $commit] } };
    ($head:tt [$($out:tt)*] [] $commit:tt) => { $crate::__rseq_emit! { $head [$($out)* $commit] } };
}

/// Repeats a step if it is a comparison; the second one leaves by an exit of its own.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_compare_twice {
    ($head:tt [$($out:tt)*] ($n:tt ($step:ident $($args:tt)*)) $rest:tt $commit:tt) => {
        $crate::__rseq_compare_again! { $head [$($out)*] $n $step [$($args)*] $rest $commit }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_compare_again {
    ($head:tt [$($out:tt)*] $n:tt check_index [$x:ident $exit:ident] $rest:tt $commit:tt) => {
        $crate::__rseq_stretch! { $head [$($out)* ($n (check_index $x Differed))] $rest $commit }
    };
    ($head:tt [$($out:tt)*] $n:tt cbae [$r:ident $x:ident $exit:ident] $rest:tt $commit:tt) => {
        $crate::__rseq_stretch! { $head [$($out)* ($n (cbae $r $x Differed))] $rest $commit }
    };
    ($head:tt [$($out:tt)*] $n:tt cbne [$a:tt $x:ident $exit:ident] $rest:tt $commit:tt) => {
        $crate::__rseq_stretch! { $head [$($out)* ($n (cbne $a $x Differed))] $rest $commit }
    };
    ($head:tt [$($out:tt)*] $n:tt cbeq [$a:tt $x:ident $exit:ident] $rest:tt $commit:tt) => {
        $crate::__rseq_stretch! { $head [$($out)* ($n (cbeq $a $x Differed))] $rest $commit }
    };
    ($head:tt [$($out:tt)*] $n:tt cbz [$r:ident $exit:ident] $rest:tt $commit:tt) => {
        $crate::__rseq_stretch! { $head [$($out)* ($n (cbz $r Differed))] $rest $commit }
    };
    ($head:tt $out:tt $n:tt $other:ident $args:tt $rest:tt $commit:tt) => {
        $crate::__rseq_stretch! { $head $out $rest $commit }
    };
}

/// Emits the section for both places where an area can be.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_emit {
    ({ $names:tt model $($head:tt)* } [$(($number:tt $step:tt))*]) => {
        &[$($crate::__rseq_statement_step!($step)),*]
    };
    ({ [$token:ident $index:ident] $variant:ident $abort:ident $scratch:tt $input:tt $imm:tt $exit:tt } $steps:tt) => {
        if RseqArea::DIRECT && $crate::arch::DIRECT {
            // SAFETY: the caller of the function vouches for the operands' memory, the token for a thread whose area this
            // is. The text reads and writes that memory, the area's rseq_cs and declared registers only, and jumps to
            // itself, to its end and to declared labels only.
            unsafe {
                $crate::__rseq_frame! {
                    [direct $crate::arch::own_area().as_ptr()]
                    $index, $variant, $abort, $steps $scratch $input $imm $exit
                }
            }
        } else {
            // SAFETY: as above.
            unsafe {
                $crate::__rseq_frame! {
                    [pointer $crate::Area::pointer($token.area()).as_ptr()]
                    $index, $variant, $abort, $steps $scratch $input $imm $exit
                }
            }
        }
    };
}
