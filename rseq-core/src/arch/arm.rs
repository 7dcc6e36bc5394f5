//! arm: ARMv7 in ARM state; `TPIDRURO` is the thread pointer.
//!
//! ip (r12) is the scratch register of a section: where `b` does not reach, linkers insert veneers, which may change it
//! (AAPCS32).

use crate::abi::Rseq;
use core::arch::asm;

/// `udf #0x5de3`, as the kernel reads it: data is big-endian where the target is, instructions never are on ARMv7
/// (BE8).
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
    // The abort handler is in the function, where unwinders know it. A jump over it, and a load from there, replace two
    // instructions for a 32-bit constant.
    ([$form:ident $base:expr] $($section:tt)*) => {
        $crate::__rseq_function! {
            @asm
            $($section)*
            registers reg
            operands [rseq_u = out(reg) _, rseq_area = in(reg) $base, out("r12") _,]
            failure ["b 62f", ".balign 4", ".balign 4\n60: .long 77b - 61f - 2 * (63f - 61f)\n62:"]
            handler []
            descriptor [
                "ldr ip, 60b",        // from pc to the descriptor
                "61: add ip, pc, ip\n63:" // pc is two of these instructions ahead: 8 bytes, or 4 in Thumb state
            ]
            arm "str ip, [{rseq_area}, #{rseq_cs}]",
            index "[{rseq_area}, #{rseq_index}]"
            around [, "@ {rseq_u}"] // not every section uses it
            options(nostack)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_primitive {
    (t) => { "ip" };
    // Conditional branches reach 32 MiB in ARM state, as far as `b`, and stay in the function.
    (far $label:expr) => { concat!("b ", $label) };
    (near $label:expr) => { concat!("b ", $label) };
    (check_index $index:literal, $x:ident, $exit:expr) => {
        concat!("ldr ip, ", $index, "\n", "cmp ip, {", stringify!($x), "}\n", "bne ", $exit)
    };
    (load_index $r:expr, $index:literal) => { concat!("ldr ", $r, ", ", $index) };
    (bound $r:expr, $x:expr, $exit:expr) => { concat!("cmp ", $r, ", ", $x, "\n", "bhs ", $exit) };
    (cbne $r:expr, $x:expr, $exit:expr) => { concat!("cmp ", $r, ", ", $x, "\n", "bne ", $exit) };
    (cbeq $r:expr, $x:expr, $exit:expr) => { concat!("cmp ", $r, ", ", $x, "\n", "beq ", $exit) };
    (cbz $r:expr, $exit:expr) => { concat!("cmp ", $r, ", #0\n", "beq ", $exit) };
    (literal $r:expr, $k:literal) => { concat!("mov ", $r, ", #", $k) };
    (mov $r:expr, $x:expr) => { concat!("mov ", $r, ", ", $x) };
    (add $r:expr, $x:expr) => { concat!("add ", $r, ", ", $r, ", ", $x) };
    (sub $r:expr, $x:expr) => { concat!("sub ", $r, ", ", $r, ", ", $x) };
    (and $r:expr, $x:expr) => { concat!("and ", $r, ", ", $r, ", ", $x) };
    (or $r:expr, $x:expr) => { concat!("orr ", $r, ", ", $r, ", ", $x) };
    (shl $r:expr, $k:expr) => { concat!("lsl ", $r, ", ", $r, ", #", $k) };
    (shr $r:expr, $k:expr) => { concat!("lsr ", $r, ", ", $r, ", #", $k) };
    (add_to_value $x:ident) => { concat!("add {rseq_u}, {rseq_u}, {", stringify!($x), "}") };
    (add_to_value $k:literal) => { concat!("add {rseq_u}, {rseq_u}, #", $k) };
    (reach [$a:ident + $b:ident * $k:tt]) => {
        concat!("add ip, {", stringify!($a), "}, {", stringify!($b), "}, lsl #", $crate::__rseq_log2!($k), "\n")
    };
    (reach $m:tt) => { "" };
    (at [$a:ident]) => { concat!("[{", stringify!($a), "}]") };
    (at [$a:ident + $b:ident]) => { concat!("[{", stringify!($a), "}, {", stringify!($b), "}]") };
    (at [$a:ident + $k:literal]) => { concat!("[{", stringify!($a), "}, #", $k, "]") };
    (at [$a:ident + $b:ident * $k:tt]) => { "[ip]" };
    (load $r:ident, $m:tt) => { concat!("ldr {", stringify!($r), "}, ", $crate::__rseq_primitive!(at $m)) };
    (load_u32 $r:ident, $m:tt) => { $crate::__rseq_primitive!(load $r, $m) };
    (load_u16 $r:ident, $m:tt) => { concat!("ldrh {", stringify!($r), "}, ", $crate::__rseq_primitive!(at $m)) };
    (load_u8 $r:ident, $m:tt) => { concat!("ldrb {", stringify!($r), "}, ", $crate::__rseq_primitive!(at $m)) };
    (store $m:tt, $x:ident) => { concat!("str {", stringify!($x), "}, ", $crate::__rseq_primitive!(at $m)) };
    (store_u32 $m:tt, $x:ident) => { $crate::__rseq_primitive!(store $m, $x) };
    (store_u16 $m:tt, $x:ident) => { concat!("strh {", stringify!($x), "}, ", $crate::__rseq_primitive!(at $m)) };
    (store_u8 $m:tt, $x:ident) => { concat!("strb {", stringify!($x), "}, ", $crate::__rseq_primitive!(at $m)) };
    // The barrier orders the load before all later accesses, and all earlier ones before the store.
    (load_acquire $r:ident, $m:tt) => { concat!($crate::__rseq_primitive!(load $r, $m), "\ndmb ish") };
    (store_release $m:tt, $x:ident) => { concat!("dmb ish\n", $crate::__rseq_primitive!(store $m, $x)) };
    // Four bytes a turn while there are four, then one. ARMv7 loads and stores single words at any address.
    (copy $d:expr, $s:expr, $n:expr, $i:expr) => {
        concat!(
            "mov ", $i, ", #0\n",
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
}
