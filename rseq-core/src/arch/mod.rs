//! One file per architecture, selected here.
//!
//! # The contract of an architecture
//!
//! A file in this directory supplies only what the architecture's manuals and `arch/*/include/asm` determine:
//!
//! | item | meaning |
//! |---|---|
//! | `SIGNATURE: u32` | the four bytes before every abort handler, a rare trapping encoding |
//! | `thread_pointer() -> usize` | what `__rseq_offset` counts from |
//! | `has_thread_pointer() -> bool` | only where `thread_pointer` reads memory that is not there without one |
//! | `own_area() -> *mut Rseq` | the address of `__rseq_core_area` in this thread, by initial-exec relocations |
//! | `own_index::<I>() -> u32` | where sections reach `__rseq_core_area` directly: its index field, in one load |
//! | `syscall(nr, args) -> isize` | the raw system call; errors come back as -4095 to -1 |
//! | `load_weak!(symbol, variable)` | the `asm!` call that loads the address of a weak symbol |
//! | `__rseq_frame!` | registers and operands of a section, and the texts that arm it |
//! | `__rseq_primitive!` | the text of each primitive that steps are made of |
//!
//! `__rseq_frame!` receives `[direct base]` or `[pointer base]`, an area in reach of one instruction or at an address,
//! and a section. It passes the section on to [`__rseq_function!`](crate::__rseq_function) with what the architecture
//! adds. That numbers the labels: 72 is the first instruction of the section, 73 follows the commit, 74 is the abort
//! handler, 75 is where a restart begins, 77 is the descriptor, and 8 with the number of an exit is its stub.
//!
//! `__rseq_primitive!` receives a primitive; `section/load_store.rs` makes primitives from steps. Registers are given
//! as texts, except those of a load, a store or `check_index`, which are names. `m` is `[a]`, `[a + b]`, `[a + 8]` or
//! `[a + b * 8]` of such names. `x` may be `t`, as a literal goes through it; an arithmetic primitive may change `t`
//! once it has read `x`.
//!
//! | primitive | effect |
//! |---|---|
//! | `(t)` | the register that addresses and literals go through |
//! | `(far l)` | a jump of any distance, which uses `l` once: from an exit stub to its exit, from the handler to 75 |
//! | `(near l)` | a jump from the handler to an exit stub, which follows it |
//! | `(check_index i, x, l)` | leave to `l` unless the 32-bit field `i` equals the low 32 bits of `x` |
//! | `(load_index r, i)` | `r` = index field, sign-extended: -1 is below no length |
//! | `(bound r, x, l)` | leave to `l` if `r` >= `x`, unsigned |
//! | `(cbne r, x, l)` `(cbeq r, x, l)` `(cbz r, l)` | leave to `l` if `r` != `x`, == `x`, == 0 |
//! | `(literal r, k)` | `r` = `k`, from 0 to 255 |
//! | `(mov r, x)` | `r` = `x` |
//! | `(add r, x)` ... | what the row of that name in `section/arithmetic.rs` says |
//! | `(shl r, k)` `(shr r, k)` | `r` <<= `k`, `r` >>= `k`, unsigned |
//! | `(reach m)` | computes an address in `t` if no instruction takes it as it is: a text that ends its line, or none |
//! | `(load r, m)` `(load_u8 r, m)` ... | `r` = what is at `m`, once `reach` has been there |
//! | `(load_acquire r, m)` | the same for a word, before all later loads and stores |
//! | `(store m, x)` `(store_u8 m, x)` ... | the word at `m` = `x`; the low bits of `x`; the store is last |
//! | `(store_release m, x)` | a store that all earlier loads and stores come before |
//! | `(add_to_value x)` | `rseq_u` += `x`, a name or a literal |
//! | `(copy d, s, n, i)` | `i` = 0, and `n` bytes from `s` to `d`, counted in `i` |
//! | `(delay d, k)` | count down from the `k`-th word at `d`, `k` a literal: only in sections that tests stretch |
//!
//! Inputs keep their values, because an aborted section may start again. A commit is one store, and the last
//! instruction. A branch out of the section leads to an exit stub, in `__rseq_failure`: a branch that does not reach
//! that far branches over a jump that does.
//!
//! The handler needs separate unwind information, because it is out of the function. It says that the instruction
//! before it is the section's first one, whose address the descriptor has, so one register holds the descriptor's
//! address as long as the section runs. i686 has no register to spare: the distance is a word before the handler. On
//! arm the handler is in the function.
//!
//! x86-64 and i686, whose instructions compute in memory, implement the steps themselves, `__rseq_text!`, instead of
//! primitives; on i686 inputs may also be in memory.
//!
//! For all other targets, and for other operating systems, the build script selects the file `none.rs` by
//! `cfg(rseq_stub)`. There the raw system call returns ENOSYS, and a section is code that is never reached.

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
use crate::index::Index;
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

