//! What is mapped in this process.

use std::fs;
use std::ops::Range;

/// Address ranges of this process that map a file whose path ends with `name`.
pub fn of(name: &str) -> std::io::Result<Vec<Range<usize>>> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let lines = maps.lines().filter(|line| line.ends_with(name));
    Ok(lines.filter_map(|line| range(line.split(' ').next()?)).collect())
}

fn range(text: &str) -> Option<Range<usize>> {
    let (start, end) = text.split_once('-')?;
    let parse = |digits| usize::from_str_radix(digits, 16).ok();
    Some(parse(start)?..parse(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_mapped_and_nonsense_is_not() {
        let own = std::env::current_exe().unwrap();
        let here = this_program_is_mapped_and_nonsense_is_not as *const () as usize;
        let ranges = of(own.to_str().unwrap()).unwrap();
        assert!(ranges.iter().any(|range| range.contains(&here)), "{here:#x} in {ranges:x?}");
        assert!(of("/no/such/file").unwrap().is_empty());
    }
}
