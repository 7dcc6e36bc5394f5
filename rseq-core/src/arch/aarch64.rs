//! aarch64: `tpidr_el0` is the thread pointer.
//!
//! x16 is the scratch register of a section, and x17 is given up beside it: where `b` reaches too short, linkers jump by
//! veneers, which may change these two (AAPCS64, IP0 and IP1).

use crate::abi::Rseq;
use core::arch::asm;

/// `brk #0x45e0`, as the kernel reads it: data is big-endian where the target is, instructions never are.
pub const SIGNATURE: u32 = u32::from_ne_bytes(0xd428_bc00_u32.to_le_bytes());

#[inline]
pub(super) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads a register that is always readable in user mode.
    unsafe { asm!("mrs {}, tpidr_el0", out(reg) pointer, options(pure, readonly, nostack, preserves_flags)) };
    pointer
}

#[inline]
pub(super) fn own_area() -> *mut Rseq {
    let area;
    // SAFETY: computes an address in the module's static TLS block, which is mapped as long as the thread runs.
    unsafe {
        asm!(
            "adrp {distance}, :gottprel:__rseq_core_area", // linkers make these two a constant in executables
            "ldr {distance}, [{distance}, :gottprel_lo12:__rseq_core_area]",
            "mrs {area}, tpidr_el0",
            "add {area}, {area}, {distance}",
            area = out(reg) area,
            distance = out(reg) _,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    area
}

#[inline]
pub(super) unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    let value;
    // SAFETY: the kernel's convention: number in x8, arguments in x0 to x5, the result in x0. It keeps the other general
    // registers and 128 bits of each vector register, and discards the rest of the SVE state: the upper bits of z0 to z31,
    // p0 to p15 and ffr (Documentation/arch/arm64/sve.rst, section 4). The compiler has no name for the upper bits alone, so
    // v0 to v31 are declared, which stand for all of z0 to z31. It keeps nothing in ffr, and warns of an asm! that names it.
    unsafe {
        asm!(
            "svc #0",
            in("x8") nr as usize,
            inlateout("x0") args[0] => value,
            in("x1") args[1],
            in("x2") args[2],
            in("x3") args[3],
            in("x4") args[4],
            in("x5") args[5],
            lateout("v0") _, lateout("v1") _, lateout("v2") _, lateout("v3") _,
            lateout("v4") _, lateout("v5") _, lateout("v6") _, lateout("v7") _,
            lateout("v8") _, lateout("v9") _, lateout("v10") _, lateout("v11") _,
            lateout("v12") _, lateout("v13") _, lateout("v14") _, lateout("v15") _,
            lateout("v16") _, lateout("v17") _, lateout("v18") _, lateout("v19") _,
            lateout("v20") _, lateout("v21") _, lateout("v22") _, lateout("v23") _,
            lateout("v24") _, lateout("v25") _, lateout("v26") _, lateout("v27") _,
            lateout("v28") _, lateout("v29") _, lateout("v30") _, lateout("v31") _,
            lateout("p0") _, lateout("p1") _, lateout("p2") _, lateout("p3") _,
            lateout("p4") _, lateout("p5") _, lateout("p6") _, lateout("p7") _,
            lateout("p8") _, lateout("p9") _, lateout("p10") _, lateout("p11") _,
            lateout("p12") _, lateout("p13") _, lateout("p14") _, lateout("p15") _,
            options(nostack)
        );
    }
    value
}

macro_rules! load_weak {
    ($symbol:literal, $address:ident) => {
        core::arch::asm!(
            concat!(".weak ", $symbol),
            concat!("adrp {0}, :got:", $symbol),
            concat!("ldr {0}, [{0}, :got_lo12:", $symbol, "]"),
            out(reg) $address,
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
            operands [rseq_area = in(reg) $base, out("x16") _, out("x17") _,]
            descriptor ["adrp x16, 77b", "add x16, x16, :lo12:77b"]
            arm "str x16, [{rseq_area}, #{rseq_cs}]",
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
    // A conditional branch reaches 1 MiB, which a function may exceed, `b` reaches 128 MiB.
    (jump $label:expr) => { concat!("b ", $label) };
    (jump_from_failure $label:expr) => { concat!("b ", $label) };
    (check_index $index:literal, $x:ident, $exit:ident) => {
        concat!(
            "ldr w16, ", $index, "\n",
            "cmp w16, {", stringify!($x), ":w}\n",
            $crate::__rseq_leave_unless!("b.eq", $exit)
        )
    };
    (load_index $r:expr, $index:literal) => { concat!("ldrsw ", $r, ", ", $index) };
    (cbae $r:expr, $x:expr, $exit:ident) => {
        concat!("cmp ", $r, ", ", $x, "\n", $crate::__rseq_leave_unless!("b.lo", $exit))
    };
    ($compare:ident [$($m:expr),+], $x:expr, $exit:ident) => {
        $crate::__rseq_compare_loaded!("x16", $compare [$($m),+], $x, $exit)
    };
    (cbne $r:expr, $x:expr, $exit:ident) => {
        concat!("cmp ", $r, ", ", $x, "\n", $crate::__rseq_leave_unless!("b.eq", $exit))
    };
    (cbeq $r:expr, $x:expr, $exit:ident) => {
        concat!("cmp ", $r, ", ", $x, "\n", $crate::__rseq_leave_unless!("b.ne", $exit))
    };
    (cbz $r:expr, $exit:ident) => { $crate::__rseq_leave_unless!(concat!("cbnz ", $r, ","), $exit) };
    (scale $r:expr, $k:expr) => { concat!("lsl ", $r, ", ", $r, ", #", $k) };
    (load $r:expr, $m:tt) => { concat!("ldr ", $r, ", ", $crate::__rseq_memory!($m)) };
    (add $r:expr, $x:expr) => { concat!("add ", $r, ", ", $r, ", ", $x) };
    (store $m:tt, $x:expr) => { concat!("str ", $x, ", ", $crate::__rseq_memory!($m)) };
    (clear $r:ident) => { concat!("mov {", stringify!($r), "}, xzr") };
    // Eight bytes a turn while there are eight, then one: x16 is free once the section is armed.
    (copy $d:expr, $s:expr, $n:expr, $i:expr) => {
        concat!(
            "62: add x16, ", $i, ", #8\n",
            "cmp x16, ", $n, "\n",
            "b.hi 63f\n",
            "ldr x16, [", $s, ", ", $i, "]\n",
            "str x16, [", $d, ", ", $i, "]\n",
            "add ", $i, ", ", $i, ", #8\n",
            "b 62b\n",
            "63: cmp ", $i, ", ", $n, "\n",
            "b.eq 64f\n",
            "ldrb w16, [", $s, ", ", $i, "]\n",
            "strb w16, [", $d, ", ", $i, "]\n",
            "add ", $i, ", ", $i, ", #1\n",
            "b 63b\n",
            "64:"
        )
    };
    (delay $d:expr, $k:literal) => {
        concat!(
            "ldr x16, [", $d, ", #8 * ", $k, "]\n",
            "65: cbz x16, 66f\n",
            "sub x16, x16, #1\n",
            "b 65b\n",
            "66:"
        )
    };
    // A store-release addresses by one register only.
    (commit_release [$a:expr], $x:expr) => { concat!("stlr ", $x, ", [", $a, "]") };
    (commit_release [$a:expr, $b:expr], $x:expr) => {
        concat!("add x16, ", $a, ", ", $b, "\n", "stlr ", $x, ", [x16]")
    };
    (commit_add $m:tt, $x:expr) => {
        $crate::__rseq_load_add_store!("x16", $m, $crate::__rseq_text!(add "x16", $x))
    };
    (commit_increment $m:tt) => { $crate::__rseq_load_add_store!("x16", $m, "add x16, x16, #1") };
}
