//! aarch64: `brk #0`, caches cleaned line by line.

use core::arch::asm;

use linux_raw_sys::auxvec::AT_HWCAP;
use linux_raw_sys::general::SIGTRAP;

use super::{LONGEST, words_before};

pub const BREAKPOINT: [u8; 4] = 0xd420_0000u32.to_ne_bytes();
pub const SIGNAL: u32 = SIGTRAP;
pub const BEHIND: usize = 0;
/// `mcontext` begins at 176: the fault's address, x0 to x30, sp, pc, pstate.
pub const PC: usize = 184 + 32 * 8;
pub const REGISTERS: (usize, usize) = (184, 32);
/// All of `pstate` but the conditions and the branch type.
pub const FLAGS: Option<(usize, usize)> = Some((PC + 8, 0x0fff_f3ff));
/// t, u, x16 and x17.
pub const TEMPORARIES: u32 = 4;
pub const INPUTS_IN_REGISTERS: bool = true;

/// `msr dit, #1` and `msr dit, #0`: the timing of instructions; a CPU before Armv8.4 has none of the kind.
pub fn flag_changes() -> Option<[[u8; 4]; 2]> {
    const HWCAP_DIT: usize = 1 << 24;
    let has_dit = rseq_rt::env::auxv(AT_HWCAP as usize).is_some_and(|bits| bits & HWCAP_DIT != 0);
    has_dit.then_some([0xd503_415f_u32.to_le_bytes(), 0xd503_405f_u32.to_le_bytes()])
}

pub fn length(_code: &[u8; LONGEST]) -> Option<usize> {
    Some(4)
}

/// `adrp`, `add`, `str`; a linker may make `nop` and `adr` of the first two.
pub fn entry(start: usize, _descriptor: usize) -> Option<usize> {
    const STORE: (u32, u32) = (0xffff_fc1f, 0xf900_0411);
    words_before(start, &[(0x9f00_001f, 0x9000_0011), (0xffc0_03ff, 0x9100_0231), STORE])
        .or_else(|| words_before(start, &[(!0, 0xd503_201f), (0x9f00_001f, 0x1000_0011), STORE]))
}

pub fn flush(start: usize, length: usize) {
    for address in (start..start + length).step_by(4) {
        // SAFETY: user space may clean and invalidate the caches of its own addresses.
        unsafe {
            asm!("dc cvau, {0}", "dsb ish", "ic ivau, {0}", "dsb ish", "isb", in(reg) address, options(nostack));
        }
    }
}
