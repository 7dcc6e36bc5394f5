//! One file an architecture, picked here.
//!
//! # The contract of an architecture
//!
//! A file in this directory supplies what the architecture's manuals and `arch/*/include/asm` decide, and nothing else:
//!
//! | item | meaning |
//! |---|---|
//! | `SIGNATURE: u32` | the four bytes before every abort handler, a rare trapping encoding |
//! | `thread_pointer() -> usize` | what `__rseq_offset` counts from |
//! | `own_area() -> *mut Rseq` | the address of `__rseq_core_area` in this thread, by initial-exec relocations |
//! | `syscall(nr, args) -> isize` | the raw system call; errors come back as -4095 to -1 |
//! | `load_weak!(symbol, variable)` | the `asm!` call that loads the address of a weak symbol |
//! | `__rseq_frame!` | registers and operands of a section, and the texts that arm it |
//! | `__rseq_text!` | the text of each primitive of a section |
//!
//! `__rseq_frame!` receives `[direct base]` or `[pointer base]`, the area in reach of one instruction or at an address,
//! and a section, which it hands on to [`__rseq_section!`](crate::__rseq_section) with what the architecture adds. That
//! numbers the labels: 72 the first instruction of the section, 73 just behind the commit, 74 the abort handler, 75
//! where a restart begins, 77 the descriptor; 61 is a place behind the way to an exit.
//!
//! `__rseq_text!` receives a primitive. Registers are texts that stand for them, but for the names that `check_index`
//! and `clear` get; `m` is `[a]` or `[a, b]`, an address in a register or the sum of two.
//!
//! | primitive | effect |
//! |---|---|
//! | `(jump l)` | to an exit; only where conditional branches reach too short |
//! | `(jump_from_failure l)` | from the abort handler to an exit or to 75 |
//! | `(check_index i, x, exit)` | leave unless the 32-bit field `i` is the low 32 bits of `x`, whatever the others are |
//! | `(load_index r, i)` | `r` = index field, sign-extended: -1 is below no length |
//! | `(cbae r, x, exit)` | leave if `r` >= `x`, unsigned |
//! | `(cbne r, x, exit)` `(cbeq r, x, exit)` `(cbz r, exit)` | leave if `r` != `x`, == `x`, == 0 |
//! | `(cbne m, x, exit)` `(cbeq m, x, exit)` | the same for the word at `m` |
//! | `(scale r, k)` | `r` <<= `k`, the logarithm of a stride |
//! | `(load r, m)` | `r` = word at `m` |
//! | `(add r, x)` | `r` += `x` |
//! | `(store m, x)` | word at `m` = `x`; the commit, too |
//! | `(clear r)` `(copy d, s, n, i)` | `i` = 0, and `n` bytes from `s` to `d`, counted in `i` |
//! | `(delay d, k)` | count down from the `k`-th word at `d`, `k` a literal: only in sections that tests stretch |
//! | `(commit_release m, x)` | a store that all earlier loads and stores come before |
//! | `(commit_add m, x)` `(commit_increment m)` | word at `m` += `x`, += 1 |
//!
//! Inputs keep their values, because an aborted section may start again. A commit is one store and its very last
//! instruction. No conditional branch leaves the text of the `asm!` block, unless it reaches as far as any label of a
//! function and of `__rseq_failure` can be: [`__rseq_leave_if!`](crate::__rseq_leave_if) is for one that does,
//! [`__rseq_leave_unless!`](crate::__rseq_leave_unless) for one that does not. The way back from `__rseq_failure` is a
//! jump of full range.
//!
//! The build script picks the file `none.rs` for all other targets, and for other operating systems: `cfg(rseq_stub)`. There the
//! raw system call returns ENOSYS, and a section is code that is never reached.
//!
//! i686 states the steps themselves, `__rseq_step!`, instead of primitives: its inputs may be in memory.

#[cfg_attr(rseq_stub, path = "none.rs")]
#[cfg_attr(all(not(rseq_stub), target_arch = "x86_64"), path = "x86_64.rs")]
#[cfg_attr(all(not(rseq_stub), target_arch = "x86"), path = "x86.rs")]
#[cfg_attr(all(not(rseq_stub), target_arch = "aarch64"), path = "aarch64.rs")]
#[cfg_attr(all(not(rseq_stub), target_arch = "arm"), path = "arm.rs")]
#[cfg_attr(all(not(rseq_stub), any(target_arch = "riscv64", target_arch = "riscv32")), path = "riscv.rs")]
#[cfg_attr(all(not(rseq_stub), target_arch = "s390x"), path = "s390x.rs")]
#[cfg_attr(all(not(rseq_stub), any(target_arch = "powerpc64", target_arch = "powerpc")), path = "powerpc.rs")]
#[cfg_attr(all(not(rseq_stub), target_arch = "loongarch64"), path = "loongarch64.rs")]
#[cfg_attr(
    all(not(rseq_stub), any(target_arch = "mips64", target_arch = "mips64r6", target_arch = "mips")),
    path = "mips.rs"
)]
mod imp;

use crate::abi::Rseq;
use core::ptr::NonNull;

pub use imp::SIGNATURE;
pub(crate) use imp::load_weak;
#[cfg(rseq_stub)]
#[doc(hidden)]
pub use imp::no_section;

/// Whether one instruction of a section can address a static thread-local, as `fs:` and `gs:` do.
pub const DIRECT: bool = cfg!(all(not(rseq_stub), any(target_arch = "x86_64", target_arch = "x86")));

/// The thread pointer: what `__rseq_offset` counts from.
#[inline]
pub fn thread_pointer() -> usize {
    imp::thread_pointer()
}

/// This thread's copy of `__rseq_core_area`.
#[inline]
pub fn own_area() -> NonNull<Rseq> {
    // SAFETY: it is in the module's static TLS block, which is mapped as long as the thread runs, and so not null.
    unsafe { NonNull::new_unchecked(imp::own_area()) }
}

/// The raw system call; errors come back as -4095 to -1.
///
/// # Safety
///
/// The call's effects are the caller's to answer for.
#[inline]
pub unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    // SAFETY: the caller answers for the effects.
    unsafe { imp::syscall(nr, args) }
}

/// The address of an undefined weak symbol: 0 where nobody defines it.
macro_rules! weak_address {
    ($symbol:literal) => {{
        let address: usize;
        // SAFETY: reads one word, which the linker made and which never changes once the process has started.
        #[cfg_attr(rseq_stub, expect(unused_unsafe))]
        unsafe {
            $crate::arch::load_weak!($symbol, address)
        };
        address
    }};
}
pub(crate) use weak_address;
