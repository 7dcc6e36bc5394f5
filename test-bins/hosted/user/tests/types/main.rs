//! Each public type, used as its documentation says, by threads without preparation.

mod free_lists;
mod regions;
mod rings;
mod statistics;
mod values;

use std::thread;

const THREADS: usize = 8;

fn in_threads(work: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        for number in 0..THREADS {
            let work = &work;
            scope.spawn(move || work(number));
        }
    });
}
