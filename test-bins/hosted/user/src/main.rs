//! A new project that counts from eight threads: three of its lines are ours.

use rseq_core::percpu::Counter;

static REQUESTS: Counter = Counter::new();

fn main() {
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..100_000).for_each(|_| REQUESTS.add(1)));
        }
    });
    println!("{}", REQUESTS.sum());
}
