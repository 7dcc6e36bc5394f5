//! Every contender of every case, for a few thousand operations: nothing is lost.

use std::io::{Write, stderr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::yield_now;

use bench::{Contender, Made, cases, exercise, expect, repeat, workload};

#[test]
fn no_contender_loses_anything() {
    for case in cases::ALL {
        for contender in case.contenders {
            if let Err(reason) = (contender.make)() {
                // Also where the test passes, which hides what `eprintln` writes.
                let _ = writeln!(stderr(), "skipped: {}, {}: {reason:#}", case.name, contender.label);
                continue;
            }
            for &threads in case.threads.unwrap_or(&[1, 2, 4]) {
                exercise(contender, threads, 2000).unwrap_or_else(|error| {
                    panic!("{}, {}, {threads} threads: {error:#}", case.name, contender.label);
                });
            }
        }
    }
}

/// An addition in two halves.
fn racy() -> Made {
    let run = |count: &AtomicU64, operations| {
        repeat(operations, || {
            let before = count.load(Relaxed);
            yield_now();
            count.store(before + 1, Relaxed);
        })
    };
    workload(AtomicU64::new(0), run, |count, done| expect(count.load(Relaxed), done))
}

#[test]
fn lost_counts_are_noticed() {
    let lost = exercise(&Contender::peer("racy", racy), 4, 2000).unwrap_err().to_string();
    assert!(lost.starts_with("counted ") && lost.ends_with(" operations of 8000"), "{lost}");
}
