//! What goes into a section: which part of an index counts, and operands under any name.
#![no_std]
#![no_main]

use harness::args;
use harness::delayed::{few_named_like_operands, named_like_operands};
use harness::each_cpu::on_each_cpu;
use harness::index::Here;
use harness::ktap::Verdict;
use harness::{ensure, program, registration, require, tests};
use rseq_core::ops::librseq::{self, load_add_store, load_cbne_memcpy_store, load_cbne_store};
use rseq_core::{Aborted, Committed, OwnArea, Relaxed};
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

const USAGE: &str = "operand_test: indexes and operands of critical sections\n\
usage: operand_test [--short]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    args::only_short(USAGE);
    let token = require!(registration::token());
    tests! {
        "the low 32 bits of a word name a CPU" => on_each_cpu(&mut |cpu| low_bits_name_it(token, cpu)),
        "a section may name its operands as it likes" => on_each_cpu(&mut |cpu| named_freely(token, cpu)),
        "a copy has any length, from and to any address" => on_each_cpu(&mut |cpu| copied(token, cpu)),
    }
}

/// The longest copy.
const LONGEST: usize = 64;
/// Ends of a copy lie at this many places, one after the other: more than a register's bytes.
const PLACES: usize = 17;
/// Bytes before and after the copied ones, which must stay.
const AROUND: usize = 8;

/// Each byte that is copied arrives, and no other is written.
fn copied(token: Here, cpu: u32) -> Verdict {
    let from: [u8; PLACES + LONGEST] = core::array::from_fn(|at| at as u8 + 1);
    for (length, source, target) in lengths_and_places() {
        let (mut to, mut word) = ([0u8; AROUND + PLACES + LONGEST + AROUND], 0usize);
        let (start, v) = (AROUND + target, &raw mut word);
        let (dst, src) = (to.as_mut_ptr().wrapping_add(start), from.as_ptr().wrapping_add(source));
        let cpu = cpu as usize;
        // SAFETY: `v` is a local; `length` bytes of two other locals begin at `src` and `dst`, as a place is below
        // PLACES and the length at most LONGEST; a CPU number is not -1 or -2.
        let done = until_not_aborted(|| unsafe {
            load_cbne_memcpy_store::<Relaxed, OwnArea, _>(token, cpu, v, 0, dst, src, length, 1)
        });
        // SAFETY: locals; volatile, because the section wrote them without the compiler's knowledge.
        let (to, word) = unsafe { ((&raw const to).read_volatile(), v.read_volatile()) };
        let expected = |at: usize| if at.wrapping_sub(start) < length { from[at - start + source] } else { 0 };
        let wrong = (0..to.len()).find(|&at| to[at] != expected(at));
        ensure!(done.is_ok() && word == 1, "{length} bytes: the section does not commit");
        ensure!(wrong.is_none(), "{length} bytes from {source} to {target}: byte {wrong:?} of the target is wrong");
    }
    Ok(())
}

fn lengths_and_places() -> impl Iterator<Item = (usize, usize, usize)> {
    let ends = || (0..PLACES).flat_map(|source| (0..PLACES).map(move |target| (source, target)));
    (0..=LONGEST).flat_map(move |length| ends().map(move |(source, target)| (length, source, target)))
}

/// The same on every architecture: those that compare words take the low 32 bits of them.
fn low_bits_name_it(token: Here, cpu: u32) -> Verdict {
    let mut word = 0usize;
    let (v, above) = (&raw mut word, (u32::MAX as usize).wrapping_add(1));
    for upper in [0, above, above << 15, above.wrapping_neg()] {
        let (here, elsewhere) = (upper | cpu as usize, upper | (cpu as usize + 1));
        // SAFETY: `v` is a local of this thread, and a CPU number is not -1 or -2.
        let stored = until_not_aborted(|| unsafe { load_cbne_store(token, here, v, 0, 0) });
        // SAFETY: as above.
        let refused = unsafe { load_add_store(token, elsewhere, v, 1) };
        ensure!(stored.is_ok() && refused == Err(Aborted), "CPU {cpu}, the upper half of the word {upper:#x}");
    }
    Ok(())
}

fn named_freely(token: Here, cpu: u32) -> Verdict {
    let (mut many, mut few, mut area) = (5usize, 5usize, 30usize);
    let cpu = cpu as usize;
    let results = until_not_aborted(|| {
        // SAFETY: the words are locals of this thread, and a CPU number is not -1 or -2.
        unsafe { named_like_operands(token, cpu, &raw mut many, 5, &raw mut area, 7, 37) }
    })
    .and_then(|()| {
        // SAFETY: as above.
        until_not_aborted(|| unsafe { few_named_like_operands(token, cpu, &raw mut few, 5, 37) })
    });
    // SAFETY: as above; volatile, because the sections wrote them without the compiler's knowledge.
    let found = unsafe { [(&raw const many).read_volatile(), (&raw const few).read_volatile()] };
    ensure!(results.is_ok(), "a comparison failed");
    ensure!(found == [37; 2], "the sections stored {} and {}", found[0], found[1]);
    Ok(())
}

/// Tries again while the section is aborted, which is rare: the thread is bound to its CPU.
fn until_not_aborted(mut section: impl FnMut() -> Result<Committed, librseq::Error>) -> Result<(), librseq::Error> {
    let mut result = Err(librseq::Error::Aborted);
    for _ in 0..1000 {
        result = section();
        if result != Err(librseq::Error::Aborted) {
            break;
        }
    }
    result.map(|_| ())
}
