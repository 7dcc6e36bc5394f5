//! The static program.
#![cfg_attr(not(test), no_std, no_main)]

#[cfg(not(test))]
rseq_rt::panic_handler!();
rseq_rt::entry!(main);

static VISITS: tested::Visits = tested::Visits::new();

fn main() -> Result<(), rseq_core::sys::Errno> {
    rseq_rt::thread::scope(|scope| {
        for number in 1..=rseq_rt::env::args().count() {
            scope.spawn(move || VISITS.welcome(number as u32))?;
        }
        Ok(())
    })?;
    rseq_rt::println!("{} visits, the last by {}", VISITS.count(), VISITS.last());
    Ok(())
}
