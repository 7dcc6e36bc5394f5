//! The steps of `section/arithmetic.rs` as data.

/// An arithmetic step: it takes a register and a value, and writes the register.
#[derive(Clone, Copy, Debug)]
pub struct Arithmetic {
    /// Its name.
    pub name: &'static str,
    /// The register's value after it, from the one before it and the other operand's.
    pub compute: fn(usize, usize) -> usize,
}

macro_rules! all {
    ($($step:ident($r:ident, $x:ident) = $result:expr, $effect:literal;)+) => {
        &[$(Arithmetic { name: stringify!($step), compute: |$r, $x| $result }),+]
    };
}

impl Arithmetic {
    /// All of them.
    pub const ALL: &[Self] = crate::__rseq_arithmetic!([all]);

    /// The one that is called so.
    #[inline]
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|step| step.name == name)
    }
}
