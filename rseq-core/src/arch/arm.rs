//! arm: ARMv7 in ARM state; `TPIDRURO` is the thread pointer.
//!
//! ip (r12) is the scratch register of a section: where `b` reaches too short, linkers jump by veneers, which may change
//! it (AAPCS32).

use crate::abi::Rseq;
use core::arch::asm;

/// `udf #0x5de3`, as the kernel reads it: data is big-endian where the target is, instructions never are on ARMv7 (BE8).
pub const SIGNATURE: u32 = u32::from_ne_bytes(0xe7f5_def3_u32.to_le_bytes());

#[inline]
pub(super) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads a register that is always readable in user mode.
    unsafe { asm!("mrc p15, 0, {}, c13, c0, 3", out(reg) pointer, options(pure, readonly, nostack, preserves_flags)) };
    pointer
}

#[inline]
pub(super) fn own_area() -> *mut Rseq {
    let area;
    // SAFETY: computes an address in the module's static TLS block, which is mapped as long as the thread runs.
    unsafe {
        asm!(
            "mrc p15, 0, {area}, c13, c0, 3",
            "adr {distance}, 61f",
            "ldr {word}, [{distance}]",
            "ldr {distance}, [{distance}, {word}]",
            "add {area}, {area}, {distance}",
            "b 62f",
            ".balign 4", // Thumb has instructions of two bytes
            "61: .long __rseq_core_area(gottpoff)",
            "62:",
            area = out(reg) area,
            distance = out(reg) _,
            word = out(reg) _,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    area
}

#[inline]
pub(super) unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    let value;
    // SAFETY: the kernel's convention (EABI): number in r7, arguments in r0 to r5, the result in r0; it keeps all other
    // registers, those of VFP and NEON included.
    unsafe {
        asm!(
            "mov {kept}, r7", // no operand where it is the frame pointer, as in Thumb
            "mov r7, {nr}",
            "svc #0",
            "mov r7, {kept}",
            nr = in(reg) nr,
            kept = out(reg) _,
            inlateout("r0") args[0] => value,
            in("r1") args[1],
            in("r2") args[2],
            in("r3") args[3],
            in("r4") args[4],
            in("r5") args[5],
            options(nostack)
        );
    }
    value
}

macro_rules! load_weak {
    ($symbol:literal, $address:ident) => {
        core::arch::asm!(
            concat!(".weak ", $symbol),
            "adr {place}, 61f",
            "ldr {0}, [{place}]",
            "ldr {0}, [{place}, {0}]",
            "b 62f",
            ".balign 4",
            concat!("61: .long ", $symbol, "(GOT_PREL)"),
            "62:",
            out(reg) $address,
            place = out(reg) _,
            options(pure, readonly, nostack, preserves_flags)
        )
    };
}
pub(crate) use load_weak;

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_frame {
    ([$form:ident $base:expr] $($section:tt)*) => {
        $crate::__rseq_section! {
            $($section)*
            registers reg
            operands [rseq_area = in(reg) $base, out("r12") _,]
            descriptor [
                "movw ip, #:lower16:(77b - (60f + 8))",                  // ip = from pc to the descriptor
                "movt ip, #:upper16:(77b - (60f + 8))",
                "60: add ip, pc, ip"                                     // pc is two instructions ahead
            ]
            arm "str ip, [{rseq_area}, #{rseq_cs}]",
            index "[{rseq_area}, #{rseq_index}]"
            handler ".balign 4"
            options(nostack)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_memory {
    ([$a:expr $(, $b:expr)?]) => { concat!("[", $a, $(", ", $b,)? "]") };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_text {
    // Conditional branches reach 32 MiB in ARM state, as far as `b`.
    (jump_from_failure $label:expr) => { concat!("b ", $label) };
    (check_index $index:literal, $x:ident, $exit:ident) => {
        concat!("ldr ip, ", $index, "\n", "cmp ip, {", stringify!($x), "}\n", $crate::__rseq_leave_if!("bne", $exit))
    };
    (load_index $r:expr, $index:literal) => { concat!("ldr ", $r, ", ", $index) };
    ($compare:ident [$($m:expr),+], $x:expr, $exit:ident) => {
        $crate::__rseq_compare_loaded!("ip", $compare [$($m),+], $x, $exit)
    };
    (cbae $r:expr, $x:expr, $exit:ident) => {
        concat!("cmp ", $r, ", ", $x, "\n", $crate::__rseq_leave_if!("bhs", $exit))
    };
    (cbne $r:expr, $x:expr, $exit:ident) => {
        concat!("cmp ", $r, ", ", $x, "\n", $crate::__rseq_leave_if!("bne", $exit))
    };
    (cbeq $r:expr, $x:expr, $exit:ident) => {
        concat!("cmp ", $r, ", ", $x, "\n", $crate::__rseq_leave_if!("beq", $exit))
    };
    (cbz $r:expr, $exit:ident) => { concat!("cmp ", $r, ", #0\n", $crate::__rseq_leave_if!("beq", $exit)) };
    (scale $r:expr, $k:expr) => { concat!("lsl ", $r, ", ", $r, ", #", $k) };
    (load $r:expr, $m:tt) => { concat!("ldr ", $r, ", ", $crate::__rseq_memory!($m)) };
    (add $r:expr, $x:expr) => { concat!("add ", $r, ", ", $r, ", ", $x) };
    (store $m:tt, $x:expr) => { concat!("str ", $x, ", ", $crate::__rseq_memory!($m)) };
    (clear $r:ident) => { concat!("mov {", stringify!($r), "}, #0") };
    // Four bytes a turn while there are four, then one: ip is free once the section is armed. ARMv7 loads and stores
    // single words at any address.
    (copy $d:expr, $s:expr, $n:expr, $i:expr) => {
        concat!(
            "62: add ip, ", $i, ", #4\n",
            "cmp ip, ", $n, "\n",
            "bhi 63f\n",
            "ldr ip, [", $s, ", ", $i, "]\n",
            "str ip, [", $d, ", ", $i, "]\n",
            "add ", $i, ", ", $i, ", #4\n",
            "b 62b\n",
            "63: cmp ", $i, ", ", $n, "\n",
            "beq 64f\n",
            "ldrb ip, [", $s, ", ", $i, "]\n",
            "strb ip, [", $d, ", ", $i, "]\n",
            "add ", $i, ", ", $i, ", #1\n",
            "b 63b\n",
            "64:"
        )
    };
    (delay $d:expr, $k:literal) => {
        concat!(
            "ldr ip, [", $d, ", #4 * ", $k, "]\n",
            "65: cmp ip, #0\n",
            "beq 66f\n",
            "sub ip, ip, #1\n",
            "b 65b\n",
            "66:"
        )
    };
    // The barrier orders all earlier accesses before the store.
    (commit_release $m:tt, $x:expr) => { concat!("dmb ish\n", $crate::__rseq_text!(store $m, $x)) };
    (commit_add $m:tt, $x:expr) => {
        $crate::__rseq_load_add_store!("ip", $m, $crate::__rseq_text!(add "ip", $x))
    };
    (commit_increment $m:tt) => { $crate::__rseq_load_add_store!("ip", $m, "add ip, ip, #1") };
}
