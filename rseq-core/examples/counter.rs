//! A count from eight threads: three of these lines are rseq's.
//!
//! With the feature `std` it counts by sections where the libc registers no threads, too:
//! `cargo run --release -p rseq-core --example counter` on glibc, which registers them.

use rseq_core::percpu::Counter;
use std::thread;

static REQUESTS: Counter = Counter::new();

fn main() {
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..1_000_000).for_each(|_| REQUESTS.add(1)));
        }
    });
    println!("{} requests; rseq is {}", REQUESTS.sum(), rseq_core::status());
    assert_eq!(REQUESTS.sum(), 8_000_000);
}
