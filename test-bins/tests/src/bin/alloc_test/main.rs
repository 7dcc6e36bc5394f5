//! The heap of programs with `alloc`: exact under load, over forks and drains, registered or not.
#![no_std]
#![no_main]
// Assembly for MIPS is unstable Rust.
#![cfg_attr(any(target_arch = "mips64", target_arch = "mips64r6"), feature(asm_experimental_arch))]

mod control;
mod forks;
mod sizes;
mod trims;

use harness::options;
use harness::percpu_ops::heap::{self, Blocks};
use harness::{load_usage, program, require, tests};
use rseq_heap::Heap;
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let usage =
        load_usage!("alloc_test", "a heap with caches for each CPU; with --off in threads that are not registered");
    let options = require!(options::read_with_off(usage));
    tests! {
        "blocks of all sizes and alignments" => sizes::all(),
        "blocks that change their sizes" => sizes::resized(),
        "threads that pass blocks on" => {
            static BLOCKS: Blocks<Heap> = Blocks::new(Heap::new());
            heap::exact(&BLOCKS, &options, false)
        },
        "threads that are released for a while" => {
            static BLOCKS: Blocks<Heap> = Blocks::new(Heap::new());
            heap::exact(&BLOCKS, &options, true)
        },
        "children that are forked at any moment" => forks::storm(&options),
        "memory goes back to the kernel" => trims::returned(),
        "what a CPU caches is taken from another one" => trims::drained(),
        "control: caches without restarts" => control::caught(&options),
    }
}
