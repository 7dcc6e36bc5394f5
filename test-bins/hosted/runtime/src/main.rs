//! A program with a heap, and with a part in C; its argument says what it tries. 0 is success.
#![no_std]
#![no_main]

extern crate alloc;

mod c;
mod forks;
mod heap;
mod panics;
mod system;
mod threads;

use rseq_rt::process::ExitCode;
use rseq_rt::{env, eprintln};

rseq_rt::entry!(main);

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let result = match args.next() {
        Some("forks") => forks::raw(),
        Some("heap") => heap::returned(),
        Some("small-blocks") => heap::small(),
        Some("blocks") => heap::blocks(),
        Some("constructors") => c::constructors(),
        Some("addresses") => c::addresses(),
        Some("canary") => c::canaries(),
        Some("overflow") => c::overflow(),
        Some("panics") => panics::two(),
        Some("panicking-display") => panics::in_display(),
        Some("threads") => threads::many(),
        Some("address") => threads::address(),
        Some("system") => system::all(),
        other => Err(anyhow::anyhow!("no such part: {other:?}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason:#}");
            ExitCode::FAILURE
        }
    }
}
