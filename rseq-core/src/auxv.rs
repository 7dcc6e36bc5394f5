//! The auxiliary vector of this process: from the libc, else from the kernel.

use crate::sys;

// The address of getauxval, or 0 where no libc defines it. `.weakref` leaves strong references to it in the same unit
// strong, so that a program's own use of a static libc's getauxval still links it.
#[cfg(not(rseq_stub))]
core::arch::global_asm!(
    ".ifndef __rseq_core_getauxval",
    ".weakref __rseq_core_weak_getauxval, getauxval",
    ".pushsection .data.rel.ro.__rseq_core_getauxval, \"awG\", %progbits, __rseq_core_getauxval, comdat",
    ".balign {word}",
    ".weak __rseq_core_getauxval",
    ".hidden __rseq_core_getauxval",
    ".type __rseq_core_getauxval, %object",
    ".size __rseq_core_getauxval, {word}",
    "__rseq_core_getauxval:",
    ".if {word} == 8",
    ".quad __rseq_core_weak_getauxval",
    ".else",
    ".long __rseq_core_weak_getauxval",
    ".endif",
    ".popsection",
    ".endif",
    word = const size_of::<usize>(),
);

/// `unsigned long getauxval(unsigned long type)`, of glibc 2.16, musl 1.1.0 and bionic.
type GetAuxval = unsafe extern "C" fn(usize) -> usize;

#[cfg(not(rseq_stub))]
#[allow(non_upper_case_globals, reason = "the name says what it points to")]
unsafe extern "C" {
    safe static __rseq_core_getauxval: Option<GetAuxval>;
}

/// Where there is no rseq, the vector is not read.
#[cfg(rseq_stub)]
#[allow(non_upper_case_globals, reason = "the name is that of the symbol elsewhere")]
static __rseq_core_getauxval: Option<GetAuxval> = None;

/// Words of a vector that is read from the kernel; real ones have some 40 to 60.
const WORDS: usize = 256;

/// The values of the entries `wanted`: None where the vector has no such entry, or is not available.
pub(crate) fn entries(wanted: [usize; 2]) -> [Option<usize>; 2] {
    if let Some(getauxval) = hidden(&__rseq_core_getauxval) {
        // SAFETY: the libc's function takes any number, and returns 0 for a type that is not in the vector.
        return wanted.map(|kind| Some(unsafe { getauxval(kind) }).filter(|value| *value != 0));
    }
    let mut vector = [0usize; WORDS];
    let bytes = sys::auxiliary_vector(&mut vector).unwrap_or(0);
    let read = &vector[..(bytes / size_of::<usize>()).min(WORDS)];
    wanted.map(|kind| find(read, kind))
}

/// The value that the linker or the dynamic linker wrote, which the compiler cannot know.
fn hidden(pointer: &Option<GetAuxval>) -> Option<GetAuxval> {
    // SAFETY: it is an aligned, initialised word that does not change after the process has started.
    unsafe { (&raw const *pointer).read_volatile() }
}

/// The value of an entry before the one that ends the vector.
fn find(vector: &[usize], wanted: usize) -> Option<usize> {
    let entries = vector.chunks_exact(2).filter_map(|entry| match *entry {
        [kind, value] => Some((kind, value)),
        _ => None,
    });
    entries.take_while(|(kind, _)| *kind != AT_NULL).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

const AT_NULL: usize = linux_raw_sys::auxvec::AT_NULL as usize;

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE_SIZE: usize = linux_raw_sys::auxvec::AT_PAGESZ as usize;

    #[test]
    fn an_entry_is_found_before_the_end_only() {
        let vector = [6, 4096, 27, 33, 0, 0, 28, 64];
        assert_eq!((find(&vector, 27), find(&vector, 28), find(&vector, 99)), (Some(33), None, None));
        assert_eq!(find(&[27], 27), None, "half an entry");
    }

    #[test]
    fn libc_and_kernel_agree() {
        let mut vector = [0usize; WORDS];
        let bytes = sys::auxiliary_vector(&mut vector).unwrap();
        let read = &vector[..bytes / size_of::<usize>()];
        assert!(find(read, PAGE_SIZE).is_some_and(usize::is_power_of_two));
        assert_eq!(entries([PAGE_SIZE, 27]), [find(read, PAGE_SIZE), find(read, 27)]);
        assert!(hidden(&__rseq_core_getauxval).is_some(), "the tests' libc has getauxval");
    }
}
