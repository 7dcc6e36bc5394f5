//! Logarithmic axes.

/// From values to places.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// `low` is at `from` and `high` at `to`; both are above 0 and not equal.
    pub fn new(low: f64, high: f64, from: f64, to: f64) -> Self {
        Self { low, high, from, to }
    }

    /// The same, widened to the next ticks.
    pub fn around(low: f64, high: f64, from: f64, to: f64) -> Self {
        let low = low.max(0.01);
        let below = all_ticks().take_while(|&tick| tick <= low).last().unwrap_or(low);
        let above = all_ticks().find(|&tick| tick >= high && tick > below).unwrap_or(high);
        Self::new(below, above, from, to)
    }

    /// Where a value is.
    pub fn at(&self, value: f64) -> f64 {
        let part = (value.max(self.low) / self.low).ln() / (self.high / self.low).ln();
        self.from + part * (self.to - self.from)
    }

    /// Round values from the lowest to the highest.
    pub fn ticks(&self) -> impl Iterator<Item = f64> {
        let Self { low, high, .. } = *self;
        all_ticks().skip_while(move |&tick| tick < low).take_while(move |&tick| tick <= high)
    }
}

/// 0.01, 0.02, 0.05, 0.1 and so on.
fn all_ticks() -> impl Iterator<Item = f64> {
    let digits = [1.0, 2.0, 5.0];
    // A quotient is the number that its decimal notation names; a product with 0.01 need not be.
    (0..12).flat_map(move |decade| digits.map(|digit| digit * f64::from(10).powi(decade) / 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_ticks_around_its_values() {
        let scale = Scale::around(0.6, 43.0, 100.0, 0.0);
        assert_eq!(scale.ticks().collect::<Vec<_>>(), [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0]);
        assert_eq!((scale.at(0.5), scale.at(50.0), scale.at(5.0).round()), (100.0, 0.0, 50.0));
        assert_eq!(Scale::around(2.0, 2.0, 0.0, 1.0).ticks().collect::<Vec<_>>(), [2.0, 5.0]);
    }
}
