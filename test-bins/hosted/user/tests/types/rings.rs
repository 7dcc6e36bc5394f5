//! Records of any length: for one consumer, for one of each CPU, and those that overwrite.

use crate::{THREADS, in_threads};
use rseq_core::ByMmCid;
use rseq_core::percpu::{PossibleCpus, Ring};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::thread;
use std::time::Duration;

#[test]
fn a_ring() {
    static TRACE: Ring = Ring::new(64 * 1024);
    in_threads(|number| {
        TRACE.push(format!("thread {number}").as_bytes()).unwrap();
        TRACE.push_words(&[number, number]).unwrap();
        let mut record = TRACE.reserve(4).unwrap();
        record.write(0, b"done");
        record.commit();
        drop(TRACE.reserve(100).unwrap());
    });
    let mut consumer = TRACE.consumer().unwrap();
    assert!(TRACE.consumer().is_err());
    let (mut done, mut words) = (0, 0);
    let count = consumer.read(|record| match record.bytes() {
        b"done" => done += 1,
        text if text.starts_with(b"thread ") => {}
        _ => words += record.words().len(),
    });
    assert_eq!((count, done, words), (3 * THREADS, THREADS, 2 * THREADS));
    let totals = TRACE.totals();
    assert_eq!((totals.read, totals.dropped, totals.abandoned), (24, 0, 8));
}

#[test]
fn a_ring_with_a_consumer_for_each_cpu() {
    static TRACE: Ring = Ring::new(1 << 20);
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    let consume = |index: Option<u32>| {
        let mut consumer = TRACE.consumer_of(index).unwrap();
        // By thread: the number of its records so far, which begins each of them.
        let mut counts = [0; THREADS];
        let mut next = [0; THREADS];
        loop {
            let is_over = IS_OVER.load(Acquire); // before the last look
            let count = consumer.read(|record| {
                let &[thread, number] = record.words() else { panic!("{} words", record.words().len()) };
                assert!(record.index() == index && number >= next[thread], "{number} of thread {thread} in {index:?}");
                next[thread] = number + 1;
                counts[thread] += 1;
            });
            match count {
                0 if is_over => return counts,
                0 => thread::sleep(Duration::from_micros(100)),
                _ => {}
            }
        }
    };
    let counts = thread::scope(|scope| {
        let cpus = PossibleCpus::read().unwrap();
        let indices = cpus.iter().map(Some).chain([None]);
        let consumers: Vec<_> = indices.map(|index| scope.spawn(move || consume(index))).collect();
        in_threads(|thread| (0..1000).for_each(|number| TRACE.push_words(&[thread, number]).unwrap()));
        IS_OVER.store(true, Release);
        consumers.into_iter().map(|consumer| consumer.join().unwrap()).collect::<Vec<_>>()
    });
    for thread in 0..THREADS {
        assert_eq!(counts.iter().map(|counts| counts[thread]).sum::<usize>(), 1000, "thread {thread}");
    }
    assert_eq!(TRACE.totals().read, 1000 * THREADS as u64);
}

#[test]
fn a_ring_that_overwrites() {
    let ring: Ring<ByMmCid> = Ring::overwriting(1000);
    (0..1000usize).for_each(|number| ring.push_words(&[number]).unwrap());
    let mut last = 0;
    ring.consumer().unwrap().read(|record| last = record.words()[0]);
    let totals = ring.totals();
    assert!(last == 999 && totals.overwritten > 0 && totals.read + totals.overwritten == 1000, "{totals:?}");
}
