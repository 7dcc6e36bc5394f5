//! What is measured: a case is a table of contenders that do the same thing.

use crate::Made;

/// Contenders that do the same thing, and what is expected of them.
#[derive(Debug)]
pub struct Case {
    /// A word, by which the command line selects it.
    pub name: &'static str,
    /// What one operation does, as a sentence without a subject.
    pub operation: &'static str,
    /// The first one is the reference of the ratios.
    pub contenders: &'static [Contender],
    /// What is wanted; shown as met or missed.
    pub goals: &'static [Goal],
    /// The numbers of threads that make sense, if not all do.
    pub threads: Option<&'static [usize]>,
}

/// One way to do it.
#[derive(Debug, Clone, Copy)]
pub struct Contender {
    /// At most 24 characters, unique in its case.
    pub label: &'static str,
    /// Whether it is of this project.
    pub ours: bool,
    /// Makes the state that its threads share.
    pub make: fn() -> Made,
    /// Operations come in multiples of this number.
    pub batch: u64,
}

impl Contender {
    /// One of rseq-core.
    pub const fn ours(label: &'static str, make: fn() -> Made) -> Self {
        Self { label, ours: true, make, batch: 1 }
    }

    /// One of another project.
    pub const fn peer(label: &'static str, make: fn() -> Made) -> Self {
        Self { label, ours: false, make, batch: 1 }
    }

    /// The same with operations in multiples of `batch`, which is not 0.
    pub const fn batch(self, batch: u64) -> Self {
        Self { batch, ..self }
    }
}

/// What a contender is to reach with a number of threads.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    /// The label of the contender.
    pub contender: &'static str,
    /// With so many threads.
    pub threads: usize,
    /// The most that an operation may take.
    pub at_most: Limit,
}

/// What an operation may take.
#[derive(Debug, Clone, Copy)]
pub enum Limit {
    /// So many nanoseconds.
    Nanoseconds(f64),
    /// So many times what the contender with this label takes in the same round.
    Times(f64, &'static str),
}

impl Goal {
    /// At most so many nanoseconds an operation.
    pub const fn nanoseconds(contender: &'static str, threads: usize, at_most: f64) -> Self {
        Self { contender, threads, at_most: Limit::Nanoseconds(at_most) }
    }

    /// At most so many times what `peer` takes.
    pub const fn times(contender: &'static str, threads: usize, at_most: f64, peer: &'static str) -> Self {
        Self { contender, threads, at_most: Limit::Times(at_most, peer) }
    }
}
