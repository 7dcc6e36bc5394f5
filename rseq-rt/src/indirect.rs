//! Indirect functions of C (`ifunc`, `target_clones`) in a program at a fixed address: a function chooses each of them
//! as the program starts, which this runtime does not do. A static-pie has them among its
//! [relocations](crate::relocate).

#[cfg(target_pointer_width = "64")]
macro_rules! word {
    () => {
        ".8byte"
    };
}

#[cfg(target_pointer_width = "32")]
macro_rules! word {
    () => {
        ".4byte"
    };
}

// Linkers define these if there are any such functions, before and after their table. They are weak in the object file
// that refers to them only: so that is this one.
core::arch::global_asm!(
    ".weak __rela_iplt_start, __rela_iplt_end, __rel_iplt_start, __rel_iplt_end",
    ".hidden __rela_iplt_start",
    ".hidden __rela_iplt_end",
    ".hidden __rel_iplt_start",
    ".hidden __rel_iplt_end",
    ".pushsection .data.rel.ro.__rseq_rt_indirect, \"aw\"",
    ".balign 8",
    ".globl __rseq_rt_indirect",
    ".hidden __rseq_rt_indirect",
    "__rseq_rt_indirect:",
    concat!(word!(), " __rela_iplt_start, __rela_iplt_end, __rel_iplt_start, __rel_iplt_end"),
    ".size __rseq_rt_indirect, . - __rseq_rt_indirect",
    ".popsection",
);

unsafe extern "C" {
    /// The beginning and the end of each of the two kinds of tables.
    static __rseq_rt_indirect: [usize; 4];
}

/// Whether there are any.
pub fn are_linked() -> bool {
    // SAFETY: the assembly above defines it, and nothing writes it once the program is relocated.
    let [start, end, other_start, other_end] = unsafe { (&raw const __rseq_rt_indirect).read_volatile() };
    start != end || other_start != other_end
}
