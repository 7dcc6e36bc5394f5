//! The same as the program, on std. A panic ends it with 101.
#![cfg_attr(not(test), no_std, no_main)]

use library::{Order, Visits, welcome};

#[cfg(not(test))]
rseq_rt::panic_handler!();
rseq_rt::entry!(main);

static VISITS: Visits = Visits::new();

fn main() -> Result<(), rseq_core::sys::Errno> {
    let order = Order::new([0; 16]);
    welcome(&VISITS, &order, rseq_rt::env::args().count() as u32)?;
    rseq_rt::println!("{} visits, the last by {}", VISITS.count(), VISITS.last());
    assert!(VISITS.count() > 1, "nobody came");
    Ok(())
}
