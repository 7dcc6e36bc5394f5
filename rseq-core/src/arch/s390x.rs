//! s390x: the access registers 0 and 1 are the thread pointer; sections reach the area through a register.
//!
//! Branches reach 4 GiB each way, conditional ones too, so sections and abort handlers branch directly to their exits.

use crate::abi::Rseq;
use core::arch::asm;

/// `trap4 4095(%r0)`: a special-operation exception, since Linux has neither access-register mode nor linkage stacks.
/// Instructions are big-endian like all data, so the word stands as it is.
pub const SIGNATURE: u32 = 0xb2ff_0fff;

/// Access register 0 holds its high half, access register 1 its low half (s390x psABI, TLS variant II).
#[inline]
pub(super) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: copies registers that the psABI reserves. `readonly` orders it after the write of these registers.
    unsafe {
        asm!(
            "ear {pointer}, %a0",             // changes the low half only
            "sllg {pointer}, {pointer}, 32",
            "ear {pointer}, %a1",
            pointer = out(reg) pointer,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    pointer
}

#[inline]
pub(super) fn own_area() -> *mut Rseq {
    let distance: usize;
    // SAFETY: reads one word of the GOT, which does not change after the process has started.
    unsafe {
        asm!(
            "lgrl {distance}, __rseq_core_area@INDNTPOFF",
            distance = out(reg) distance,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    thread_pointer().wrapping_add(distance) as *mut Rseq
}

#[inline]
pub(super) unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    let value;
    // SAFETY: the kernel's convention: number in r1, since `svc` itself has 8 bits for it, arguments in r2 to r7,
    // result in r2; it keeps the other registers, those of floating-point numbers and vectors included.
    unsafe {
        asm!(
            "svc 0",
            in("r1") nr as usize,
            inlateout("r2") args[0] => value,
            in("r3") args[1],
            in("r4") args[2],
            in("r5") args[3],
            in("r6") args[4],
            in("r7") args[5],
            options(nostack)
        );
    }
    value
}

macro_rules! load_weak {
    ($symbol:literal, $address:ident) => {
        core::arch::asm!(
            concat!(".weak ", $symbol),
            concat!("lgrl {address}, ", $symbol, "@GOT"),
            address = out(reg) $address,
            options(pure, readonly, nostack, preserves_flags)
        )
    };
}
pub(crate) use load_weak;

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_frame {
    // r1 keeps the descriptor's address until the section ends, for unwinders.
    ([$form:ident $base:expr] $($section:tt)*) => {
        $crate::__rseq_function! {
            @asm
            $($section)*
            registers reg_addr // register 0 as a base or an index means none
            operands [
                rseq_t = out(reg_addr) _, rseq_u = out(reg_addr) _, rseq_area = in(reg_addr) $base, out("r1") _,
            ]
            failure [".pushsection __rseq_failure, \"ax\", %progbits", ".balign 4", ".cfi_endproc\n.popsection"]
            handler [
                ".cfi_startproc simple",
                ".cfi_signal_frame",
                ".cfi_return_column 32",
                ".cfi_def_cfa 15, 160",
                ".cfi_same_value 15",
                ".cfi_escape 0x16, 32, 3, 0x71, 8, 6" // pc = *(r1 + 8), the section's first instruction
            ]
            descriptor ["larl %r1, 77b"]
            arm "stg %r1, {rseq_cs}({rseq_area})",
            index "{rseq_index}({rseq_area})"
            around [, "# {rseq_t} {rseq_u}"] // not every section uses them
            options(nostack)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_primitive {
    (t) => { "{rseq_t}" };
    (far $label:expr) => { concat!("jg ", $label) };
    (near $label:expr) => { concat!("j ", $label) };
    (check_index $index:literal, $x:ident, $exit:expr) => {
        concat!("cl {", stringify!($x), "}, ", $index, "\n", "jgne ", $exit)
    };
    (load_index $r:expr, $index:literal) => { concat!("lgf ", $r, ", ", $index) };
    (bound $r:expr, $x:expr, $exit:expr) => { concat!("clgr ", $r, ", ", $x, "\n", "jghe ", $exit) };
    (cbne $r:expr, $x:expr, $exit:expr) => { concat!("cgr ", $r, ", ", $x, "\n", "jgne ", $exit) };
    (cbeq $r:expr, $x:expr, $exit:expr) => { concat!("cgr ", $r, ", ", $x, "\n", "jge ", $exit) };
    (cbz $r:expr, $exit:expr) => { concat!("ltgr ", $r, ", ", $r, "\n", "jge ", $exit) };
    (literal $r:expr, $k:literal) => { concat!("lghi ", $r, ", ", $k) };
    (mov $r:expr, $x:expr) => { concat!("lgr ", $r, ", ", $x) };
    (add $r:expr, $x:expr) => { concat!("agr ", $r, ", ", $x) };
    (sub $r:expr, $x:expr) => { concat!("sgr ", $r, ", ", $x) };
    (and $r:expr, $x:expr) => { concat!("ngr ", $r, ", ", $x) };
    (or $r:expr, $x:expr) => { concat!("ogr ", $r, ", ", $x) };
    (shl $r:expr, $k:expr) => { concat!("sllg ", $r, ", ", $r, ", ", $k) };
    (shr $r:expr, $k:expr) => { concat!("srlg ", $r, ", ", $r, ", ", $k) };
    (add_to_value $x:ident) => { concat!("agr {rseq_u}, {", stringify!($x), "}") };
    (add_to_value $k:literal) => { concat!("aghi {rseq_u}, ", $k) };
    (reach [$a:ident + $b:ident * $k:tt]) => {
        concat!(
            "sllg {rseq_t}, {", stringify!($b), "}, ", $crate::__rseq_log2!($k), "\n",
            "agr {rseq_t}, {", stringify!($a), "}\n"
        )
    };
    (reach $m:tt) => { "" };
    (at [$a:ident]) => { concat!("0({", stringify!($a), "})") };
    (at [$a:ident + $b:ident]) => { concat!("0({", stringify!($b), "}, {", stringify!($a), "})") };
    (at [$a:ident + $k:literal]) => { concat!($k, "({", stringify!($a), "})") };
    (at [$a:ident + $b:ident * $k:tt]) => { "0({rseq_t})" };
    (load $r:ident, $m:tt) => { concat!("lg {", stringify!($r), "}, ", $crate::__rseq_primitive!(at $m)) };
    (load_u32 $r:ident, $m:tt) => { concat!("llgf {", stringify!($r), "}, ", $crate::__rseq_primitive!(at $m)) };
    (load_u16 $r:ident, $m:tt) => { concat!("llgh {", stringify!($r), "}, ", $crate::__rseq_primitive!(at $m)) };
    (load_u8 $r:ident, $m:tt) => { concat!("llgc {", stringify!($r), "}, ", $crate::__rseq_primitive!(at $m)) };
    (store $m:tt, $x:ident) => { concat!("stg {", stringify!($x), "}, ", $crate::__rseq_primitive!(at $m)) };
    (store_u32 $m:tt, $x:ident) => { concat!("st {", stringify!($x), "}, ", $crate::__rseq_primitive!(at $m)) };
    (store_u16 $m:tt, $x:ident) => { concat!("sth {", stringify!($x), "}, ", $crate::__rseq_primitive!(at $m)) };
    (store_u8 $m:tt, $x:ident) => { concat!("stc {", stringify!($x), "}, ", $crate::__rseq_primitive!(at $m)) };
    // Only a load may overtake an earlier store, so every load is an acquire, and every store a release.
    (load_acquire $r:ident, $m:tt) => { $crate::__rseq_primitive!(load $r, $m) };
    (store_release $m:tt, $x:ident) => { $crate::__rseq_primitive!(store $m, $x) };
    // Sixteen bytes a turn while there are as many, aligned or not, then eight, then one.
    (copy $d:expr, $s:expr, $n:expr, $i:expr) => {
        concat!(
            "lghi ", $i, ", 0\n",
            "j 63f\n",
            "62: lg {rseq_t}, 0(", $i, ", ", $s, ")\n",
            "stg {rseq_t}, 0(", $i, ", ", $d, ")\n",
            "lg {rseq_t}, 8(", $i, ", ", $s, ")\n",
            "stg {rseq_t}, 8(", $i, ", ", $d, ")\n",
            "la ", $i, ", 16(", $i, ")\n",
            "63: la {rseq_t}, 16(", $i, ")\n",
            "clgr {rseq_t}, ", $n, "\n",
            "jnh 62b\n",
            "la {rseq_t}, 8(", $i, ")\n",
            "clgr {rseq_t}, ", $n, "\n",
            "jh 67f\n",
            "lg {rseq_t}, 0(", $i, ", ", $s, ")\n",
            "stg {rseq_t}, 0(", $i, ", ", $d, ")\n",
            "la ", $i, ", 8(", $i, ")\n",
            "67: cgr ", $i, ", ", $n, "\n",
            "je 64f\n",
            "llgc {rseq_t}, 0(", $i, ", ", $s, ")\n",
            "stc {rseq_t}, 0(", $i, ", ", $d, ")\n",
            "la ", $i, ", 1(", $i, ")\n",
            "j 67b\n",
            "64:"
        )
    };
    (delay $d:expr, $k:literal) => {
        concat!(
            "lg {rseq_t}, 8 * ", $k, "(", $d, ")\n",
            "65: ltgr {rseq_t}, {rseq_t}\n",
            "je 66f\n",
            "aghi {rseq_t}, -1\n",
            "j 65b\n",
            "66:"
        )
    };
}
