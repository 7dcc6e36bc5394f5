//! A static example: its panic ends it with 101.
#![cfg_attr(not(test), no_std, no_main)]

#[cfg(not(test))]
rseq_rt::panic_handler!();
rseq_rt::entry!(main);

fn main() {
    rseq_rt::println!("an example");
    assert!(rseq_rt::env::args().count() > 1, "without arguments");
}
