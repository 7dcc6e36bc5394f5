//! s390x: an operation code that is never assigned, two bytes long; outside of a debugger it brings SIGILL.

use linux_raw_sys::general::SIGILL;

use super::{LONGEST, code};

pub const BREAKPOINT: [u8; 2] = [0, 1];
pub const SIGNAL: u32 = SIGILL;
pub const BEHIND: usize = 2;
/// `mcontext` begins at 40: psw mask, psw address, r0 to r15.
pub const PC: usize = 48;
pub const REGISTERS: (usize, usize) = (56, 16);
pub const FLAGS: Option<(usize, usize)> = None;
/// t, u and r1.
pub const TEMPORARIES: u32 = 3;
pub const INPUTS_IN_REGISTERS: bool = true;

pub fn flag_changes() -> Option<[[u8; 4]; 2]> {
    None
}

/// The two upper bits say it.
pub fn length(code: &[u8; LONGEST]) -> Option<usize> {
    Some(match code[0] >> 6 {
        0 => 2,
        3 => 6,
        _ => 4,
    })
}

/// `larl` and `stg`.
pub fn entry(start: usize, descriptor: usize) -> Option<usize> {
    let entry = start - 12;
    let arming: [u8; 12] = code(entry);
    let halves = i32::from_be_bytes([arming[2], arming[3], arming[4], arming[5]]);
    let loads = arming[0] == 0xc0 && arming[1] & 0xf == 0 && entry.wrapping_add(2 * halves as usize) == descriptor;
    (loads && arming[6] == 0xe3 && arming[11] == 0x24).then_some(entry)
}

/// The processor notices by itself.
pub fn flush(_start: usize, _length: usize) {}
