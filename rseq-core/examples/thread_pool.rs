//! A thread pool whose jobs keep statistics: the pool's threads are not prepared, and jobs move between them.
//!
//! `cargo run --release -p rseq-core --example thread_pool`

use rseq_core::percpu::{Gauge, Histogram, Max};
use rseq_core::percpu_counters;
use std::time::Instant;

percpu_counters! {
    /// What the jobs have done, for an exporter.
    static STATS: { jobs, lines, errors }
}

/// Jobs that run or wait.
static PENDING: Gauge = Gauge::new();

/// How long jobs took, in microseconds.
static MICROS: Histogram<160> = Histogram::new();
static LONGEST: Max = Max::new();

const REQUESTS: usize = 2_000;

/// A request of some lines, of which each third is an error.
fn request(number: usize) -> String {
    (0..number % 100).map(|line| if line % 3 == 2 { "GET\n" } else { "GET /index.html\n" }).collect()
}

fn handle(request: &str) {
    let start = Instant::now();
    for line in request.lines() {
        STATS.lines.inc();
        if line.split(' ').nth(1).is_none() {
            STATS.errors.inc();
        }
    }
    let micros = start.elapsed().as_micros() as u64;
    MICROS.record(micros);
    LONGEST.record(micros);
    STATS.jobs.inc();
    PENDING.dec();
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = rayon_core::ThreadPoolBuilder::new().num_threads(8).build()?;
    pool.scope(|scope| {
        for number in 0..REQUESTS {
            PENDING.inc();
            scope.spawn(move |_| handle(&request(number)));
        }
    });
    println!("rseq: {}", rseq_core::status());
    for (name, count) in STATS.iter() {
        println!("{name} {count}");
    }
    println!("microseconds, at most {}:\n{}", LONGEST.value(), MICROS.snapshot());

    let lines = (0..REQUESTS).map(|number| number % 100).sum::<usize>() as u64;
    assert_eq!((STATS.jobs.sum(), STATS.lines.sum()), (REQUESTS as u64, lines));
    assert_eq!((MICROS.snapshot().count(), PENDING.value()), (REQUESTS as u64, 0));
    Ok(())
}
