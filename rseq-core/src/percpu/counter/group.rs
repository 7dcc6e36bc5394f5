//! Groups of counters that are declared together.

use super::Counters;
use crate::Index;
use core::fmt;
use core::marker::PhantomData;

/// Declares counters that are often changed together, and that an exporter reads together.
///
/// A group is one static with a member for each counter, as fast as a [`Counter`](crate::percpu::Counter). The members
/// of one CPU lie side by side in one cache line if there are no more than eight (sixteen where a word has 32 bits). A
/// member has `add`, `inc`, `sub`, `sum` and `reset`, see [`CounterMember`](crate::percpu::CounterMember). The group
/// has
///
/// * `iter()`: the name and the sum of each member, in the order of the declaration;
/// * `reset()`: begins all counts anew, and returns the name and the previous count of each member. No addition is lost
///   or counted twice.
///
/// Slots are indexed by CPU number. With `by_mm_cid` before the brace, they are indexed by concurrency ID: see
/// [`Counter`](crate::percpu::Counter).
///
/// # Examples
///
/// ```
/// use rseq_core::percpu_counters;
///
/// percpu_counters! {
///     /// What the server has done.
///     pub static STATS: {
///         requests,
///         /// Requests that were answered by an error.
///         errors,
///         bytes,
///     }
///     static CACHE: by_mm_cid { hits, misses }
/// }
///
/// STATS.requests.inc();
/// STATS.bytes.add(1500);
/// CACHE.misses.inc();
/// for (name, sum) in STATS.iter() {
///     println!("{name} {sum}");
/// }
/// assert_eq!(STATS.bytes.sum(), 1500);
/// assert_eq!(STATS.reset(), [("requests", 1), ("errors", 0), ("bytes", 1500)]);
/// assert_eq!((STATS.bytes.sum(), CACHE.misses.sum()), (0, 1));
/// ```
#[macro_export]
macro_rules! percpu_counters {
    ($(
        $(#[$meta:meta])*
        $vis:vis static $name:ident: $($by:ident)? { $($(#[$doc:meta])* $member:ident),+ $(,)? } $(;)?
    )+) => {$(
        $(#[$meta])*
        $vis static $name: $name = $name { $($member: $crate::percpu::CounterMember::new()),+ };

        #[doc = concat!("The counters of [`", stringify!($name), "`](static@", stringify!($name), ").")]
        #[allow(non_camel_case_types, missing_docs, clippy::upper_case_acronyms)]
        #[derive(Debug)]
        $vis struct $name {
            $(
                $(#[$doc])*
                pub $member: $crate::percpu::CounterMember<
                    $name,
                    { $name::NAMES.len() },
                    { $crate::section::exit_number($name::NAMES, stringify!($member)) },
                >,
            )+
        }

        impl $crate::percpu::CounterGroup<{ $name::NAMES.len() }> for $name {
            type Index = $crate::percpu_counters!(@index $($by)?);

            #[inline]
            fn counters() -> &'static $crate::percpu::Counters<{ $name::NAMES.len() }, Self::Index> {
                static COUNTERS: $crate::percpu::Counters<
                    { $name::NAMES.len() }, $crate::percpu_counters!(@index $($by)?)
                > = $crate::percpu::Counters::new();
                &COUNTERS
            }
        }

        #[allow(dead_code, reason = "a group may be read by its members only")]
        impl $name {
            const NAMES: &'static [&'static str] = &[$(stringify!($member)),+];

            /// The name and the sum of each counter.
            pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, u64)> + use<> {
                $crate::percpu::named_sums::<Self, { $name::NAMES.len() }>([$(stringify!($member)),+]).into_iter()
            }

            /// Begins all counts anew, and returns the name and the previous count of each counter.
            pub fn reset(&self) -> [(&'static str, u64); $name::NAMES.len()] {
                $crate::percpu::named_resets::<Self, { $name::NAMES.len() }>([$(stringify!($member)),+])
            }
        }
    )+};
    (@index) => { $crate::ByCpu };
    (@index by_mm_cid) => { $crate::ByMmCid };
}

/// A group of `N` counters that [`percpu_counters!`](crate::percpu_counters) declares.
#[doc(hidden)]
pub trait CounterGroup<const N: usize>: 'static {
    /// The index of the slots.
    type Index: Index;

    /// The counters of the group.
    fn counters() -> &'static Counters<N, Self::Index>;
}

/// A counter of a group that [`percpu_counters!`](crate::percpu_counters) declares: number `I` of `N`.
pub struct CounterMember<G, const N: usize, const I: usize>(PhantomData<fn() -> G>);

impl<G, const N: usize, const I: usize> CounterMember<G, N, I> {
    #[doc(hidden)]
    #[allow(clippy::new_without_default, reason = "members are made by the macro only")]
    pub const fn new() -> Self {
        const { assert!(I < N) };
        Self(PhantomData)
    }
}

impl<G: CounterGroup<N>, const N: usize, const I: usize> CounterMember<G, N, I> {
    /// Adds `count`.
    #[inline]
    pub fn add(&self, count: u64) {
        G::counters().add(I, count);
    }

    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        G::counters().inc(I);
    }

    /// Subtracts `count`.
    #[inline]
    pub fn sub(&self, count: u64) {
        G::counters().add(I, count.wrapping_neg());
    }

    /// The count since the last reset, as [`Counter::sum`](crate::percpu::Counter::sum).
    pub fn sum(&self) -> u64 {
        G::counters().sum(I)
    }

    /// Begins a new count and returns the previous one, as [`Counter::reset`](crate::percpu::Counter::reset).
    pub fn reset(&self) -> u64 {
        G::counters().reset(I)
    }
}

impl<G: CounterGroup<N>, const N: usize, const I: usize> fmt::Debug for CounterMember<G, N, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CounterMember").field(&self.sum()).finish()
    }
}

#[doc(hidden)]
pub fn named_sums<G: CounterGroup<N>, const N: usize>(names: [&'static str; N]) -> [(&'static str, u64); N] {
    named(names, G::counters().sums())
}

#[doc(hidden)]
pub fn named_resets<G: CounterGroup<N>, const N: usize>(names: [&'static str; N]) -> [(&'static str, u64); N] {
    named(names, G::counters().reset_all())
}

fn named<const N: usize>(names: [&'static str; N], counts: [u64; N]) -> [(&'static str, u64); N] {
    let mut counts = counts.into_iter();
    names.map(|name| (name, counts.next().unwrap_or(0)))
}
