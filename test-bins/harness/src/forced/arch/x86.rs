//! i686: `int3`, and the sections' instructions of any length.

use linux_raw_sys::general::SIGTRAP;
use yaxpeax_arch::LengthedInstruction;
use yaxpeax_x86::protected_mode::InstDecoder;

use super::{LONGEST, code};

pub const BREAKPOINT: [u8; 1] = [0xcc];
pub const SIGNAL: u32 = SIGTRAP;
pub const BEHIND: usize = 1;
/// `mcontext` begins at 20: gs, fs, es, ds, edi, esi, ebp, esp, ebx, edx, ecx, eax, trapno, err, eip, cs, eflags.
pub const PC: usize = 20 + 14 * 4;
pub const REGISTERS: (usize, usize) = (20 + 4 * 4, 8);
/// The direction and the alignment check flag.
pub const FLAGS: Option<(usize, usize)> = Some((PC + 8, 0x4_0400));
/// With inputs in a block, there is one more.
pub const TEMPORARIES: u32 = 2;
/// Some are in a block in memory, where there are too many.
pub const INPUTS_IN_REGISTERS: bool = false;

/// `std` and `cld`: the direction.
pub fn flag_changes() -> Option<[[u8; 4]; 2]> {
    Some([[0xfd, 0x90, 0x90, 0x90], [0xfc, 0x90, 0x90, 0x90]])
}

pub fn length(code: &[u8; LONGEST]) -> Option<usize> {
    InstDecoder::default().decode_slice(code).ok().map(|instruction| instruction.len().to_const() as usize)
}

/// `call` to the next instruction, `pop`, `lea`, and up to two more to store the descriptor's address.
pub fn entry(start: usize, _descriptor: usize) -> Option<usize> {
    (start - 32..start).find(|&entry| {
        let mut next = entry + 5;
        for _ in 0..4 {
            let Some(bytes) = length(&code(next)) else { return false };
            next += bytes;
            if next == start {
                return code(entry) == [0xe8, 0, 0, 0, 0];
            }
        }
        false
    })
}

/// The processor notices by itself.
pub fn flush(_start: usize, _length: usize) {}
