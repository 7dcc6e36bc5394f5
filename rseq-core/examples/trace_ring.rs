//! A tracer: threads write events to a ring of each CPU, at the cost of a few stores, and one thread collects them.
//!
//! `cargo run --release -p rseq-core --example trace_ring`

use rseq_core::percpu::{Record, Ring};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// 256 KiB for each CPU that writes. While a ring is full, new events are dropped.
static TRACE: Ring = Ring::new(256 * 1024);

static IS_OVER: AtomicBool = AtomicBool::new(false);

const THREADS: usize = 4;
const EVENTS: usize = 200_000;

/// An event of four words, with a time stamp: rings know no order between CPUs.
fn trace(start: Instant, thread: usize, event: usize) {
    // A full ring counts what it drops: a tracer continues.
    let _ = TRACE.push_words(&[start.elapsed().as_nanos() as usize, thread, event, event * 3]);
}

/// An event with a text, written in place.
fn trace_text(start: Instant, text: &str) {
    if let Ok(mut record) = TRACE.reserve(8 + text.len()) {
        record.write(0, &(start.elapsed().as_nanos() as u64).to_ne_bytes());
        record.write(8, text.as_bytes());
        record.commit();
    }
}

/// What the collector has seen.
#[derive(Default)]
struct Collected {
    events: usize,
    texts: Vec<String>,
    /// A bit for each CPU below 64.
    cpus: u64,
}

impl Collected {
    fn take(&mut self, record: Record<'_>) {
        match record.words() {
            [_time, thread, event, tripled] if *thread < THREADS => {
                assert_eq!(*tripled, event * 3, "a torn record");
                self.events += 1;
            }
            _ => self.texts.push(String::from_utf8_lossy(&record[8..]).into_owned()),
        }
        self.cpus |= record.index().map_or(0, |cpu| 1u64.checked_shl(cpu).unwrap_or(0));
    }
}

fn collect() -> Collected {
    let mut consumer = TRACE.consumer().expect("there is no other consumer");
    let mut collected = Collected::default();
    loop {
        let is_over = IS_OVER.load(Ordering::Acquire); // before the last look
        if consumer.read(|record| collected.take(record)) == 0 {
            if is_over {
                return collected;
            }
            thread::sleep(Duration::from_micros(100));
        }
    }
}

fn main() {
    let start = Instant::now();
    let collector = thread::spawn(collect);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                (0..EVENTS).for_each(|event| trace(start, thread, event));
                trace_text(start, &format!("thread {thread} is done"));
            });
        }
    });
    IS_OVER.store(true, Ordering::Release);
    let collected = collector.join().expect("the collector has not panicked");
    let totals = TRACE.totals();
    println!("rseq: {}", rseq_core::status());
    println!("{} events and {} texts of {} CPUs", collected.events, collected.texts.len(), collected.cpus.count_ones());
    println!("{} dropped, in {:?}", totals.dropped, start.elapsed());
    assert_eq!(totals.read + totals.dropped, (THREADS * (EVENTS + 1)) as u64);
}
