//! The grammar of [`critical_section!`](crate::critical_section): one pattern for a whole section.

/// The rows of `mov` and the arithmetic steps, in the table below.
macro_rules! rows {
    ($($step:ident($r:ident, $x:ident) = $result:expr, $effect:literal;)+) => {
        concat!("| `mov(r, x)` | `r` = `x` |" $(, "\n| `", stringify!($step), "(r, x)` | ", $effect, " |")+)
    };
}

/// States critical sections, once for every architecture.
///
/// Each item becomes an `unsafe fn` that takes a [`Token`](crate::Token) and the parameters that it names, and runs its
/// steps as one restartable sequence.
///
/// ```
/// use rseq_core::ops::librseq::Error;
/// use rseq_core::{Aborted, CompareFailed, Committed, critical_section};
///
/// critical_section! {
///     /// Stores `newv` in `v` if `v` holds `expect` and this thread runs on `cpu`.
///     ///
///     /// # Safety
///     ///
///     /// `v` must be valid for reads and writes by this thread's sections.
///     pub unsafe fn replace(cpu: usize, v: *mut usize, expect: usize, newv: usize) -> Result<Committed, Error> {
///         exits(Aborted, CompareFailed) abort(Aborted);
///         check_index(cpu) else Aborted;
///         cbne([v], expect) else CompareFailed;
///         commit store([v], newv);
///     }
/// }
/// ```
///
/// # The head
///
/// In this order, and all but the first and the third optional:
///
/// * `exits(A, B)`: unit structs in scope, each convertible into the error of the return type. The function returns
///   `Err(From::from(A))` when a step leaves by `A`.
/// * `scratch(r, s)`: registers for the steps.
/// * `abort(A)`: an abort leaves by `A`. `abort(restart)`: the section begins again, invisibly to the caller; it must
///   have a `bound`. `abort(restart_unbounded)`: the same without one, for callers who vouch that the thread stays
///   registered.
/// * `stride(S, T)`: adds `const S: usize` and `const T: usize`, distances in bytes between slots, powers of two.
/// * `order(O)`: adds `O: Order`, the memory order of the commit.
/// * `output(w)`: adds the operand `w`, the address of a word that the function returns when it commits: `Ok(usize)`.
///
/// # The steps
///
/// | step | effect |
/// |---|---|
/// | `check_index(x) else A` | leave by `A` unless the index (CPU or concurrency ID) is the low 32 bits of `x` |
/// | `load_index(r)` | `r` = index, sign-extended to a word |
/// | `bound(r, x) else A` | leave by `A` if `r` >= `x`, unsigned, as -1, the index without a registration, is |
/// | `scale(r, S)` | `r` = `r` x stride |
/// | `load(r, [m])` | `r` = the word at `m` |
/// | `load_acquire(r, [m])` | the same, before all later loads and stores |
/// | `load_u8(r, [m])`, `load_u16`, `load_u32` | `r` = the 1, 2 or 4 bytes at `m`, zero-extended |
/// | `cbne(r, x) else A`, `cbeq` | leave by `A` if `r` differs from `x`, equals `x`; `r` may be `[m]` |
/// | `cbz(r) else A` | leave by `A` if `r` is 0 |
#[doc = crate::__rseq_arithmetic!([rows])]
/// | `shl(r, k)`, `shr(r, k)` | `r` <<= `k`, `r` >>= `k` (unsigned), `k` below the bits of a word |
/// | `repeatable store([m], x)` | the word at `m` = `x`, which an aborted section may do any number of times |
/// | `repeatable store_u8([m], x)`, `store_u16`, `store_u32` | the same for the low 1, 2 or 4 bytes of `x` |
/// | `repeatable copy([d], [s], n, r)` | `n` bytes from `s` to `d`, repeatable too; `r` is `n` after it |
/// | `commit store([m], x)` | the commit; also `store_u8`, `store_u16`, `store_u32` |
/// | `commit add([m], x)` | the commit: the word at `m` += `x` |
///
/// `r` is a scratch register, `x` a parameter, a scratch register or, except in `check_index`, a literal from 0 to 255.
/// Words are as wide as a pointer, parameters are words or thin pointers and keep their values. Names of parameters are
/// free, except those that begin with `rseq_`.
///
/// `m` is `a`, `a + b`, `a + 8` (0 to 255 bytes) or `a + b * 8` (1, 2, 4 or 8), where `a` and `b` are parameters or
/// scratch registers. An address is a multiple of the size of the access. `load_u64` and `store_u64` exist where a word
/// has 64 bits.
///
/// `commit store` and `commit add` take the order that the head names; a narrow commit is plain, without an order.
///
/// On i686 a section has at most three scratch registers: with more, it runs out of registers at build time.
///
/// # What does not compile
///
/// The steps are also compiled as plain Rust that never runs, so the compiler reports a mistake at its step: an unknown
/// name, a written parameter, a scratch register that is read before it is written, a parameter that is not a word, a
/// store before the commit that is not marked as repeatable, a step after the commit, a section that no step binds to
/// an index.
///
/// ```compile_fail
/// # use rseq_core::{Aborted, Committed, critical_section};
/// critical_section! {
///     pub unsafe fn unbound(v: *mut usize, n: usize) -> Result<Committed, Aborted> {
///         exits(Aborted) abort(Aborted);
///         commit add([v], n);
///     }
/// }
/// ```
///
/// A stride is a power of two:
///
/// ```compile_fail
/// # use rseq_core::{Committed, OutOfRange, Registration, critical_section};
/// # critical_section! {
/// #     unsafe fn count(base: *mut usize, len: usize, n: usize) -> Result<Committed, OutOfRange> {
/// #         exits(OutOfRange) scratch(i) abort(restart) stride(STRIDE);
/// #         load_index(i);
/// #         bound(i, len) else OutOfRange;
/// #         scale(i, STRIDE);
/// #         commit add([base + i], n);
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
/// registered: `bound` does that, because the index is then -1. Under a debugger that single-steps, every step aborts,
/// and such a section does not end: step over it by its exit points.
///
/// # For tests
///
/// With the feature `testing`, an attribute before the items changes all of them: see `rseq_core::testing`.
#[macro_export]
macro_rules! critical_section {
    (#![$($variant:ident),+] $($items:tt)+) => { $crate::__rseq_variant! { [$($variant)+] $($items)+ } };
    ($(
        $(#[$meta:meta])*
        $vis:vis unsafe fn $name:tt($($input:tt: $type:ty),* $(,)?) -> $result:ty {
            exits($($exit:tt),* $(,)?)
            $(scratch($($scratch:tt),* $(,)?))?
            abort($abort:tt)
            $(stride($($stride:tt),+ $(,)?))?
            $(order($order:ident))?
            $(output($output:tt))?;
            $($($word:ident)+ ($($arg:tt)*) $(else $to:tt)?;)+
        }
    )+ $(@$callback:ident $how:tt)?) => {
        $crate::__rseq_function! {
            [$($callback $how)?]
            $({
                [$(#[$meta])*] [$vis] $name [$($input: $type,)*] [$result]
                [$($exit)*] [$($($scratch)*)?] $abort [$($($stride)*)?] [$($order)?] [$($output)?]
                [$(([$($word)+] [$($arg)*] [$($to)?]))+]
            })+
        }
    };
}

/// What the feature `testing` makes of attributes.
#[cfg(not(feature = "testing"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_variant {
    ($($section:tt)*) => {
        compile_error!("variants of critical sections are for tests: they need the feature `testing` of rseq-core");
    };
}
