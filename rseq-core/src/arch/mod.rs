//! One file an architecture, picked here.
//!
//! # The contract of an architecture
//!
//! A file in this directory supplies what the architecture's manuals and `arch/*/include/asm` decide, and nothing else:
//!
//! | item | meaning |
//! |---|---|
//! | `SIGNATURE: u32` | the four bytes before every abort handler, a rare trapping encoding |
//! | `DIRECT: bool` | whether one instruction of a section can address a static thread-local (`fs:` and `gs:` on x86) |
//! | `thread_pointer() -> usize` | what `__rseq_offset` counts from |
//! | `own_area() -> NonNull<Rseq>` | the address of `__rseq_core_area` in this thread, by local-exec relocations |
//! | `own_field(offset) -> u32` | only where `DIRECT`: a u32 of that area, in one load |
//! | `syscall(nr, args) -> isize` | the raw system call; errors come back as -4095 to -1 |
//! | `weak_address!(symbol)` | the address of an undefined weak symbol, or 0 |
//! | `__rseq_frame!` | the `asm!` call around a section: arm, steps, commit, abort handler, operands |
//! | `__rseq_step!` | the text of each step of a section |
//!
//! `__rseq_frame!` receives `area [direct $base] | [pointer $base]`, a variant (see [`critical_section!`]), where an abort
//! goes (`restart` or an exit), the numbered steps, and the names of scratch registers, inputs, strides (operands hold their logarithm) and exits. It
//! numbers its local labels as the shared texts in `section/text.rs` expect: 72 the first instruction of the section, 73
//! just behind the commit, 74 the abort handler, 75 where a restart begins, 77 the descriptor.
//!
//! `__rseq_step!` receives the area form, the variant and one step:
//!
//! | step | effect |
//! |---|---|
//! | `(check_index x l)` | leave by `l` unless the 32-bit index field equals the low 32 bits of `x`, whatever the others are |
//! | `(load_index r)` | `r` = index field, sign-extended: -1 is below no length |
//! | `(cbae r x l)` | leave by `l` if `r` >= `x`, unsigned |
//! | `(scale r k)` | `r` <<= `{k}`, the logarithm of a stride |
//! | `(load r [m])` | `r` = word at `m` |
//! | `(cbne r x l)` `(cbeq r x l)` `(cbz r l)` | leave by `l` if `r` != `x`, == `x`, == 0 |
//! | `(cbne [m] x l)` `(cbeq [m] x l)` | the same for the word at `m` |
//! | `(add r x)` | `r` += `x` |
//! | `(store [m] x)` | word at `m` = `x`, not the commit |
//! | `(copy [d] [s] n i)` | `n` bytes from `s` to `d`, counted in scratch `i` |
//! | `(delay d k)` | count down from the `k`-th word at `d`, `k` a literal: only in sections that tests stretch |
//! | `(commit_store [m] x)` `(commit_release [m] x)` `(commit_add [m] x)` `(commit_increment [m])` | the commit, as the last instruction |
//!
//! `m` is `[a]` or `[a + b]`, both registers. Inputs keep their values, because an aborted section may start again. The
//! commit is one store and the very last instruction before label 73. No conditional branch leaves the text of the `asm!`
//! block, unless it reaches as far as any label of a function and of `__rseq_failure` can be; the way back from
//! `__rseq_failure` is a jump of full range.
//!
//! [`critical_section!`]: crate::critical_section

#[cfg_attr(all(target_arch = "x86_64", target_pointer_width = "64"), path = "x86_64.rs")]
#[cfg_attr(target_arch = "x86", path = "x86.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "arm", path = "arm.rs")]
#[cfg_attr(any(target_arch = "riscv64", target_arch = "riscv32"), path = "riscv.rs")]
#[cfg_attr(target_arch = "s390x", path = "s390x.rs")]
#[cfg_attr(any(target_arch = "powerpc64", target_arch = "powerpc"), path = "powerpc.rs")]
#[cfg_attr(target_arch = "loongarch64", path = "loongarch64.rs")]
#[cfg_attr(any(target_arch = "mips64", target_arch = "mips64r6", target_arch = "mips"), path = "mips.rs")]
mod imp;

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
pub(crate) use imp::own_field;
pub(crate) use imp::weak_address;
pub use imp::{DIRECT, SIGNATURE, own_area, syscall, thread_pointer};

/// The u32 at `offset` of this thread's `__rseq_core_area`.
///
/// # Safety
///
/// `offset` is that of a u32 within the area.
#[cfg(not(any(target_arch = "x86_64", target_arch = "x86")))]
#[inline]
pub(crate) unsafe fn own_field(offset: usize) -> u32 {
    // SAFETY: a u32 of this thread's static thread-local memory; volatile, because the kernel writes it behind the
    // compiler's back.
    unsafe { own_area().as_ptr().cast::<u32>().byte_add(offset).read_volatile() }
}

#[cfg(not(target_os = "linux"))]
compile_error!("rseq is a Linux system call");
