//! The executable's program headers.

use crate::env::InitialStack;
use linux_raw_sys::auxvec::{AT_PHDR, AT_PHENT, AT_PHNUM};
use linux_raw_sys::elf::{Elf_Phdr, PT_PHDR};

/// The header of this type, and what to add to its addresses.
pub fn find(initial: &InitialStack, wanted: u32) -> Option<(&'static Elf_Phdr, usize)> {
    let entry = |key: u32| initial.auxv(key as usize).unwrap_or(0);
    let (first, each, count) = (entry(AT_PHDR), entry(AT_PHENT), entry(AT_PHNUM));
    let (mut found, mut bias) = (None, 0);
    for index in 0..count {
        // SAFETY: the kernel says that there are `count` headers of `each` bytes, mapped with the executable.
        let header = unsafe { &*((first + index * each) as *const Elf_Phdr) };
        if header.p_type == PT_PHDR {
            bias = first.wrapping_sub(header.p_vaddr);
        }
        if header.p_type == wanted {
            found = Some(header);
        }
    }
    found.map(|header| (header, bias))
}
