//! LoongArch, 64 bits: `$tp` is the thread pointer; sections reach the area through a register.
//!
//! A conditional branch reaches 128 KiB, so sections branch over a `b` (128 MiB) to their exits. From `__rseq_failure`,
//! which may come after all of a program's text, `tail36` (`pcaddu18i`, `jirl`) reaches 128 GiB.

use crate::abi::Rseq;
use core::arch::asm;

/// `break 0x10`, with a code that neither the kernel nor compilers use.
pub const SIGNATURE: u32 = 0x002a_0010;

#[inline]
pub(super) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: copies a register that the psABI reserves. `readonly` orders it after the write of the register.
    unsafe { asm!("move {}, $tp", out(reg) pointer, options(pure, readonly, nostack, preserves_flags)) };
    pointer
}

#[inline]
pub(super) fn own_area() -> *mut Rseq {
    let area;
    // SAFETY: computes an address in the module's static TLS block, which is mapped as long as the thread runs.
    // `readonly` orders it after the write of the thread pointer.
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
    // t0 keeps the descriptor's address until the section ends, for unwinders.
    ([$form:ident $base:expr] $($section:tt)*) => {
        $crate::__rseq_function! {
            @asm
            $($section)*
            registers reg
            operands [rseq_t = out(reg) _, rseq_u = out(reg) _, rseq_area = in(reg) $base, out("$t0") _,]
            failure [".pushsection __rseq_failure, \"ax\", %progbits", ".balign 4", ".cfi_endproc\n.popsection"]
            handler [
                ".cfi_startproc simple",
                ".cfi_signal_frame",
                ".cfi_return_column 72",
                ".cfi_def_cfa 3, 0",
                ".cfi_escape 0x16, 72, 3, 0x7c, 8, 6" // pc = *(t0 + 8), the section's first instruction
            ]
            descriptor ["la.pcrel $t0, 77b"]
            arm "st.d $t0, {rseq_area}, {rseq_cs}",
            index "{rseq_area}, {rseq_index}"
            around [, "# {rseq_t} {rseq_u}"] // not every section uses them
            options(nostack)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_primitive {
    (t) => { "{rseq_t}" };
    // A conditional branch reaches 128 KiB, `b` 128 MiB, and linkers do not extend it.
    (far $label:expr) => { concat!("tail36 {rseq_t}, ", $label) };
    (near $label:expr) => { concat!("b ", $label) };
    (unless $branch:expr, $exit:expr) => { concat!($branch, " 61f\ntail36 {rseq_t}, ", $exit, "\n61:") };
    // A difference of 32 bits: the upper half of `x` is ignored.
    (check_index $index:literal, $x:ident, $exit:expr) => {
        concat!(
            "ld.w {rseq_t}, ", $index, "\n",
            "sub.w {rseq_t}, {rseq_t}, {", stringify!($x), "}\n",
            $crate::__rseq_primitive!(unless "beqz {rseq_t},", $exit)
        )
    };
    (load_index $r:expr, $index:literal) => { concat!("ld.w ", $r, ", ", $index) };
    (bound $r:expr, $x:expr, $exit:expr) => {
        $crate::__rseq_primitive!(unless concat!("bltu ", $r, ", ", $x, ","), $exit)
    };
    (cbne $r:expr, $x:expr, $exit:expr) => {
        $crate::__rseq_primitive!(unless concat!("beq ", $r, ", ", $x, ","), $exit)
    };
    (cbeq $r:expr, $x:expr, $exit:expr) => {
        $crate::__rseq_primitive!(unless concat!("bne ", $r, ", ", $x, ","), $exit)
    };
    (cbz $r:expr, $exit:expr) => { $crate::__rseq_primitive!(unless concat!("bnez ", $r, ","), $exit) };
    (literal $r:expr, $k:literal) => { concat!("ori ", $r, ", $zero, ", $k) };
    (mov $r:expr, $x:expr) => { concat!("move ", $r, ", ", $x) };
    (add $r:expr, $x:expr) => { concat!("add.d ", $r, ", ", $r, ", ", $x) };
    (sub $r:expr, $x:expr) => { concat!("sub.d ", $r, ", ", $r, ", ", $x) };
    (and $r:expr, $x:expr) => { concat!("and ", $r, ", ", $r, ", ", $x) };
    (or $r:expr, $x:expr) => { concat!("or ", $r, ", ", $r, ", ", $x) };
    (shl $r:expr, $k:expr) => { concat!("slli.d ", $r, ", ", $r, ", ", $k) };
    (shr $r:expr, $k:expr) => { concat!("srli.d ", $r, ", ", $r, ", ", $k) };
    (add_to_value $x:ident) => { concat!("add.d {rseq_u}, {rseq_u}, {", stringify!($x), "}") };
    (add_to_value $k:literal) => { concat!("addi.d {rseq_u}, {rseq_u}, ", $k) };
    (reach [$a:ident + $b:ident * $k:tt]) => {
        concat!(
            "slli.d {rseq_t}, {", stringify!($b), "}, ", $crate::__rseq_log2!($k), "\n",
            "add.d {rseq_t}, {rseq_t}, {", stringify!($a), "}\n"
        )
    };
    (reach $m:tt) => { "" };
    // A sum of two registers takes another instruction.
    (access $op:literal $size:literal, $r:ident, [$a:ident]) => {
        concat!($op, $size, " {", stringify!($r), "}, {", stringify!($a), "}, 0")
    };
    (access $op:literal $size:literal, $r:ident, [$a:ident + $k:literal]) => {
        concat!($op, $size, " {", stringify!($r), "}, {", stringify!($a), "}, ", $k)
    };
    (access $op:literal $size:literal, $r:ident, [$a:ident + $b:ident]) => {
        concat!($op, "x", $size, " {", stringify!($r), "}, {", stringify!($a), "}, {", stringify!($b), "}")
    };
    (access $op:literal $size:literal, $r:ident, [$a:ident + $b:ident * $k:tt]) => {
        concat!($op, $size, " {", stringify!($r), "}, {rseq_t}, 0")
    };
    (load $r:ident, $m:tt) => { $crate::__rseq_primitive!(access "ld" ".d", $r, $m) };
    (load_u32 $r:ident, $m:tt) => { $crate::__rseq_primitive!(access "ld" ".wu", $r, $m) };
    (load_u16 $r:ident, $m:tt) => { $crate::__rseq_primitive!(access "ld" ".hu", $r, $m) };
    (load_u8 $r:ident, $m:tt) => { $crate::__rseq_primitive!(access "ld" ".bu", $r, $m) };
    (store $m:tt, $x:ident) => { $crate::__rseq_primitive!(access "st" ".d", $x, $m) };
    (store_u32 $m:tt, $x:ident) => { $crate::__rseq_primitive!(access "st" ".w", $x, $m) };
    (store_u16 $m:tt, $x:ident) => { $crate::__rseq_primitive!(access "st" ".h", $x, $m) };
    (store_u8 $m:tt, $x:ident) => { $crate::__rseq_primitive!(access "st" ".b", $x, $m) };
    // Earlier loads complete before all later accesses, earlier accesses before later stores; processors that do not
    // know the hints take them for full barriers.
    (load_acquire $r:ident, $m:tt) => { concat!($crate::__rseq_primitive!(load $r, $m), "\ndbar 0x14") };
    (store_release $m:tt, $x:ident) => { concat!("dbar 0x12\n", $crate::__rseq_primitive!(store $m, $x)) };
    // Copies sixteen bytes at a time, then eight, if both ends are aligned: some processors trap otherwise. Then single
    // bytes.
    (copy $d:expr, $s:expr, $n:expr, $i:expr) => {
        concat!(
            "move ", $i, ", $zero\n",
            "or {rseq_t}, ", $d, ", ", $s, "\n",
            "andi {rseq_t}, {rseq_t}, 7\n",
            "bnez {rseq_t}, 67f\n",
            "b 63f\n",
            "62: ldx.d {rseq_t}, ", $s, ", ", $i, "\n",
            "stx.d {rseq_t}, ", $d, ", ", $i, "\n",
            "addi.d {rseq_u}, ", $i, ", 8\n",
            "ldx.d {rseq_t}, ", $s, ", {rseq_u}\n",
            "stx.d {rseq_t}, ", $d, ", {rseq_u}\n",
            "addi.d ", $i, ", ", $i, ", 16\n",
            "63: addi.d {rseq_t}, ", $i, ", 16\n",
            "bgeu ", $n, ", {rseq_t}, 62b\n",
            "andi {rseq_t}, ", $n, ", 8\n",
            "beqz {rseq_t}, 67f\n",
            "ldx.d {rseq_t}, ", $s, ", ", $i, "\n",
            "stx.d {rseq_t}, ", $d, ", ", $i, "\n",
            "addi.d ", $i, ", ", $i, ", 8\n",
            "67: beq ", $i, ", ", $n, ", 64f\n",
            "ldx.bu {rseq_t}, ", $s, ", ", $i, "\n",
            "stx.b {rseq_t}, ", $d, ", ", $i, "\n",
            "addi.d ", $i, ", ", $i, ", 1\n",
            "b 67b\n",
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
}
