//! Relocation of a position-independent static program (static-pie) by itself: the kernel has chosen its address, but
//! its data still holds the addresses that the linker assigned.
//!
//! Compiled code calls functions through such addresses, at least without optimization. So this file calls only
//! functions that are always inlined: there are loads, stores, arithmetic and loops, and errors are reported later.
//! Addresses wrap around: what the linker assigned may be below 0, as that of `array - 0x1000000` in C.

use linux_raw_sys::auxvec::{AT_PHDR, AT_PHENT, AT_PHNUM};
use linux_raw_sys::elf::{Elf_Ehdr, Elf_Phdr, PT_DYNAMIC, PT_INTERP, PT_LOAD, PT_PHDR};

/// The one kind of relocation in such a program: add the bias to an address. None on MIPS, which has its own tables for
/// this, and start-up code that linkers refuse to put into such a program.
const RELATIVE: Option<usize> = if cfg!(any(target_arch = "x86_64", target_arch = "x86")) {
    Some(8)
} else if cfg!(target_arch = "aarch64") {
    Some(1027)
} else if cfg!(target_arch = "arm") {
    Some(23)
} else if cfg!(target_arch = "s390x") {
    Some(12)
} else if cfg!(target_arch = "powerpc64") {
    Some(22)
} else if cfg!(any(target_arch = "riscv64", target_arch = "riscv32", target_arch = "loongarch64")) {
    Some(3)
} else {
    None
};

/// The kind that asks for the result of a function instead: that of an indirect function (ifunc) of C.
const INDIRECT_KIND: usize = if cfg!(target_arch = "x86_64") {
    37
} else if cfg!(target_arch = "x86") {
    42
} else if cfg!(target_arch = "aarch64") {
    1032
} else if cfg!(target_arch = "arm") {
    160
} else if cfg!(target_arch = "s390x") {
    61
} else if cfg!(target_arch = "powerpc64") {
    248
} else if cfg!(any(target_arch = "riscv64", target_arch = "riscv32")) {
    58
} else if cfg!(target_arch = "loongarch64") {
    12
} else {
    usize::MAX
};

/// The tables ask for what takes a dynamic linker: a bit of what [`relocate`] returns.
pub const UNKNOWN: u32 = 1;
/// The tables ask for indirect functions: another bit.
pub const INDIRECT: u32 = 2;

/// The part of a relocation's word `info` that is its kind.
const KIND: usize = if cfg!(target_pointer_width = "64") { 0xffff_ffff } else { 0xff };

const DT_PLTRELSZ: usize = 2;
const DT_RELA: usize = 7;
const DT_RELASZ: usize = 8;
const DT_REL: usize = 17;
const DT_RELSZ: usize = 18;
const DT_PLTREL: usize = 20;
const DT_JMPREL: usize = 23;
const DT_RELRSZ: usize = 35;
const DT_RELR: usize = 36;

const WORD: usize = size_of::<usize>();

/// A word of any alignment.
#[derive(Clone, Copy)]
#[repr(Rust, packed)]
struct Word(usize);

/// # Safety
///
/// There is a readable word at this address.
#[inline(always)]
unsafe fn load(address: usize) -> usize {
    // SAFETY: the caller's contract; the type has no alignment.
    unsafe { (*(address as *const Word)).0 }
}

/// Adds `bias` to the address at `place`.
///
/// # Safety
///
/// There is a word at `place` that this program may write.
#[inline(always)]
unsafe fn shift(place: usize, bias: usize) {
    // SAFETY: the caller's contract; the type has no alignment.
    unsafe { (*(place as *mut Word)).0 = load(place).wrapping_add(bias) };
}

/// Adds the bias wherever the linker's tables ask for it. Returns what else they ask for, [`UNKNOWN`] and [`INDIRECT`];
/// nothing is 0. If there was a dynamic linker, nothing is done.
///
/// # Safety
///
/// `stack` is the kernel's initial stack; the program was not relocated before.
#[inline(always)]
pub unsafe fn relocate(stack: usize) -> u32 {
    // SAFETY: the kernel lays out argc, argv, NULL, envp, NULL, and pairs of words up to AT_NULL, and the headers are
    // those of this program. The tables in the dynamic section are in the program, and what they relocate is writable:
    // RELRO is protected later. Without headers nothing is done.
    unsafe {
        let mut at = stack + WORD * (load(stack) + 2);
        while load(at) != 0 {
            at += WORD;
        }
        at += WORD;
        let (mut first, mut each, mut count) = (0, 0, 0);
        while load(at) != 0 {
            let value = load(at + WORD);
            if load(at) == AT_PHDR as usize {
                first = value;
            } else if load(at) == AT_PHENT as usize {
                each = value;
            } else if load(at) == AT_PHNUM as usize {
                count = value;
            }
            at += 2 * WORD;
        }
        if first == 0 || each == 0 {
            return 0;
        }
        // As `Headers::bias`.
        let (mut dynamic, mut bias, mut known) = (0, 0, false);
        while count != 0 {
            count -= 1;
            let header = (first + count * each) as *const Elf_Phdr;
            if (*header).p_type == PT_INTERP {
                return 0; // a dynamic linker has done it, and has protected what it wrote
            }
            if (*header).p_type == PT_DYNAMIC {
                dynamic = (*header).p_vaddr;
            } else if (*header).p_type == PT_PHDR {
                bias = first.wrapping_sub((*header).p_vaddr);
                known = true;
            } else if (*header).p_type == PT_LOAD && (*header).p_offset == 0 && !known {
                bias = first.wrapping_sub(size_of::<Elf_Ehdr>()).wrapping_sub((*header).p_vaddr);
            }
        }
        if dynamic == 0 { 0 } else { apply(dynamic.wrapping_add(bias), bias) }
    }
}

