//! Whether sections are on in a program that registers no threads, and eight threads that count either way.

use rseq_core::percpu::Counter;
use std::process::ExitCode;
use std::thread;

static COUNTER: Counter = Counter::new();

fn main() -> ExitCode {
    const THREADS: u64 = 8;
    const TIMES: u64 = 10_000;
    println!("{}", rseq_core::status());
    thread::scope(|scope| {
        (0..THREADS).for_each(|_| drop(scope.spawn(|| (0..TIMES).for_each(|_| COUNTER.inc()))));
    });
    println!("{} of {}", COUNTER.sum(), THREADS * TIMES);
    ExitCode::from(u8::from(COUNTER.sum() != THREADS * TIMES))
}
