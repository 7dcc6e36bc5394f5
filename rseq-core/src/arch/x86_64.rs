//! x86-64: `fs` is the thread pointer, and sections address static thread-locals through it directly.

use crate::abi::Rseq;
use core::arch::asm;

/// The operand of a `ud1` that nobody emits: `0f b9 3d` and then these bytes trap.
pub const SIGNATURE: u32 = 0x5305_3053;

#[inline]
pub(super) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads the word at fs:0, which the psABI sets to its own address before any thread runs.
    unsafe { asm!("mov {}, qword ptr fs:[0]", out(reg) pointer, options(pure, readonly, nostack, preserves_flags)) };
    pointer
}

#[inline]
pub(super) fn own_area() -> *mut Rseq {
    let area;
    // SAFETY: computes an address in the module's static TLS block, which is mapped as long as the thread runs.
    unsafe {
        asm!(
            "mov {area}, qword ptr [rip + __rseq_core_area@gottpoff]", // the distance: a constant once an executable is linked
            "add {area}, qword ptr fs:[0]",                            // and the thread pointer
            area = out(reg) area,
            options(pure, readonly, nostack)
        );
    }
    area
}

#[inline]
pub(super) unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    let value;
    // SAFETY: the kernel's convention: number in rax, arguments in rdi, rsi, rdx, r10, r8, r9; it clobbers rcx and r11
    // and keeps all other registers, vectors and masks included.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") nr as usize => value,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack)
        );
    }
    value
}

macro_rules! load_weak {
    ($symbol:literal, $address:ident) => {
        core::arch::asm!(
            concat!(".weak ", $symbol),
            concat!("mov {}, qword ptr [rip + ", $symbol, "@GOTPCREL]"),
            out(reg) $address,
            options(pure, readonly, nostack, preserves_flags)
        )
    };
}
pub(crate) use load_weak;

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_frame {
    ([direct $base:expr] $($section:tt)*) => {
        $crate::__rseq_section! {
            $($section)*
            registers reg
            operands [rseq_t = out(reg) _,]
            descriptor ["lea {rseq_t}, [rip + 77b]"]
            arm "mov qword ptr fs:[__rseq_core_area@tpoff + {rseq_cs}], {rseq_t}",
            index "fs:[__rseq_core_area@tpoff + {rseq_index}]"
            handler ".byte 0x0f, 0xb9, 0x3d"                             // ud1 edi, [rip + signature]
            options(nostack)
        }
    };
    ([pointer $base:expr] $($section:tt)*) => {
        $crate::__rseq_section! {
            $($section)*
            registers reg
            operands [rseq_area = in(reg) $base, rseq_t = out(reg) _,]
            descriptor ["lea {rseq_t}, [rip + 77b]"]
            arm "mov qword ptr [{rseq_area} + {rseq_cs}], {rseq_t}",
            index "[{rseq_area} + {rseq_index}]"
            handler ".byte 0x0f, 0xb9, 0x3d"
            options(nostack)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_memory {
    ([$a:expr $(, $b:expr)?]) => { concat!("qword ptr [", $a, $(" + ", $b,)? "]") };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_text {
    (jump_from_failure $label:expr) => { concat!("jmp ", $label) };
    (check_index $index:literal, $x:ident, $exit:ident) => {
        concat!("cmp dword ptr ", $index, ", {", stringify!($x), ":e}\n", $crate::__rseq_leave_if!("jne", $exit))
    };
    (load_index $r:expr, $index:literal) => { concat!("movsxd ", $r, ", dword ptr ", $index) };
    ($compare:ident [$($m:expr),+], $x:expr, $exit:ident) => {
        $crate::__rseq_text!($compare $crate::__rseq_memory!([$($m),+]), $x, $exit)
    };
    (cbae $a:expr, $x:expr, $exit:ident) => {
        concat!("cmp ", $a, ", ", $x, "\n", $crate::__rseq_leave_if!("jae", $exit))
    };
    (cbne $a:expr, $x:expr, $exit:ident) => {
        concat!("cmp ", $a, ", ", $x, "\n", $crate::__rseq_leave_if!("jne", $exit))
    };
    (cbeq $a:expr, $x:expr, $exit:ident) => {
        concat!("cmp ", $a, ", ", $x, "\n", $crate::__rseq_leave_if!("je", $exit))
    };
    (cbz $r:expr, $exit:ident) => { concat!("test ", $r, ", ", $r, "\n", $crate::__rseq_leave_if!("jz", $exit)) };
    (scale $r:expr, $k:expr) => { concat!("shl ", $r, ", ", $k) };
    (load $r:expr, $m:tt) => { concat!("mov ", $r, ", ", $crate::__rseq_memory!($m)) };
    (add $r:expr, $x:expr) => { concat!("add ", $r, ", ", $x) };
    (store $m:tt, $x:expr) => { concat!("mov ", $crate::__rseq_memory!($m), ", ", $x) };
    (clear $r:ident) => { concat!("xor {", stringify!($r), ":e}, {", stringify!($r), ":e}") };
    // Eight bytes a turn while there are eight, then one: rseq_t is free once the section is armed.
    (copy $d:expr, $s:expr, $n:expr, $i:expr) => {
        concat!(
            "62: lea {rseq_t}, [", $i, " + 8]\n",
            "cmp {rseq_t}, ", $n, "\n",
            "ja 63f\n",
            "mov {rseq_t}, qword ptr [", $s, " + ", $i, "]\n",
            "mov qword ptr [", $d, " + ", $i, "], {rseq_t}\n",
            "add ", $i, ", 8\n",
            "jmp 62b\n",
            "63: cmp ", $i, ", ", $n, "\n",
            "je 64f\n",
            "movzx {rseq_t:e}, byte ptr [", $s, " + ", $i, "]\n",
            "mov byte ptr [", $d, " + ", $i, "], {rseq_t:l}\n",
            "inc ", $i, "\n",
            "jmp 63b\n",
            "64:"
        )
    };
    (delay $d:expr, $k:literal) => {
        concat!(
            "mov {rseq_t}, qword ptr [", $d, " + 8 * ", $k, "]\n",
            "65: test {rseq_t}, {rseq_t}\n",
            "jz 66f\n",
            "dec {rseq_t}\n",
            "jmp 65b\n",
            "66:"
        )
    };
    // Every store is a release on x86-64.
    (commit_release $m:tt, $x:expr) => { $crate::__rseq_text!(store $m, $x) };
    (commit_add $m:tt, $x:expr) => { concat!("add ", $crate::__rseq_memory!($m), ", ", $x) };
    // Recent cores forward a sum to the next addition twice as fast if what they add stands in the instruction.
    (commit_increment $m:tt) => { concat!("add ", $crate::__rseq_memory!($m), ", 1") };
}
