//! Android's packed relocations (`--pack-dyn-relocs=android`), format APS2: groups of signed LEB128 numbers with common
//! parts. Source: bionic's `linker/linker_reloc_iterators.h`.
//!
//! The form without addends (`SHT_ANDROID_REL`) and RELR leave the addend in the file, where it is read anyway.

/// The type of a section with packed relocations that have addends.
pub const SHT_ANDROID_RELA: u32 = 0x6000_0002;

const MAGIC: &[u8] = b"APS2";
/// Flags of a group: what its relocations have in common, and whether they have addends.
const BY_INFO: i64 = 1;
const BY_OFFSET_DELTA: i64 = 2;
const BY_ADDEND: i64 = 4;
const HAS_ADDEND: i64 = 8;

/// A relocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Where the loader writes.
    pub offset: u64,
    /// Symbol and kind.
    pub info: u64,
    /// What it adds.
    pub addend: i64,
}

impl Entry {
    /// Its kind, in a file whose words have so many bytes.
    pub fn kind(&self, class: u64) -> u32 {
        if class == 4 { (self.info & 0xff) as u32 } else { self.info as u32 }
    }
}

/// Reads all of them, each from at least a byte or as a member of a group. A group's members may take no bytes, so
/// there are at most 64 for each byte.
///
/// # Errors
///
/// What is wrong with the bytes; `each` has been called for the relocations before.
pub fn read(bytes: &[u8], each: &mut dyn FnMut(Entry)) -> Result<(), &'static str> {
    let mut numbers = Numbers(bytes.strip_prefix(MAGIC).ok_or("packed relocations that do not begin with APS2")?);
    let mut left = numbers.count()?;
    if left > 64 * bytes.len() as u64 {
        return Err("more packed relocations than fit");
    }
    let mut entry = Entry { offset: numbers.next()? as u64, info: 0, addend: 0 };
    while left > 0 {
        let size = numbers.count()?;
        left = left.checked_sub(size).filter(|_| size > 0).ok_or("a group of packed relocations of another size")?;
        group(&mut numbers, size, &mut entry, each)?;
    }
    Ok(())
}

fn group(
    numbers: &mut Numbers<'_>,
    size: u64,
    entry: &mut Entry,
    each: &mut dyn FnMut(Entry),
) -> Result<(), &'static str> {
    let flags = numbers.next()?;
    let has = |flag| flags & flag != 0;
    let delta = if has(BY_OFFSET_DELTA) { Some(numbers.next()?) } else { None };
    if has(BY_INFO) {
        entry.info = numbers.next()? as u64;
    }
    match (has(HAS_ADDEND), has(BY_ADDEND)) {
        (true, true) => entry.addend = entry.addend.wrapping_add(numbers.next()?),
        (true, false) => {}
        (false, _) => entry.addend = 0,
    }
    for _ in 0..size {
        let delta = delta.map_or_else(|| numbers.next(), Ok)?;
        entry.offset = entry.offset.wrapping_add_signed(delta);
        if !has(BY_INFO) {
            entry.info = numbers.next()? as u64;
        }
        if has(HAS_ADDEND) && !has(BY_ADDEND) {
            entry.addend = entry.addend.wrapping_add(numbers.next()?);
        }
        each(*entry);
    }
    Ok(())
}

/// Signed LEB128.
struct Numbers<'d>(&'d [u8]);

impl Numbers<'_> {
    fn next(&mut self) -> Result<i64, &'static str> {
        let (mut value, mut shift) = (0i64, 0);
        loop {
            let (byte, rest) = self.0.split_first().ok_or("packed relocations that end too early")?;
            self.0 = rest;
            if shift >= 64 {
                return Err("a number in packed relocations that is too long");
            }
            value |= i64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                let sign = byte & 0x40 != 0 && shift < 64;
                return Ok(if sign { value | -1 << shift } else { value });
            }
        }
    }

    fn count(&mut self) -> Result<u64, &'static str> {
        u64::try_from(self.next()?).map_err(|_| "a count below 0 in packed relocations")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<(u64, u64, i64)>, &'static str> {
        let mut entries = Vec::new();
        read(bytes, &mut |entry| entries.push((entry.offset, entry.info, entry.addend))).map(|()| entries)
    }

    #[test]
    fn groups_share_what_they_say() {
        // Three relocations from 0x1000 on: two 8 bytes apart of kind 8 with addends of their own, one alone.
        let bytes = b"APS2\x03\x80\x20\x02\x0b\x08\x08\x10\x7f\x01\x00\x10\x07";
        assert_eq!(all(bytes), Ok(vec![(0x1008, 8, 16), (0x1010, 8, 15), (0x1020, 7, 0)]));
        let shared = b"APS2\x02\x00\x02\x0f\x08\x08\x05";
        assert_eq!(all(shared), Ok(vec![(8, 8, 5), (16, 8, 5)]));
    }

    #[test]
    fn what_is_damaged_is_refused() {
        for bytes in [
            &b"APS1\x01"[..],
            b"APS2",
            b"APS2\x01\x00\x02\x00",
            b"APS2\x01\x00\x00\x00",
            b"APS2\x01\x00\x01\x00\x08",
            b"APS2\x7f\x00",
            b"APS2\xff\xff\xff\x07\x00",
            b"APS2\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00",
        ] {
            assert!(all(bytes).is_err(), "{bytes:02x?}");
        }
    }
}
