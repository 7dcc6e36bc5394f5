//! LoongArch, 64 bits: `$tp` is the thread pointer; sections reach the area through a register.
//!
//! A conditional branch reaches 128 KiB, so that sections branch over a `b` (128 MiB) to their exits. From
//! `__rseq_failure`, which may lie behind all of a program's text, `tail36` (`pcaddu18i`, `jirl`) reaches 128 GiB.

use crate::abi::Rseq;
use core::arch::asm;

/// `break 0x10`, with a code that neither the kernel nor compilers use.
pub const SIGNATURE: u32 = 0x002a_0010;

#[inline]
pub(super) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: copies a register that the psABI reserves. `readonly` keeps it behind whatever set the register.
    unsafe { asm!("move {}, $tp", out(reg) pointer, options(pure, readonly, nostack, preserves_flags)) };
    pointer
}

#[inline]
pub(super) fn own_area() -> *mut Rseq {
    let area;
    // SAFETY: computes an address in the module's static TLS block, which is mapped as long as the thread runs. `readonly` keeps
    // it behind whatever set the thread pointer.
    unsafe {
        asm!(
            "pcalau12i {area}, %ie_pc_hi20(__rseq_core_area)",
            "ld.d {area}, {area}, %ie_pc_lo12(__rseq_core_area)",
            "add.d {area}, {area}, $tp",
            area = out(reg) area,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    area
}

#[inline]
pub(super) unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    let value;
    // SAFETY: the kernel's convention: number in a7, arguments in a0 to a5, result in a0; it clobbers t0 to t8 and
    // keeps the other registers, floating-point numbers, condition flags and vectors included.
    unsafe {
        asm!(
            "syscall 0",
            in("$a7") nr as usize,
            inlateout("$a0") args[0] => value,
            in("$a1") args[1],
            in("$a2") args[2],
            in("$a3") args[3],
            in("$a4") args[4],
            in("$a5") args[5],
            lateout("$t0") _,
            lateout("$t1") _,
            lateout("$t2") _,
            lateout("$t3") _,
            lateout("$t4") _,
            lateout("$t5") _,
            lateout("$t6") _,
            lateout("$t7") _,
            lateout("$t8") _,
            options(nostack)
        );
    }
    value
}

macro_rules! load_weak {
    ($symbol:literal, $address:ident) => {
        core::arch::asm!(
            concat!(".weak ", $symbol),
            concat!("pcalau12i {address}, %got_pc_hi20(", $symbol, ")"),
            concat!("ld.d {address}, {address}, %got_pc_lo12(", $symbol, ")"),
            address = out(reg) $address,
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
            operands [rseq_t = out(reg) _, rseq_area = in(reg) $base,]
            descriptor ["la.pcrel {rseq_t}, 77b"]
            arm "st.d {rseq_t}, {rseq_area}, {rseq_cs}",
            index "{rseq_area}, {rseq_index}"
            handler ".balign 4"
            options(nostack)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_text {
    (jump $label:expr) => { concat!("b ", $label) };
    (jump_from_failure $label:expr) => { concat!("tail36 {rseq_t}, ", $label) };
    // The difference of 32 bits: the upper half of `x` takes no part.
    (check_index $index:literal, $x:ident, $exit:ident) => {
        concat!(
            "ld.w {rseq_t}, ", $index, "\n",
            "sub.w {rseq_t}, {rseq_t}, {", stringify!($x), "}\n",
            $crate::__rseq_leave_unless!("beqz {rseq_t},", $exit)
        )
    };
    (load_index $r:expr, $index:literal) => { concat!("ld.w ", $r, ", ", $index) };
    ($compare:ident [$($m:expr),+], $x:expr, $exit:ident) => {
        $crate::__rseq_compare_loaded!("{rseq_t}", $compare [$($m),+], $x, $exit)
    };
    (cbae $r:expr, $x:expr, $exit:ident) => {
        $crate::__rseq_leave_unless!(concat!("bltu ", $r, ", ", $x, ","), $exit)
    };
    (cbne $r:expr, $x:expr, $exit:ident) => { $crate::__rseq_leave_unless!(concat!("beq ", $r, ", ", $x, ","), $exit) };
    (cbeq $r:expr, $x:expr, $exit:ident) => { $crate::__rseq_leave_unless!(concat!("bne ", $r, ", ", $x, ","), $exit) };
    (cbz $r:expr, $exit:ident) => { $crate::__rseq_leave_unless!(concat!("bnez ", $r, ","), $exit) };
    (scale $r:expr, $k:expr) => { concat!("slli.d ", $r, ", ", $r, ", ", $k) };
    (load $r:expr, [$a:expr]) => { concat!("ld.d ", $r, ", ", $a, ", 0") };
    (load $r:expr, [$a:expr, $b:expr]) => { concat!("ldx.d ", $r, ", ", $a, ", ", $b) };
    (add $r:expr, $x:expr) => { concat!("add.d ", $r, ", ", $r, ", ", $x) };
    (store [$a:expr], $x:expr) => { concat!("st.d ", $x, ", ", $a, ", 0") };
    (store [$a:expr, $b:expr], $x:expr) => { concat!("stx.d ", $x, ", ", $a, ", ", $b) };
    (clear $r:ident) => { concat!("move {", stringify!($r), "}, $zero") };
    // Eight bytes a turn while there are eight, if both ends are aligned: not every processor does it otherwise, and then
    // it traps. Then a byte a turn.
    (copy $d:expr, $s:expr, $n:expr, $i:expr) => {
        concat!(
            "or {rseq_t}, ", $d, ", ", $s, "\n",
            "andi {rseq_t}, {rseq_t}, 7\n",
            "bnez {rseq_t}, 63f\n",
            "62: addi.d {rseq_t}, ", $i, ", 8\n",
            "bltu ", $n, ", {rseq_t}, 63f\n",
            "ldx.d {rseq_t}, ", $s, ", ", $i, "\n",
            "stx.d {rseq_t}, ", $d, ", ", $i, "\n",
            "addi.d ", $i, ", ", $i, ", 8\n",
            "b 62b\n",
            "63: beq ", $i, ", ", $n, ", 64f\n",
            "ldx.bu {rseq_t}, ", $s, ", ", $i, "\n",
            "stx.b {rseq_t}, ", $d, ", ", $i, "\n",
            "addi.d ", $i, ", ", $i, ", 1\n",
            "b 63b\n",
            "64:"
        )
    };
    (delay $d:expr, $k:literal) => {
        concat!(
            "ld.d {rseq_t}, ", $d, ", 8 * ", $k, "\n",
            "65: beqz {rseq_t}, 66f\n",
            "addi.d {rseq_t}, {rseq_t}, -1\n",
            "b 65b\n",
            "66:"
        )
    };
    // Earlier loads and stores complete before later stores; processors that do not know the hint take it for a full barrier.
    (commit_release $m:tt, $x:expr) => { concat!("dbar 0x12\n", $crate::__rseq_text!(store $m, $x)) };
    (commit_add $m:tt, $x:expr) => {
        $crate::__rseq_load_add_store!("{rseq_t}", $m, $crate::__rseq_text!(add "{rseq_t}", $x))
    };
    (commit_increment $m:tt) => { $crate::__rseq_load_add_store!("{rseq_t}", $m, "addi.d {rseq_t}, {rseq_t}, 1") };
}
