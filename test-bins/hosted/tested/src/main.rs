//! The static program: it welcomes each of its arguments, the first of which is its own name.
#![cfg_attr(not(test), no_std, no_main)]

#[cfg(not(test))]
rseq_rt::panic_handler!();
rseq_rt::entry!(main);

static VISITS: tested::Visits = tested::Visits::new();

fn main() -> Result<(), rseq_core::sys::Errno> {
    let order = tested::crowd::Order::new([0; 16]);
    tested::crowd::welcome(&VISITS, &order, rseq_rt::env::args().count() as u32)?;
    rseq_rt::println!("{} visits, the last by {}", VISITS.count(), VISITS.last());
    Ok(())
}
