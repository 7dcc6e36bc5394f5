//! The kernel's lists of CPUs, such as `0,2-5`.

use core::fmt;
use core::ops::RangeInclusive;

/// A list of CPUs that the kernel did not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError;

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a list of CPUs such as 0,2-5")
    }
}

impl core::error::Error for ParseError {}

/// The ranges of a list, ascending and apart; the files below `/sys/devices/system/cpu` hold such lists. An empty list
/// has none. Nothing after a [`ParseError`] is read.
#[derive(Clone, Debug)]
pub struct CpuRanges<'t> {
    rest: Option<&'t [u8]>,
    next: u32,
}

impl<'t> CpuRanges<'t> {
    /// No kernel takes a CPU number above this one.
    const LIMIT: u32 = 1 << 20;

    /// The ranges of `list`, with or without a newline at its end.
    pub fn of(list: &'t [u8]) -> Self {
        let list = list.strip_suffix(b"\n").unwrap_or(list);
        Self { rest: (!list.is_empty()).then_some(list), next: 0 }
    }

    fn check(&self, range: &[u8]) -> Result<RangeInclusive<u32>, ParseError> {
        let (first, last) = parse_range(range)?;
        if first < self.next || last < first || last > Self::LIMIT {
            return Err(ParseError);
        }
        Ok(first..=last)
    }
}

impl Iterator for CpuRanges<'_> {
    type Item = Result<RangeInclusive<u32>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let list = self.rest.take()?;
        let (range, rest) = match list.iter().position(|&byte| byte == b',') {
            Some(comma) => (&list[..comma], Some(&list[comma + 1..])),
            None => (list, None),
        };
        let range = self.check(range);
        if let Ok(range) = &range {
            (self.rest, self.next) = (rest, range.end() + 1);
        }
        Some(range)
    }
}

fn parse_range(range: &[u8]) -> Result<(u32, u32), ParseError> {
    match range.iter().position(|&byte| byte == b'-') {
        Some(dash) => Ok((parse_number(&range[..dash])?, parse_number(&range[dash + 1..])?)),
        None => parse_number(range).map(|cpu| (cpu, cpu)),
    }
}

fn parse_number(digits: &[u8]) -> Result<u32, ParseError> {
    if digits.is_empty() {
        return Err(ParseError);
    }
    digits.iter().try_fold(0u32, |number, &digit| {
        let digit = char::from(digit).to_digit(10).ok_or(ParseError)?;
        number.checked_mul(10).and_then(|number| number.checked_add(digit)).ok_or(ParseError)
    })
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn ranges(list: &str) -> Result<Vec<(u32, u32)>, ParseError> {
        CpuRanges::of(list.as_bytes()).map(|range| range.map(|range| (*range.start(), *range.end()))).collect()
    }

    #[test]
    fn lists_of_real_machines() {
        assert_eq!(ranges("0\n"), Ok(vec![(0, 0)]));
        assert_eq!(ranges("0,2-5\n"), Ok(vec![(0, 0), (2, 5)]));
        assert_eq!(ranges("0-3,8-11,64"), Ok(vec![(0, 3), (8, 11), (64, 64)]));
        assert_eq!(ranges("\n"), Ok(vec![]), "no CPU is offline");
    }

    #[test]
    fn nothing_follows_an_error() {
        let mut ranges = CpuRanges::of(b"0,x,2");
        assert_eq!(ranges.next(), Some(Ok(0..=0)));
        assert_eq!((ranges.next(), ranges.next()), (Some(Err(ParseError)), None));
    }
}
