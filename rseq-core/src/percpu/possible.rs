//! How many CPUs there can be.

use crate::sys::{self, Errno};
use core::fmt;

/// The possible CPUs of this machine: online ones, and those that may come online later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PossibleCpus {
    highest: u32,
    count: u32,
}

/// A list of CPUs that the kernel did not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError;

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a list of CPUs such as 0,2-5")
    }
}

impl core::error::Error for ParseError {}

impl PossibleCpus {
    /// No kernel takes a CPU number above this one.
    const LIMIT: u32 = 1 << 20;

    /// Reads `/sys/devices/system/cpu/possible`; without sysfs, the size of the kernel's affinity masks is an upper bound.
    ///
    /// # Errors
    ///
    /// The kernel's, if it tells neither.
    pub fn read() -> Result<Self, Errno> {
        let mut text = [0; 1024];
        match sys::read_file(c"/sys/devices/system/cpu/possible", &mut text) {
            Ok(list) => Self::parse(list).or_else(|_| Self::bound()),
            Err(_) => Self::bound(),
        }
    }

    /// The upper bound that `sched_getaffinity` gives: eight CPUs for each byte of its mask.
    fn bound() -> Result<Self, Errno> {
        let count = sys::affinity_mask_size()? as u32 * 8;
        Ok(Self { highest: count - 1, count })
    }

    /// Parses a list such as `0,2-5`, in ascending order, with or without a newline.
    ///
    /// # Errors
    ///
    /// [`ParseError`].
    pub fn parse(list: &[u8]) -> Result<Self, ParseError> {
        let list = list.strip_suffix(b"\n").unwrap_or(list);
        let (mut next, mut count) = (0, 0);
        for range in list.split(|&byte| byte == b',') {
            let (first, last) = parse_range(range)?;
            if first < next || last < first || last > Self::LIMIT {
                return Err(ParseError);
            }
            count += last - first + 1;
            next = last + 1;
        }
        Ok(Self { highest: next - 1, count })
    }

    /// Slots that storage by CPU needs: CPU numbers may have gaps.
    pub const fn slots_by_cpu(self) -> usize {
        self.highest as usize + 1
    }

    /// Slots that storage by concurrency ID needs.
    pub const fn slots_by_mm_cid(self) -> usize {
        self.count as usize
    }

    /// How many CPUs are possible.
    pub const fn count(self) -> u32 {
        self.count
    }

    /// The highest possible CPU number.
    pub const fn highest(self) -> u32 {
        self.highest
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
    use super::*;

    fn parsed(list: &str) -> Option<(u32, u32)> {
        PossibleCpus::parse(list.as_bytes()).ok().map(|cpus| (cpus.highest, cpus.count))
    }

    #[test]
    fn lists_of_real_machines() {
        assert_eq!(parsed("0\n"), Some((0, 1)));
        assert_eq!(parsed("0-1\n"), Some((1, 2)));
        assert_eq!(parsed("0,2-5\n"), Some((5, 5)));
        assert_eq!(parsed("0-3,8-11,64"), Some((64, 9)));
        assert_eq!(parsed("0-8191\n"), Some((8191, 8192)));
    }

    #[test]
    fn hostile_lists() {
        for list in
            ["", "\n", ",", "0,", "-", "1-", "-1", "3-1", "2,1", "1,1", "0-4294967295", "99999999999", "0 1", "a"]
        {
            assert_eq!(parsed(list), None, "{list:?}");
        }
    }

    #[test]
    fn this_machine_has_a_cpu() {
        let cpus = PossibleCpus::read().unwrap();
        assert!(cpus.count() >= 1 && cpus.highest() + 1 >= cpus.count());
    }
}
