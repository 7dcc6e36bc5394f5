//! The executable's program headers.

use crate::env::InitialStack;
use crate::process::refuse;
use linux_raw_sys::auxvec::{AT_PHDR, AT_PHENT, AT_PHNUM};
use linux_raw_sys::elf::{Elf_Ehdr, Elf_Phdr, PT_LOAD, PT_PHDR};

/// The headers, at the address that the kernel provides.
#[derive(Clone, Copy)]
pub struct Headers {
    first: usize,
    each: usize,
    count: usize,
}

impl Headers {
    /// `None` if the kernel does not provide it.
    fn of(initial: &InitialStack) -> Option<Self> {
        let entry = |key: u32| initial.auxv(key as usize).filter(|&value| value != 0);
        Some(Self { first: entry(AT_PHDR)?, each: entry(AT_PHENT)?, count: entry(AT_PHNUM)? })
    }

    /// The program's headers. Ends a program that has none.
    pub fn of_program(initial: &InitialStack) -> Self {
        Self::of(initial).unwrap_or_else(|| refuse("rseq-rt: the kernel does not say where the program is (AT_PHDR)\n"))
    }

    /// The last header of this type.
    pub fn find(self, wanted: u32) -> Option<&'static Elf_Phdr> {
        self.find_last(|header| header.p_type == wanted)
    }

    /// The difference between addresses in memory and those in the headers: 0 unless the program is
    /// position-independent.
    pub fn bias(self) -> usize {
        if let Some(own) = self.find(PT_PHDR) {
            return self.first.wrapping_sub(own.p_vaddr);
        }
        // GNU ld omits that header if there is no dynamic linker. The program headers follow the ELF header, which
        // begins the file.
        let begin = self.find_last(|header| header.p_type == PT_LOAD && header.p_offset == 0);
        begin.map_or(0, |load| self.first.wrapping_sub(size_of::<Elf_Ehdr>()).wrapping_sub(load.p_vaddr))
    }

    fn find_last(self, is_wanted: impl Fn(&Elf_Phdr) -> bool) -> Option<&'static Elf_Phdr> {
        let (mut found, mut index) = (None, 0);
        while index < self.count {
            let address = self.first.wrapping_add(index.wrapping_mul(self.each));
            // SAFETY: according to the kernel there are `count` headers of `each` bytes at the address, mapped with the
            // executable; `index` is below `count`.
            let header = unsafe { &*(address as *const Elf_Phdr) };
            if is_wanted(header) {
                found = Some(header);
            }
            index = index.wrapping_add(1);
        }
        found
    }
}
