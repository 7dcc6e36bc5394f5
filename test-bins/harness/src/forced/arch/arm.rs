//! ARM in ARM state: the undefined instruction that Linux takes for a breakpoint.

use crate::sys;
use linux_raw_sys::general::SIGTRAP;

use super::{LONGEST, words_before};

pub const BREAKPOINT: [u8; 4] = 0xe7f0_01f0u32.to_ne_bytes();
pub const SIGNAL: u32 = SIGTRAP;
pub const BEHIND: usize = 0;
/// `mcontext` begins at 20: trap_no, error_code, oldmask, r0 to r15, cpsr.
pub const PC: usize = 32 + 15 * 4;
pub const REGISTERS: (usize, usize) = (32, 15);
/// All of `cpsr` but the conditions and the saturation flag.
pub const FLAGS: Option<(usize, usize)> = Some((PC + 4, 0x07f0_ffff));
/// u and ip.
pub const TEMPORARIES: u32 = 2;
pub const INPUTS_IN_REGISTERS: bool = true;

/// `__ARM_NR_cacheflush` of asm/unistd.h.
const CACHEFLUSH: u32 = 0xf_0002;

/// An operating system may forbid `setend`, the only candidate.
pub fn flag_changes() -> Option<[[u8; 4]; 2]> {
    None
}

pub fn length(_code: &[u8; LONGEST]) -> Option<usize> {
    Some(4)
}

/// `ldr` of the distance in front of it, `add`, `str`.
pub fn entry(start: usize, _descriptor: usize) -> Option<usize> {
    words_before(start, &[(0xffff_f000, 0xe51f_c000), (!0, 0xe08f_c00c), (0xfff0_ffff, 0xe580_c008)])
}

pub fn flush(start: usize, length: usize) {
    // SAFETY: cleans caches and changes nothing else.
    let _ = unsafe { sys::call(CACHEFLUSH, [start, start + length, 0]) };
}
