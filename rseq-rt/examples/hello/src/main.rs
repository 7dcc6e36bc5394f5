//! A static program without a libc: arguments, a heap, threads, and a count for each CPU.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use rseq_core::percpu::Counter;
use rseq_core::sys::Errno;
use rseq_rt::{env, eprintln, println, thread};

rseq_rt::entry!(main);

static GREETINGS: Counter = Counter::new();

fn main() -> Result<(), Errno> {
    let mut names: Vec<&str> = env::args().skip(1).collect();
    if names.is_empty() {
        names.push("world");
    }
    thread::scope(|scope| {
        for name in &names {
            scope.spawn(move || {
                println!("Hello, {name}!");
                GREETINGS.add(1);
            })?;
        }
        Ok(())
    })?;
    if let Err(why) = rseq_rt::registration() {
        eprintln!("without rseq: {why}");
    }
    println!("{} greetings", GREETINGS.sum());
    Ok(())
}
