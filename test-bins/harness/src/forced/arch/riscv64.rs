//! riscv64: `c.ebreak`, two bytes long as the shortest instructions.

use crate::sys;
use linux_raw_sys::general::{__NR_riscv_flush_icache, SIGTRAP};

use super::{LONGEST, code};

pub const BREAKPOINT: [u8; 2] = 0x9002u16.to_ne_bytes();
pub const SIGNAL: u32 = SIGTRAP;
pub const BEHIND: usize = 0;
/// `mcontext` begins at 176: pc, x1 to x31.
pub const PC: usize = 176;
pub const REGISTERS: (usize, usize) = (PC + 8, 31);
pub const FLAGS: Option<(usize, usize)> = None;
/// t, u, t1 and t2.
pub const TEMPORARIES: u32 = 4;
pub const INPUTS_IN_REGISTERS: bool = true;

pub fn flag_changes() -> Option<[[u8; 4]; 2]> {
    None
}

pub fn length(code: &[u8; LONGEST]) -> Option<usize> {
    Some(if code[0] & 3 == 3 { 4 } else { 2 })
}

/// `auipc`, `addi`, and `sd` in four bytes or in two.
pub fn entry(start: usize, descriptor: usize) -> Option<usize> {
    let [long, short] = [start - 4, start - 2];
    let stores_long = u32::from_ne_bytes(code(long)) & 0xfe00_7fff == 0x0000_3423;
    let stores_short = u16::from_ne_bytes(code(short)) & 0xfc63 == 0xe400;
    let loads = |store: usize| {
        let entry = store - 8;
        let [auipc, addi] = [entry, entry + 4].map(|at| u32::from_ne_bytes(code(at)));
        let upper = (auipc & 0xffff_f000) as i32 as usize;
        let lower = (addi as i32 >> 20) as usize;
        let reached = entry.wrapping_add(upper).wrapping_add(lower);
        (auipc & 0x7f == 0x17 && addi & 0x707f == 0x13 && reached == descriptor).then_some(entry)
    };
    let by_short = if stores_short { loads(short) } else { None };
    by_short.or_else(|| if stores_long { loads(long) } else { None })
}

/// By the kernel, because the thread may move to another processor before it gets there.
pub fn flush(start: usize, length: usize) {
    // SAFETY: flushes caches and changes nothing else.
    let _ = unsafe { sys::call(__NR_riscv_flush_icache, [start, start + length, 0]) };
}
