//! loongarch64: `break 0`.

use core::arch::asm;

use linux_raw_sys::general::SIGTRAP;

use super::{LONGEST, words_before};

pub const BREAKPOINT: [u8; 4] = 0x002a_0000u32.to_ne_bytes();
pub const SIGNAL: u32 = SIGTRAP;
pub const BEHIND: usize = 0;
/// `mcontext` begins at 176: pc, r0 to r31.
pub const PC: usize = 176;
pub const REGISTERS: (usize, usize) = (PC + 8, 32);
pub const FLAGS: Option<(usize, usize)> = None;
/// t, u and t0.
pub const TEMPORARIES: u32 = 3;
pub const INPUTS_IN_REGISTERS: bool = true;

pub fn flag_changes() -> Option<[[u8; 4]; 2]> {
    None
}

pub fn length(_code: &[u8; LONGEST]) -> Option<usize> {
    Some(4)
}

/// `pcalau12i` and `addi.d`, or `pcaddi` where a linker has shortened them, and `st.d`.
pub fn entry(start: usize, _descriptor: usize) -> Option<usize> {
    const STORE: (u32, u32) = (0xffff_fc00, 0x29c0_2000);
    words_before(start, &[(0xfe00_0000, 0x1a00_0000), (0xffc0_0000, 0x02c0_0000), STORE])
        .or_else(|| words_before(start, &[(0xfe00_0000, 0x1800_0000), STORE]))
}

/// Data and instruction caches agree; what was fetched already is thrown away.
pub fn flush(_start: usize, _length: usize) {
    // SAFETY: a barrier.
    unsafe { asm!("ibar 0", options(nostack, preserves_flags)) };
}
