//! x86-64: `int3`, and the sections' instructions of any length.

use linux_raw_sys::general::SIGTRAP;
use yaxpeax_arch::LengthedInstruction;
use yaxpeax_x86::amd64::InstDecoder;

use super::{LONGEST, code};

pub const BREAKPOINT: [u8; 1] = [0xcc];
pub const SIGNAL: u32 = SIGTRAP;
pub const BEHIND: usize = 1;
/// `mcontext` begins at 40: r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags.
pub const PC: usize = 40 + 16 * 8;
pub const REGISTERS: (usize, usize) = (40, 16);
/// The direction and the alignment check flag.
pub const FLAGS: Option<(usize, usize)> = Some((PC + 8, 0x4_0400));
/// t and r11.
pub const TEMPORARIES: u32 = 2;
pub const INPUTS_IN_REGISTERS: bool = true;

/// `std` and `cld`: the direction.
pub fn flag_changes() -> Option<[[u8; 4]; 2]> {
    Some([[0xfd, 0x90, 0x90, 0x90], [0xfc, 0x90, 0x90, 0x90]])
}

pub fn length(code: &[u8; LONGEST]) -> Option<usize> {
    InstDecoder::default().decode_slice(code).ok().map(|instruction| instruction.len().to_const() as usize)
}

/// `lea t, [rip + descriptor]` and the store of `t`.
pub fn entry(start: usize, descriptor: usize) -> Option<usize> {
    (start - 24..start).find(|&entry| {
        let lea: [u8; 7] = code(entry);
        let distance = i32::from_le_bytes([lea[3], lea[4], lea[5], lea[6]]) as usize;
        let loads = lea[0] & 0xfb == 0x48 && lea[1] == 0x8d && lea[2] & 0xc7 == 5;
        let store = length(&code(entry + 7));
        loads
            && (entry + 7).wrapping_add(distance) == descriptor
            && store.is_some_and(|bytes| entry + 7 + bytes == start)
    })
}

/// The processor notices by itself.
pub fn flush(_start: usize, _length: usize) {}
