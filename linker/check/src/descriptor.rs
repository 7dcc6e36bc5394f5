//! A critical section's descriptor.

use crate::rule::{Finding, Rule};

/// The most bytes of a section: none is nearly as long.
const LONGEST: u64 = 64 << 10;

/// A descriptor that could be read.
pub struct Descriptor {
    pub address: u64,
    pub start: u64,
    pub end: u64,
    pub abort: u64,
    pub thumb: bool,
    /// Whether its addresses are sound enough to look at the code.
    pub sound: bool,
}

impl Descriptor {
    /// Whether its code is looked at.
    pub fn is_short(&self) -> bool {
        self.end - self.start <= LONGEST
    }

    /// A finding about its section.
    pub fn finding(&self, rule: Rule, fault: &str) -> Finding {
        Finding::new(rule, format!("the section at {:#x} (descriptor {:#x}) {fault}", self.start, self.address))
    }
}
