//! powerpc64: `trap`, caches cleaned by hand.

use core::arch::asm;

use linux_raw_sys::general::SIGTRAP;

use super::{LONGEST, words_before};

pub const BREAKPOINT: [u8; 4] = 0x7fe0_0008u32.to_ne_bytes();
pub const SIGNAL: u32 = SIGTRAP;
pub const BEHIND: usize = 0;
/// The general registers begin at 232: r0 to r31, nip, msr, orig_gpr3, ctr, link, xer, ccr.
pub const PC: usize = 232 + 32 * 8;
pub const REGISTERS: (usize, usize) = (232, 32);
/// The condition fields but cr0.
pub const FLAGS: Option<(usize, usize)> = Some((PC + 6 * 8, 0x0fff_ffff));
/// Among the general registers: t, u, r11 and r12.
pub const TEMPORARIES: u32 = 4;
pub const INPUTS_IN_REGISTERS: bool = true;

/// `crset 31` and `crclr 31`: the last bit of cr7.
pub fn flag_changes() -> Option<[[u8; 4]; 2]> {
    Some([0x4fff_fa42_u32.to_ne_bytes(), 0x4fff_f982_u32.to_ne_bytes()])
}

pub fn length(_code: &[u8; LONGEST]) -> Option<usize> {
    Some(4)
}

/// `bcl`, `mflr`, `addis`, `addi`, `std`.
pub fn entry(start: usize, _descriptor: usize) -> Option<usize> {
    const OPCODE: u32 = 0xfc00_0000;
    let pattern = [
        (!0, 0x429f_0005),
        (0xfc1f_ffff, 0x7c08_02a6),
        (OPCODE, 0x3c00_0000),
        (OPCODE, 0x3800_0000),
        (0xfc00_ffff, 0xf800_0008),
    ];
    words_before(start, &pattern)
}

pub fn flush(start: usize, length: usize) {
    for address in (start..start + length).step_by(4) {
        // SAFETY: user space may clean and invalidate the caches of its own addresses.
        unsafe {
            asm!("dcbst 0, {0}", "sync", "icbi 0, {0}", "sync", "isync", in(reg_nonzero) address, options(nostack));
        }
    }
}
