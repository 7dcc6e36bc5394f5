//! aarch64: `tpidr_el0` is the thread pointer.

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
    // SAFETY: the kernel's convention: number in x8, arguments in x0 to x5, the result in x0. It keeps the other
    // general registers and 128 bits of each vector register, and discards the rest of the SVE state: the upper bits of
    // z0 to z31, p0 to p15 and ffr (Documentation/arch/arm64/sve.rst, section 4). The compiler has no name for the
    // upper bits alone, so v0 to v31 are declared, which stand for all of z0 to z31. It keeps nothing in ffr, and warns
    // of an asm! that names it.
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
    // x17 keeps the descriptor's address until the section ends, for unwinders. x16 is reserved too: where `b` does not
    // reach, linkers insert veneers, which may change these two (AAPCS64, IP0 and IP1).
    ([$form:ident $base:expr] $($section:tt)*) => {
        $crate::__rseq_function! {
            @asm
            $($section)*
            registers reg
            operands [rseq_t = out(reg) _, rseq_u = out(reg) _, rseq_area = in(reg) $base, out("x16") _, out("x17") _,]
            failure [".pushsection __rseq_failure, \"ax\", %progbits", ".balign 4", ".cfi_endproc\n.popsection"]
            handler [
                ".cfi_startproc simple",
                ".cfi_signal_frame",
                ".cfi_return_column 32",
                ".cfi_def_cfa 31, 0",
                ".cfi_escape 0x16, 32, 3, 0x81, 8, 6" // pc = *(x17 + 8), the section's first instruction
            ]
            descriptor ["adrp x17, 77b", "add x17, x17, :lo12:77b"]
            arm "str x17, [{rseq_area}, #{rseq_cs}]",
            index "[{rseq_area}, #{rseq_index}]"
            around [, "/* {rseq_t} {rseq_u} */"] // not every section uses them
            options(nostack)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_primitive {
    (t) => { "{rseq_t}" };
    // A conditional branch reaches 1 MiB, which a function may exceed; `b` reaches 128 MiB, and linkers extend it.
    (far $label:expr) => { concat!("b ", $label) };
    (near $label:expr) => { concat!("b ", $label) };
    (unless $branch:expr, $exit:expr) => { concat!($branch, " 61f\nb ", $exit, "\n61:") };
    (check_index $index:literal, $x:ident, $exit:expr) => {
        concat!(
            "ldr {rseq_t:w}, ", $index, "\n",
            "cmp {rseq_t:w}, {", stringify!($x), ":w}\n",
            $crate::__rseq_primitive!(unless "b.eq", $exit)
        )
    };
    (load_index $r:expr, $index:literal) => { concat!("ldrsw ", $r, ", ", $index) };
    (bound $r:expr, $x:expr, $exit:expr) => {
        concat!("cmp ", $r, ", ", $x, "\n", $crate::__rseq_primitive!(unless "b.lo", $exit))
    };
    (cbne $r:expr, $x:expr, $exit:expr) => {
        concat!("cmp ", $r, ", ", $x, "\n", $crate::__rseq_primitive!(unless "b.eq", $exit))
    };
    (cbeq $r:expr, $x:expr, $exit:expr) => {
        concat!("cmp ", $r, ", ", $x, "\n", $crate::__rseq_primitive!(unless "b.ne", $exit))
    };
    (cbz $r:expr, $exit:expr) => { $crate::__rseq_primitive!(unless concat!("cbnz ", $r, ","), $exit) };
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
        concat!("add {rseq_t}, {", stringify!($a), "}, {", stringify!($b), "}, lsl #", $crate::__rseq_log2!($k), "\n")
    };
    (reach $m:tt) => { "" };
    (at [$a:ident]) => { concat!("[{", stringify!($a), "}]") };
    (at [$a:ident + $b:ident]) => { concat!("[{", stringify!($a), "}, {", stringify!($b), "}]") };
    (at [$a:ident + $k:literal]) => { concat!("[{", stringify!($a), "}, #", $k, "]") };
    (at [$a:ident + $b:ident * $k:tt]) => { "[{rseq_t}]" };
    (load $r:ident, $m:tt) => { concat!("ldr {", stringify!($r), "}, ", $crate::__rseq_primitive!(at $m)) };
    (load_u32 $r:ident, $m:tt) => { concat!("ldr {", stringify!($r), ":w}, ", $crate::__rseq_primitive!(at $m)) };
    (load_u16 $r:ident, $m:tt) => { concat!("ldrh {", stringify!($r), ":w}, ", $crate::__rseq_primitive!(at $m)) };
    (load_u8 $r:ident, $m:tt) => { concat!("ldrb {", stringify!($r), ":w}, ", $crate::__rseq_primitive!(at $m)) };
    (store $m:tt, $x:ident) => { concat!("str {", stringify!($x), "}, ", $crate::__rseq_primitive!(at $m)) };
    (store_u32 $m:tt, $x:ident) => { concat!("str {", stringify!($x), ":w}, ", $crate::__rseq_primitive!(at $m)) };
    (store_u16 $m:tt, $x:ident) => { concat!("strh {", stringify!($x), ":w}, ", $crate::__rseq_primitive!(at $m)) };
    (store_u8 $m:tt, $x:ident) => { concat!("strb {", stringify!($x), ":w}, ", $crate::__rseq_primitive!(at $m)) };
    // Ordered loads and stores take an address in one register only.
    (load_acquire $r:ident, $m:tt) => {
        $crate::__rseq_primitive!(ordered concat!("ldar {", stringify!($r), "}"), $m)
    };
    (store_release $m:tt, $x:ident) => {
        $crate::__rseq_primitive!(ordered concat!("stlr {", stringify!($x), "}"), $m)
    };
    (ordered $access:expr, [$a:ident]) => { concat!($access, ", [{", stringify!($a), "}]") };
    (ordered $access:expr, [$a:ident + $b:ident]) => {
        concat!("add {rseq_t}, {", stringify!($a), "}, {", stringify!($b), "}\n", $access, ", [{rseq_t}]")
    };
    (ordered $access:expr, [$a:ident + $k:literal]) => {
        concat!("add {rseq_t}, {", stringify!($a), "}, #", $k, "\n", $access, ", [{rseq_t}]")
    };
    (ordered $access:expr, [$a:ident + $b:ident * $k:tt]) => { concat!($access, ", [{rseq_t}]") };
    // Sixteen bytes a turn while there are as many, aligned or not, then eight, then one.
    (copy $d:expr, $s:expr, $n:expr, $i:expr) => {
        concat!(
            "mov ", $i, ", xzr\n",
            "b 63f\n",
            "62: add x16, ", $s, ", ", $i, "\n",
            "ldp {rseq_t}, {rseq_u}, [x16]\n",
            "add x16, ", $d, ", ", $i, "\n",
            "stp {rseq_t}, {rseq_u}, [x16]\n",
            "add ", $i, ", ", $i, ", #16\n",
            "63: add {rseq_t}, ", $i, ", #16\n",
            "cmp {rseq_t}, ", $n, "\n",
            "b.ls 62b\n",
            "tbz ", $n, ", #3, 67f\n",
            "ldr {rseq_t}, [", $s, ", ", $i, "]\n",
            "str {rseq_t}, [", $d, ", ", $i, "]\n",
            "add ", $i, ", ", $i, ", #8\n",
            "67: cmp ", $i, ", ", $n, "\n",
            "b.eq 64f\n",
            "ldrb {rseq_t:w}, [", $s, ", ", $i, "]\n",
            "strb {rseq_t:w}, [", $d, ", ", $i, "]\n",
            "add ", $i, ", ", $i, ", #1\n",
            "b 67b\n",
            "64:"
        )
    };
    (delay $d:expr, $k:literal) => {
        concat!(
            "ldr {rseq_t}, [", $d, ", #8 * ", $k, "]\n",
            "65: cbz {rseq_t}, 66f\n",
            "sub {rseq_t}, {rseq_t}, #1\n",
            "b 65b\n",
            "66:"
        )
    };
}
