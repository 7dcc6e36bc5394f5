//! A library that brings its own copy of `rseq-core`.

use rseq_core::percpu::Counter;

static COUNTER: Counter = Counter::new();

/// Adds 1, `times` times.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_count(times: u64) {
    (0..times).for_each(|_| COUNTER.inc());
}

/// The count of all threads.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_sum() -> u64 {
    COUNTER.sum()
}

/// Whether this thread's sections are on in this library.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_is_on() -> bool {
    matches!(rseq_core::status(), rseq_core::Status::On(_))
}