/// Whether this thread has a thread pointer. The kernel starts a program without one. A libc or a runtime sets it;
/// programs on nolibc may not.
pub(crate) fn has_thread_pointer() -> bool {
    #[cfg(all(not(rseq_stub), any(target_arch = "x86_64", target_arch = "x86")))]
    return imp::has_thread_pointer();
    #[cfg(not(all(not(rseq_stub), any(target_arch = "x86_64", target_arch = "x86"))))]
    return cfg!(rseq_stub) || thread_pointer() != 0;
}

/// This thread's copy of `__rseq_core_area`.
#[inline]
pub fn own_area() -> NonNull<Rseq> {
    // SAFETY: it is in the module's static TLS block, which is mapped as long as the thread runs, so it is not null.
    unsafe { NonNull::new_unchecked(imp::own_area()) }
}

/// Whether an area is reached faster by its distance from the thread pointer than by its address.
pub(crate) const BY_OFFSET: bool = cfg!(all(target_arch = "x86_64", not(rseq_stub)));

/// The distance of [`own_area`] from the thread pointer in bytes, the same in each thread.
#[inline]
pub(crate) fn own_offset() -> isize {
    own_area().addr().get().wrapping_sub(thread_pointer()) as isize
}

#[cfg(all(target_arch = "x86_64", not(rseq_stub)))]
pub(crate) use imp::{ambient_offset, index_by_offset};

/// The index field of this thread's copy of `__rseq_core_area`, read as a value that the kernel may change at any
/// instruction. Where [`DIRECT`], it links into executables only, like sections over an own area.
#[inline]
pub(crate) fn own_index<I: Index>() -> u32 {
    #[cfg(all(not(rseq_stub), any(target_arch = "x86_64", target_arch = "x86")))]
    return imp::own_index::<I>();
    #[cfg(any(rseq_stub, not(any(target_arch = "x86_64", target_arch = "x86"))))]
    // SAFETY: the own area is at least 32 bytes of this thread's memory as long as the thread runs, and an index is an
    // aligned u32 among them. Volatile, because the kernel writes it.
    return unsafe { own_area().as_ptr().cast::<u32>().byte_add(I::OFFSET).read_volatile() };
}

/// The raw system call; errors come back as -4095 to -1.
///
/// # Safety
///
/// The caller answers for the call's effects.
#[inline]
pub unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    // SAFETY: the same contract.
    unsafe { imp::syscall(nr, args) }
}

/// The address of an undefined weak symbol: 0 if nothing defines it.
macro_rules! weak_address {
    ($symbol:literal) => {{
        let address: usize;
        // SAFETY: reads one word, which the linker made and which does not change after the process has started.
        #[cfg_attr(rseq_stub, expect(unused_unsafe))]
        unsafe {
            $crate::arch::load_weak!($symbol, address)
        };
        address
    }};
}
pub(crate) use weak_address;
