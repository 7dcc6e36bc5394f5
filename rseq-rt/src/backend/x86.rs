//! i686: `gs` is the thread pointer, through a descriptor that the kernel switches with the thread. Start-up allocates
//! the descriptor; threads use the same one.

use crate::canary::Canary;
use crate::tls::Variant;
use core::arch::global_asm;
use linux_raw_sys::general::{__NR_clone, __NR_exit, __NR_munmap};

/// Variant II (ELF Handling for Thread-Local Storage, section 3.4.2).
pub const TLS: Variant = Variant::Below;

/// As GCC and LLVM have it.
pub const CANARY: Canary = Canary::InThread(0x14);

/// seg_32bit, limit_in_pages and useable of the kernel's `struct user_desc`.
const FLAT: u32 = 0x51;

/// Sets this thread's thread pointer.
///
/// # Safety
///
/// `pointer` belongs to a filled TLS block that lives as long as the thread, which uses no other.
#[cfg(not(rseq_rt_origin))]
pub unsafe fn set_thread_pointer(pointer: usize) {
    use crate::process::{PANICKED, exit_now};
    use linux_raw_sys::general::__NR_set_thread_area;
    // The kernel's `struct user_desc`; for -1 the kernel chooses a descriptor and stores its number.
    let mut description = [u32::MAX, pointer as u32, 0xfffff, FLAT];
    let address = description.as_mut_ptr() as usize;
    // SAFETY: the kernel reads and writes one `user_desc`.
    if unsafe { rseq_core::sys::syscall(__NR_set_thread_area, [address, 0, 0, 0, 0, 0]) }.is_err() {
        // Without thread-local storage it cannot print a reason.
        exit_now(PANICKED);
    }
    let selector = description[0] << 3 | 3;
    // SAFETY: the selector is that of the descriptor just made, whose base is the caller's block.
    unsafe { core::arch::asm!("mov gs, {:e}", in(reg) selector, options(nostack, preserves_flags)) };
}

global_asm!(
    ".pushsection .text.__rseq_rt, \"ax\", @progbits",
    ".globl _start",
    ".type _start, @function",
    "_start:",
    ".cfi_startproc",
    ".cfi_undefined 8", // it has no caller
    "xor ebp, ebp", // backtraces end here
    "mov eax, esp",
    "and esp, -16",
    "sub esp, 12", // so that the argument is at a multiple of 16
    "push eax",
    "call __rseq_rt_entry",
    "ud2",
    ".zero 64", // gdb writes instructions to the entry point and after it
    ".cfi_endproc",
    ".size _start, . - _start",
    "",
    ".globl __rseq_rt_clone",
    ".type __rseq_rt_clone, @function",
    "__rseq_rt_clone:",
    "push ebx",
    "push esi",
    "push edi",
    "push ebp",
    "mov eax, [esp + 20]", // &CloneArgs
    "sub esp, 16",         // struct user_desc
    "mov edx, gs",
    "shr edx, 3",
    "mov [esp], edx", // entry_number
    "mov edx, [eax + 16]",
    "mov [esp + 4], edx",                // base_addr = tls
    "mov dword ptr [esp + 8], 0xfffff",  // limit
    "mov dword ptr [esp + 12], {flat}",
    "mov ebx, [eax]",      // flags
    "mov ecx, [eax + 4]",  // stack
    "mov edx, [eax + 8]",  // parent_tid
    "mov edi, [eax + 12]", // child_tid
    "mov esi, esp",
    "mov eax, {clone}",
    "int 0x80",
    "test eax, eax",
    "jz __rseq_rt_child",
    "add esp, 16",
    "pop ebp",
    "pop edi",
    "pop esi",
    "pop ebx",
    "ret",
    ".size __rseq_rt_clone, . - __rseq_rt_clone",
    "",
    ".type __rseq_rt_child, @function",
    "__rseq_rt_child:", // a new thread, on its own stack
    ".cfi_startproc",
    ".cfi_undefined 8", // it has no caller
    "xor ebp, ebp",
    "call __rseq_rt_thread", // whose top word is the argument
    "ud2",
    ".cfi_endproc",
    ".size __rseq_rt_child, . - __rseq_rt_child",
    "",
    ".globl __rseq_rt_unmap_and_exit",
    ".type __rseq_rt_unmap_and_exit, @function",
    "__rseq_rt_unmap_and_exit:",
    "mov ebx, [esp + 4]",
    "mov ecx, [esp + 8]",
    "mov eax, {munmap}",
    "int 0x80",
    "xor ebx, ebx",
    "mov eax, {exit}",
    "int 0x80",
    "ud2",
    ".size __rseq_rt_unmap_and_exit, . - __rseq_rt_unmap_and_exit",
    ".popsection",
    flat = const FLAT,
    clone = const __NR_clone,
    munmap = const __NR_munmap,
    exit = const __NR_exit,
);
