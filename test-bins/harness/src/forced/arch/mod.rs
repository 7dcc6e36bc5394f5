//! What it takes to force an event at an instruction, one file per architecture.
//!
//! | item | meaning |
//! |---|---|
//! | `BREAKPOINT` | the bytes of an instruction that traps, no longer than the shortest instruction |
//! | `SIGNAL` | the signal that it raises |
//! | `BEHIND` | how many bytes after it the saved program counter points |
//! | `PC` | where `ucontext` has the program counter, in bytes |
//! | `REGISTERS` | where it has the general registers, in bytes, and how many words these are |
//! | `FLAGS` | where it has a word of flags, and those bits of it that a section keeps |
//! | `flag_changes()` | an instruction that changes such a flag, one that changes it back, and no-operations |
//! | `TEMPORARIES` | registers that a section declares as changed besides its scratch registers |
//! | `INPUTS_IN_REGISTERS` | whether a section's inputs are always in registers |
//! | `length(code)` | the length of the first instruction; `None` if it is unknown |
//! | `entry(start, descriptor)` | the first instruction that arms the section that begins at `start` |
//! | `flush(start, length)` | makes changed instructions take effect |

#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "x86", path = "x86.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "arm", path = "arm.rs")]
#[cfg_attr(target_arch = "riscv64", path = "riscv64.rs")]
#[cfg_attr(target_arch = "s390x", path = "s390x.rs")]
#[cfg_attr(target_arch = "powerpc64", path = "powerpc64.rs")]
#[cfg_attr(target_arch = "loongarch64", path = "loongarch64.rs")]
#[cfg_attr(any(target_arch = "mips64", target_arch = "mips64r6"), path = "mips64.rs")]
mod imp;

pub use imp::{
    BEHIND, BREAKPOINT, FLAGS, INPUTS_IN_REGISTERS, PC, REGISTERS, SIGNAL, TEMPORARIES, entry, flag_changes, flush,
    length,
};

/// Bytes of the longest instruction of any architecture.
pub const LONGEST: usize = 16;

/// The bytes at `address`, which are instructions of this program.
pub fn code<const N: usize>(address: usize) -> [u8; N] {
    // SAFETY: addresses come from the descriptors of this program's sections and lie within its text. Volatile, because
    // the text changes while it is tested.
    core::array::from_fn(|i| unsafe { (address as *const u8).add(i).read_volatile() })
}

/// Where the instructions that match these masks and values one by one begin, if they end at `start`; each is four
/// bytes long.
#[allow(dead_code, reason = "not every architecture has instructions of one length")]
fn words_before(start: usize, pattern: &[(u32, u32)]) -> Option<usize> {
    let entry = start.checked_sub(4 * pattern.len())?;
    let same = |(i, (mask, value)): (usize, &(u32, u32))| u32::from_ne_bytes(code(entry + 4 * i)) & mask == *value;
    pattern.iter().enumerate().all(same).then_some(entry)
}
