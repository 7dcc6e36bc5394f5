//! Medians and quartiles.

use serde::{Deserialize, Serialize};

/// The middle of some values, and where their lowest quarter ends and their highest begins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quartiles {
    /// A quarter of the values are at most this.
    pub low: f64,
    /// Half of the values are at most this.
    pub median: f64,
    /// Three quarters of the values are at most this.
    pub high: f64,
}

impl Quartiles {
    /// Those of `values`, each one of them (the lower of two); None without values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<_> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        Some(Self { low: sorted[last / 4], median: sorted[last / 2], high: sorted[last * 3 / 4] })
    }

    /// Those of the quotients of values of the same round.
    pub fn of_ratios(values: &[f64], references: &[f64]) -> Option<Self> {
        Self::of(values.iter().zip(references).map(|(value, reference)| value / reference))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_values() {
        let of = |values: &[f64]| Quartiles::of(values.iter().copied());
        assert_eq!(of(&[9.0, 1.0, 3.0, 2.0, 9.5]), Some(Quartiles { low: 2.0, median: 3.0, high: 9.0 }));
        assert_eq!(of(&[2.0, 1.0]), Some(Quartiles { low: 1.0, median: 1.0, high: 1.0 }));
        assert_eq!(of(&[4.0]), Some(Quartiles { low: 4.0, median: 4.0, high: 4.0 }));
        assert_eq!(of(&[]), None);
    }

    /// The quotient of the medians would be 3.
    #[test]
    fn a_ratio_is_taken_within_a_round() {
        let (values, references) = ([6.0, 1.0, 8.0], [1.0, 2.0, 4.0]);
        assert_eq!(Quartiles::of_ratios(&values, &references), Some(Quartiles { low: 0.5, median: 2.0, high: 2.0 }));
        assert_eq!(Quartiles::of_ratios(&[], &[]), None);
    }
}
