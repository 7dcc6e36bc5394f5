//! A plugin that counts what it handles, from any thread of the program that loads it.
//!
//! Its counter finds the registration that the libc has made for the thread, and works by an atomic instruction where
//! there is none.

use rseq_core::percpu::Counter;

static HANDLED: Counter = Counter::new();

/// Handles a request.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_handle() {
    HANDLED.inc();
}

/// Requests that were handled since the plugin was loaded.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_handled() -> u64 {
    HANDLED.sum()
}
