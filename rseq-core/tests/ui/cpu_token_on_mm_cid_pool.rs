// error: expected `Token<'_, _, ByMmCid>`, found `Token<'_, A>`
use rseq_core::percpu::SlotPool;
use rseq_core::{Area, ByMmCid, Token};

fn mixed<A: Area>(pool: &SlotPool<'_, u8, ByMmCid>, token: Token<'_, A>) {
    let _ = pool.pop(token);
}

fn main() {}
