//! mips64: `break`. In a delay slot, the saved program counter is that of the branch.

use crate::sys;
use linux_raw_sys::general::{__NR_cacheflush, SIGTRAP};

use super::{LONGEST, words_before};

pub const BREAKPOINT: [u8; 4] = 0x0000_000du32.to_ne_bytes();
pub const SIGNAL: u32 = SIGTRAP;
pub const BEHIND: usize = 0;
/// `mcontext` begins at 40: r0 to r31, f0 to f31, hi and lo and three more of each, pc.
pub const PC: usize = 40 + (32 + 32 + 8) * 8;
pub const REGISTERS: (usize, usize) = (40, 32);
pub const FLAGS: Option<(usize, usize)> = None;
/// t, u, ra and $14.
pub const TEMPORARIES: u32 = 4;
pub const INPUTS_IN_REGISTERS: bool = true;

/// `BCACHE` of asm/cachectl.h.
const BOTH_CACHES: usize = 3;

pub fn flag_changes() -> Option<[[u8; 4]; 2]> {
    None
}

/// A load from `0($31)` in the delay slot of a call reads the word after it, which is no instruction.
pub fn length(code: &[u8; LONGEST]) -> Option<usize> {
    let word = u32::from_ne_bytes([code[0], code[1], code[2], code[3]]);
    Some(if word & 0xffe0_ffff == 0x8fe0_0000 { 8 } else { 4 })
}

/// `move`, `bal`, `lw`, the word that it loads, `daddu`, `move`, `sd`.
pub fn entry(start: usize, _descriptor: usize) -> Option<usize> {
    const ANY: (u32, u32) = (0, 0);
    words_before(
        start,
        &[ANY, (0xffff_0000, 0x0411_0000), (0xffe0_ffff, 0x8fe0_0000), ANY, ANY, ANY, (0xfc00_ffff, 0xfc00_0008)],
    )
}

pub fn flush(start: usize, length: usize) {
    // SAFETY: flushes caches and changes nothing else.
    let _ = unsafe { sys::call(__NR_cacheflush, [start, length, BOTH_CACHES]) };
}
