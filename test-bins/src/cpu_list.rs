//! The kernel's CPU lists, such as `0,2-5`.

/// The inclusive ranges of a list; `None` for a part that is not one.
pub fn ranges(list: &[u8]) -> impl Iterator<Item = Option<(u32, u32)>> + '_ {
    let text = core::str::from_utf8(list).unwrap_or("?").trim();
    text.split(',').filter(|part| !part.is_empty()).map(range)
}

/// The highest CPU number of a list; `None` when it is empty or malformed.
pub fn highest(list: &[u8]) -> Option<u32> {
    let mut highest = None;
    for range in ranges(list) {
        let (_, last) = range?;
        highest = highest.max(Some(last));
    }
    highest
}

fn range(part: &str) -> Option<(u32, u32)> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}
