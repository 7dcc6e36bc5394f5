//! Functions of the vDSO, by name.

use core::ffi::CStr;

use linux_raw_sys::auxvec::AT_SYSINFO_EHDR;
use linux_raw_sys::elf::{
    DT_HASH, DT_NULL, DT_STRTAB, DT_SYMTAB, Elf_Dyn, Elf_Ehdr, Elf_Phdr, Elf_Sym, PT_DYNAMIC, PT_LOAD,
};

/// The address of a function; `None` where the kernel maps no vDSO, or its own has no such function.
pub fn function(name: &CStr) -> Option<usize> {
    let image = rseq_rt::env::auxv(AT_SYSINFO_EHDR as usize).filter(|image| *image != 0)?;
    // SAFETY: AT_SYSINFO_EHDR is the address of the vDSO, which stays mapped: nothing in these programs unmaps it.
    unsafe { find(image, name) }
}

/// # Safety
///
/// `image` is a whole ELF image of this machine in memory, with a table of symbols that has a hash table of the old
/// kind.
unsafe fn find(image: usize, name: &CStr) -> Option<usize> {
    // SAFETY: the image begins with its header.
    let header = unsafe { &*(image as *const Elf_Ehdr) };
    let (mut bias, mut dynamic) = (None, None);
    for number in 0..usize::from(header.e_phnum) {
        // SAFETY: the header says where the program headers are, and how many.
        let program = unsafe { &*((image + header.e_phoff) as *const Elf_Phdr).add(number) };
        match program.p_type {
            PT_LOAD => bias = bias.or(Some((image + program.p_offset).wrapping_sub(program.p_vaddr))),
            PT_DYNAMIC => dynamic = Some(program.p_vaddr),
            _ => {}
        }
    }
    let bias = bias?;
    let mut entry = bias.wrapping_add(dynamic?) as *const Elf_Dyn;
    let [mut strings, mut symbols, mut hash] = [None; 3];
    loop {
        // SAFETY: the dynamic section ends with DT_NULL, where this loop does; all its values are words.
        let (tag, address) = unsafe { ((*entry).d_tag, bias.wrapping_add((*entry).d_un.d_ptr)) };
        match tag {
            DT_NULL => break,
            DT_STRTAB => strings = Some(address),
            DT_SYMTAB => symbols = Some(address),
            DT_HASH => hash = Some(address),
            _ => {}
        }
        entry = entry.wrapping_add(1);
    }
    let (strings, symbols) = (strings?, symbols? as *const Elf_Sym);
    // SAFETY: the second word of the hash table is the number of symbols.
    let count = unsafe { *(hash? as *const u32).add(1) };
    (0..count as usize).find_map(|number| {
        // SAFETY: there are so many symbols.
        let symbol = unsafe { &*symbols.add(number) };
        // SAFETY: a symbol's name is a NUL-terminated string in the table of strings.
        let own = unsafe { CStr::from_ptr((strings + symbol.st_name as usize) as *const _) };
        (symbol.st_shndx != 0 && own == name).then(|| bias.wrapping_add(symbol.st_value))
    })
}
