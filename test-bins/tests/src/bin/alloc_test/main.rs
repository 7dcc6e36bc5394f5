//! The heap of programs with `alloc`: exact under load, over forks and drains, registered or not.
#![no_std]
#![no_main]
// Assembly for MIPS is unstable Rust.
#![cfg_attr(any(target_arch = "mips64", target_arch = "mips64r6"), feature(asm_experimental_arch))]

mod control;
mod forks;
mod sizes;
mod trims;

use harness::ktap::Suite;
use harness::options::Options;
use harness::percpu_ops::heap::{self, Blocks};
use harness::{load_usage, mode, program};
use rseq_heap::Heap;
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let mut off = false;
    let usage =
        load_usage!("alloc_test", "a heap with caches for each CPU; with --off in threads that are not registered");
    let mut own = |option: &str| {
        off |= option == "--off";
        option == "--off"
    };
    let options = Options::read_with(usage, &mut own);
    if off && let Err(unmet) = mode::by_hand() {
        return Suite::cannot_start(unmet);
    }
    let mut suite = Suite::new(8);
    suite.test("blocks of all sizes and alignments", &mut sizes::all);
    suite.test("blocks that change their sizes", &mut sizes::resized);
    suite.test("threads that pass blocks on", &mut || {
        static BLOCKS: Blocks<Heap> = Blocks::new(Heap::new());
        heap::exact(&BLOCKS, &options, false)
    });
    suite.test("threads that are released for a while", &mut || {
        static BLOCKS: Blocks<Heap> = Blocks::new(Heap::new());
        heap::exact(&BLOCKS, &options, true)
    });
    suite.test("children that are forked at any moment", &mut || forks::storm(&options));
    suite.test("memory goes back to the kernel", &mut trims::returned);
    suite.test("what a CPU caches is taken from another one", &mut trims::drained);
    suite.test("control: caches without restarts", &mut || control::caught(&options));
    suite.finish()
}
