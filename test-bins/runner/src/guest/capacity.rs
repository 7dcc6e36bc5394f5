//! How many guests have room side by side.

use std::fs;
use std::thread;

/// What QEMU itself needs beside a guest's memory, in MiB.
const OVERHEAD: u64 = 256;

/// How many guests run at a time: no more than cores, with two of their CPUs' threads on each (they wait for each other
/// more than they work), within three quarters of the memory that is free. `largest` is a guest's memory in MiB.
pub fn jobs(largest: u32, threads: u32, cells: usize) -> usize {
    let free = available(&fs::read_to_string("/proc/meminfo").unwrap_or_default());
    fit(cores(), free, largest, threads).min(cells.max(1))
}

/// The cores that this process may use.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get())
}

fn fit(cores: usize, available: Option<u64>, largest: u32, threads: u32) -> usize {
    let each = u64::from(largest) + OVERHEAD;
    let room = available.map_or(1, |mebibytes| mebibytes * 3 / 4 / each);
    let abreast = 2 * cores / threads.max(2) as usize;
    abreast.min(usize::try_from(room).unwrap_or(usize::MAX)).max(1)
}

/// MiB that are free or can be freed.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
}

#[cfg(test)]
mod tests {
    // Whole paths: the module is also part of tests/boot.rs, without its tests.
    #[test]
    fn cores_and_memory_bound_the_guests() {
        assert_eq!(super::fit(2, Some(24_000), 512, 2), 2);
        assert_eq!(super::fit(2, Some(24_000), 512, 1), 2);
        assert_eq!(super::fit(4, Some(24_000), 512, 4), 2);
        assert_eq!(super::fit(1, Some(24_000), 512, 8), 1);
        assert_eq!(super::fit(64, Some(8_192), 768, 2), 6);
        assert_eq!(super::fit(8, Some(100), 1024, 2), 1);
        assert_eq!(super::fit(8, None, 512, 2), 1);
    }

    #[test]
    fn free_memory_is_read() {
        assert_eq!(super::available("MemTotal: 1 kB\nMemAvailable:   24576000 kB\n"), Some(24_000));
        assert_eq!(super::available(""), None);
    }
}
