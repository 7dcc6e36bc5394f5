//! Small items of per-CPU memory, taken and given back.

use std::alloc::Layout;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::{Result, ensure};
use rseq_core::percpu::Region;

use crate::{Case, Contender, Goal, Made, barrier, by_sections, try_repeat, workload};

pub const CASE: Case = Case {
    name: "region",
    operation: "allocates 32 bytes, writes and reads a word of them, and frees them",
    contenders: &[Contender::ours("Region", region), Contender::peer("malloc, one copy", malloc)],
    goals: &[Goal::nanoseconds("Region", 1, 5.0), Goal::nanoseconds("Region", 8, 5.0)],
    threads: None,
};

/// An item; no two threads may hold one at once.
type Item = [AtomicU64; 4];

/// Writes the thread's mark and reads it back.
#[inline(always)]
fn hold(item: &Item, mark: u64) -> Result<()> {
    item[0].store(mark, Relaxed);
    barrier();
    ensure!(item[0].load(Relaxed) == mark, "two threads got one item");
    Ok(())
}

/// A number that no other running thread has: the address of something on its stack.
fn mark() -> u64 {
    let here = 0u8;
    (&raw const here).addr() as u64
}

fn region() -> Made {
    static REGION: Region = Region::new();
    by_sections()?;
    let run = |(): &(), operations| {
        let (mark, layout) = (mark(), Layout::new::<Item>());
        try_repeat(operations, || {
            let item = REGION.alloc(layout)?;
            // SAFETY: the item has the layout of an `Item`, whose words may hold any value, and is not freed before the
            // last use of this reference.
            hold(unsafe { item.cast::<Item>().as_ref() }, mark)?;
            // SAFETY: REGION allocated the item for `layout`, and nothing refers to it any more.
            unsafe { REGION.free(item, layout) };
            Ok(())
        })
    };
    workload((), run, |(), _| Ok(()))
}

fn malloc() -> Made {
    let run = |(): &(), operations| {
        let mark = mark();
        try_repeat(operations, || hold(&Box::new([const { AtomicU64::new(0) }; 4]), mark))
    };
    workload((), run, |(), _| Ok(()))
}