/// Applies the tables of the dynamic section.
///
/// # Safety
///
/// As [`relocate`]; the section, pairs of a tag and a value ended by tag 0, is at `dynamic`.
#[inline(always)]
unsafe fn apply(dynamic: usize, bias: usize) -> u32 {
    // SAFETY: see `relocate`.
    unsafe {
        let (mut rela, mut rela_size, mut rel, mut rel_size, mut relr, mut relr_size) = (0, 0, 0, 0, 0, 0);
        let (mut jump, mut jump_size, mut jump_form) = (0, 0, 0);
        let mut at = dynamic;
        while load(at) != 0 {
            let (tag, value) = (load(at), load(at + WORD));
            if tag == DT_RELA {
                rela = value.wrapping_add(bias);
            } else if tag == DT_RELASZ {
                rela_size = value;
            } else if tag == DT_REL {
                rel = value.wrapping_add(bias);
            } else if tag == DT_RELSZ {
                rel_size = value;
            } else if tag == DT_RELR {
                relr = value.wrapping_add(bias);
            } else if tag == DT_RELRSZ {
                relr_size = value;
            } else if tag == DT_JMPREL {
                jump = value.wrapping_add(bias);
            } else if tag == DT_PLTRELSZ {
                jump_size = value;
            } else if tag == DT_PLTREL {
                jump_form = value;
            }
            at += 2 * WORD;
        }
        let mut rest = apply_table(rela, rela_size, bias, true);
        rest |= apply_table(rel, rel_size, bias, false);
        // That of the procedure linkage table, in which GNU ld has indirect functions.
        rest |= apply_table(jump, jump_size, bias, jump_form == DT_RELA);
        apply_compact(relr, relr_size, bias);
        rest
    }
}

/// Applies a table whose entries have two words, or three if they contain the addend. Returns the bits of those kinds
/// that it leaves out.
///
/// # Safety
///
/// As [`relocate`].
#[inline(always)]
unsafe fn apply_table(table: usize, size: usize, bias: usize, has_addend: bool) -> u32 {
    let (mut at, mut rest) = (table, 0);
    while at < table.wrapping_add(size) {
        // SAFETY: the table has `size` bytes, and the linker chose each place in the program.
        unsafe {
            let (place, kind) = (load(at).wrapping_add(bias), load(at + WORD) & KIND);
            let Some(relative) = RELATIVE else { return UNKNOWN };
            if kind == relative {
                if has_addend {
                    (*(place as *mut Word)).0 = load(at + 2 * WORD);
                }
                shift(place, bias);
            } else if kind == INDIRECT_KIND {
                rest |= INDIRECT;
            } else if kind != 0 {
                rest |= UNKNOWN;
            }
        }
        at += if has_addend { 3 * WORD } else { 2 * WORD };
    }
    rest
}

/// Applies the compact table: an even word is a place; the bits of an odd one, from bit 1 up, say which of the words
/// that follow are places too.
///
/// # Safety
///
/// As [`relocate`].
#[inline(always)]
unsafe fn apply_compact(table: usize, size: usize, bias: usize) {
    let (mut at, mut next) = (table, 0_usize);
    while at < table.wrapping_add(size) {
        // SAFETY: the table has `size` bytes, and the linker chose each place in the program.
        unsafe {
            let entry = load(at);
            if entry & 1 == 0 {
                next = bias.wrapping_add(entry);
                shift(next, bias);
                next = next.wrapping_add(WORD);
            } else {
                let (mut bits, mut place) = (entry >> 1, next);
                while bits != 0 {
                    if bits & 1 != 0 {
                        shift(place, bias);
                    }
                    bits >>= 1;
                    place = place.wrapping_add(WORD);
                }
                next = next.wrapping_add((8 * WORD - 1) * WORD);
            }
        }
        at += WORD;
    }
}
