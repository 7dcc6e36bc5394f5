//! Guests side by side, as many as cores and memory allow.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What QEMU itself needs beside a guest's memory, in MiB.
const OVERHEAD: u64 = 256;

/// How many guests run at a time: one for each core (a guest's CPUs wait for each other more than they work), within three
/// quarters of the memory that is free.
pub fn jobs(largest: u32, cells: usize) -> usize {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    fit(cores, available(&fs::read_to_string("/proc/meminfo").unwrap_or_default()), largest).min(cells.max(1))
}

fn fit(cores: usize, available: Option<u64>, largest: u32) -> usize {
    let each = u64::from(largest) + OVERHEAD;
    let room = available.map_or(1, |mebibytes| mebibytes * 3 / 4 / each);
    cores.min(usize::try_from(room).unwrap_or(usize::MAX)).max(1)
}

/// MiB that are free or can be freed.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
}

/// Calls `work` on every item, `jobs` at a time, and `each` with every result as it comes; results are in the items' order.
pub fn run<T: Sync, R: Send>(
    items: &[T],
    jobs: usize,
    work: impl Fn(&T) -> R + Sync,
    each: impl Fn(&T, &R) + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    thread::scope(|scope| {
        for _ in 0..jobs.max(1).min(items.len()) {
            scope.spawn(|| {
                while let Some(number) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&number| number < items.len())
                {
                    let result = work(&items[number]);
                    each(&items[number], &result);
                    *results[number].lock().unwrap_or_else(|held| held.into_inner()) = Some(result);
                }
            });
        }
    });
    results.into_iter().filter_map(|result| result.into_inner().unwrap_or_else(|held| held.into_inner())).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn cores_and_memory_bound_the_guests() {
        assert_eq!(fit(2, Some(24_000), 512), 2);
        assert_eq!(fit(64, Some(8_192), 768), 6);
        assert_eq!(fit(8, Some(100), 1024), 1);
        assert_eq!(fit(8, None, 512), 1);
    }

    #[test]
    fn free_memory_is_read() {
        assert_eq!(available("MemTotal: 1 kB\nMemAvailable:   24576000 kB\n"), Some(24_000));
        assert_eq!(available(""), None);
    }

    #[test]
    fn all_run_in_order_and_never_too_many_at_once() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let items: Vec<_> = (0..20).collect();
        let work = |item: &i32| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(5));
            now.fetch_sub(1, Ordering::SeqCst);
            item * 2
        };
        let results = run(&items, 3, work, |_, _| {});
        assert_eq!(results, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(most.into_inner(), 3);
    }
}
