//! PowerPC, 64-bit in both byte orders and 32-bit.
//!
//! Addresses are relative to the program counter, which works in every code model: the TOC pointer is in `r2` only
//! where the compiler needs it itself.

use crate::abi::Rseq;
use core::arch::asm;

/// `twui r5, 11`, which traps; an instruction word like any other, so `.long` gives it the code's byte order.
pub const SIGNATURE: u32 = 0x0fe5_000b;

/// The register that is the thread pointer.
macro_rules! thread_register {
    () => {
        crate::__rseq_wide!("13", "2")
    };
}

/// The base of offsets in the GOT.
macro_rules! got {
    () => {
        crate::__rseq_wide!(".TOC.", "_GLOBAL_OFFSET_TABLE_")
    };
}

/// According to the ABI: 0x7000 after the start of the TLS block.
#[inline]
pub(super) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: copies a register that the ABI reserves for this.
    unsafe {
        asm!(
            concat!("mr {}, ", thread_register!()),
            out(reg) pointer,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    pointer
}

#[inline]
pub(super) fn own_area() -> *mut Rseq {
    let area;
    // SAFETY: computes an address in the module's static TLS block, which is mapped as long as the thread runs.
    unsafe {
        asm!(
            "bcl 20, 31, 60f",
            "60: mflr {area}",
            concat!("addis {area}, {area}, (", got!(), " - 60b)@ha"),
            concat!("addi {area}, {area}, (", got!(), " - 60b)@l"),
            crate::__rseq_wide!("addis {area}, {area}, __rseq_core_area@got@tprel@ha", ""),
            crate::__rseq_wide!(
                "ld {area}, __rseq_core_area@got@tprel@l({area})",
                "lwz {area}, __rseq_core_area@got@tprel({area})"
            ),
            "add {area}, {area}, __rseq_core_area@tls", // and the thread pointer
            area = out(reg_nonzero) area,
            out("lr") _,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    area
}

#[inline]
pub(super) unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    let value;
    // SAFETY: the kernel's convention (Documentation/arch/powerpc/syscall64-abi.rst): number in r0, arguments in r3 to
    // r8; `sc` may change r0, r3 to r12, cr0, ctr and xer, and keeps lr, cr1 to cr7, and all floating-point and vector
    // registers. The summary overflow bit of cr0 says that r3 is an error number.
    unsafe {
        asm!(
            "sc",
            "bns 60f",
            "neg 3, 3",
            "60:",
            inlateout("r0") nr as usize => _,
            inlateout("r3") args[0] => value,
            inlateout("r4") args[1] => _,
            inlateout("r5") args[2] => _,
            inlateout("r6") args[3] => _,
            inlateout("r7") args[4] => _,
            inlateout("r8") args[5] => _,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
            lateout("r12") _,
            lateout("cr0") _,
            lateout("ctr") _,
            lateout("xer") _,
            options(nostack)
        );
    }
    value
}

/// From a word of the TOC section, a private GOT.
macro_rules! load_weak {
    ($symbol:literal, $address:ident) => {
        core::arch::asm!(
            concat!(".weak ", $symbol),
            $crate::__rseq_wide!(".pushsection .toc, \"aw\", %progbits", ".pushsection .got2, \"aw\", %progbits"),
            $crate::__rseq_wide!(".balign 8", ".balign 4"),
            concat!("67: ", $crate::__rseq_wide!(".quad ", ".long "), $symbol),
            ".popsection",
            $crate::__rseq_primitive!(address "{0}", "67b"),
            $crate::__rseq_wide!("ld {0}, 0({0})", "lwz {0}, 0({0})"),
            out(reg_nonzero) $address,
            out("lr") _,
            options(pure, readonly, nostack, preserves_flags)
        )
    };
}
pub(crate) use load_weak;

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_frame {
    // r11 keeps the descriptor's address until the section ends, for unwinders. Linkers' stubs, inserted where `b` does
    // not reach, change r0, r12 and ctr.
    ([$form:ident $base:expr] $($section:tt)*) => {
        $crate::__rseq_function! {
            @asm
            $($section)*
            registers reg_nonzero
            operands [
                rseq_t = out(reg_nonzero) _, rseq_u = out(reg_nonzero) _, rseq_area = in(reg_nonzero) $base,
                rseq_start = const $crate::abi::START_IP_LOW,
                out("r0") _, out("r11") _, out("r12") _, out("cr0") _, out("lr") _, out("ctr") _,
            ]
            failure [".pushsection __rseq_failure, \"ax\", %progbits", ".balign 4", ".cfi_endproc\n.popsection"]
            handler [
                ".cfi_startproc simple",
                ".cfi_signal_frame",
                ".cfi_return_column 67",
                ".cfi_def_cfa 1, 0",
                ".cfi_escape 0x16, 67, 3, 0x7b, {rseq_start}, 6" // pc = *(r11 + 8), the section's first instruction
            ]
            descriptor [$crate::__rseq_primitive!(address "11", "77b")]
            arm concat!($crate::__rseq_wide!("std", "stw"), " 11, {rseq_cs}({rseq_area})"),
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
    // The address of a local label within 2 GiB, relative to the program counter. Takes `lr`; this form of call does
    // not affect the return predictor.
    (address $r:literal, $label:expr) => {
        concat!(
            "bcl 20, 31, 60f\n",
            "60: mflr ", $r, "\n",
            "addis ", $r, ", ", $r, ", (", $label, " - 60b)@ha\n",
            "addi ", $r, ", ", $r, ", (", $label, " - 60b)@l"
        )
    };
    // A conditional branch reaches 32 KiB, `b` 32 MiB, and further by a linker's stub.
    (far $label:expr) => { concat!("b ", $label) };
    (near $label:expr) => { concat!("b ", $label) };
    (unless $branch:literal, $exit:expr) => { concat!($branch, " 61f\nb ", $exit, "\n61:") };
    (check_index $index:literal, $x:ident, $exit:expr) => {
        concat!(
            "lwz {rseq_t}, ", $index, "\n",
            "cmpw {rseq_t}, {", stringify!($x), "}\n",
            $crate::__rseq_primitive!(unless "beq+", $exit)
        )
    };
    (load_index $r:expr, $index:literal) => { concat!($crate::__rseq_wide!("lwa ", "lwz "), $r, ", ", $index) };
    (compare $a:expr, $b:expr) => { concat!($crate::__rseq_wide!("cmpld ", "cmplw "), $a, ", ", $b, "\n") };
    (bound $r:expr, $x:expr, $exit:expr) => {
        concat!($crate::__rseq_primitive!(compare $r, $x), $crate::__rseq_primitive!(unless "blt+", $exit))
    };
    (cbne $r:expr, $x:expr, $exit:expr) => {
        concat!($crate::__rseq_primitive!(compare $r, $x), $crate::__rseq_primitive!(unless "beq+", $exit))
    };
    (cbeq $r:expr, $x:expr, $exit:expr) => {
        concat!($crate::__rseq_primitive!(compare $r, $x), $crate::__rseq_primitive!(unless "bne+", $exit))
    };
    (cbz $r:expr, $exit:expr) => {
        concat!(
            $crate::__rseq_wide!("cmpldi ", "cmplwi "), $r, ", 0\n", $crate::__rseq_primitive!(unless "bne+", $exit)
        )
    };
    (literal $r:expr, $k:literal) => { concat!("li ", $r, ", ", $k) };
    (mov $r:expr, $x:expr) => { concat!("mr ", $r, ", ", $x) };
    (add $r:expr, $x:expr) => { concat!("add ", $r, ", ", $r, ", ", $x) };
    (sub $r:expr, $x:expr) => { concat!("sub ", $r, ", ", $r, ", ", $x) };
    (and $r:expr, $x:expr) => { concat!("and ", $r, ", ", $r, ", ", $x) };
    (or $r:expr, $x:expr) => { concat!("or ", $r, ", ", $r, ", ", $x) };
    (shl $r:expr, $k:expr) => { concat!($crate::__rseq_wide!("sldi ", "slwi "), $r, ", ", $r, ", ", $k) };
    (shr $r:expr, $k:expr) => { concat!($crate::__rseq_wide!("srdi ", "srwi "), $r, ", ", $r, ", ", $k) };
    (add_to_value $x:ident) => { concat!("add {rseq_u}, {rseq_u}, {", stringify!($x), "}") };
    (add_to_value $k:literal) => { concat!("addi {rseq_u}, {rseq_u}, ", $k) };
    (reach [$a:ident + $b:ident * $k:tt]) => {
        concat!(
            $crate::__rseq_wide!("sldi", "slwi"), " {rseq_t}, {", stringify!($b), "}, ", $crate::__rseq_log2!($k), "\n",
            "add {rseq_t}, {rseq_t}, {", stringify!($a), "}\n"
        )
    };
    // `ld` and `std` take multiples of 4 only.
    (reach [$a:ident + $k:literal]) => { concat!("addi {rseq_t}, {", stringify!($a), "}, ", $k, "\n") };
    (reach $m:tt) => { "" };
    // A sum of two registers takes the instruction with an x at its end.
    (access $op:expr, $r:ident, [$a:ident]) => { concat!($op, " {", stringify!($r), "}, 0({", stringify!($a), "})") };
    (access $op:expr, $r:ident, [$a:ident + $k:literal]) => { concat!($op, " {", stringify!($r), "}, 0({rseq_t})") };
    (access $op:expr, $r:ident, [$a:ident + $b:ident]) => {
        concat!($op, "x {", stringify!($r), "}, {", stringify!($a), "}, {", stringify!($b), "}")
    };
    (access $op:expr, $r:ident, [$a:ident + $b:ident * $k:tt]) => {
        concat!($op, " {", stringify!($r), "}, 0({rseq_t})")
    };
    (load $r:ident, $m:tt) => { $crate::__rseq_primitive!(access $crate::__rseq_wide!("ld", "lwz"), $r, $m) };
    (load_u32 $r:ident, $m:tt) => { $crate::__rseq_primitive!(access "lwz", $r, $m) };
    (load_u16 $r:ident, $m:tt) => { $crate::__rseq_primitive!(access "lhz", $r, $m) };
    (load_u8 $r:ident, $m:tt) => { $crate::__rseq_primitive!(access "lbz", $r, $m) };
    (store $m:tt, $x:ident) => { $crate::__rseq_primitive!(access $crate::__rseq_wide!("std", "stw"), $x, $m) };
    (store_u32 $m:tt, $x:ident) => { $crate::__rseq_primitive!(access "stw", $x, $m) };
    (store_u16 $m:tt, $x:ident) => { $crate::__rseq_primitive!(access "sth", $x, $m) };
    (store_u8 $m:tt, $x:ident) => { $crate::__rseq_primitive!(access "stb", $x, $m) };
    // Not every 32-bit processor has the lighter barrier.
    (load_acquire $r:ident, $m:tt) => {
        concat!($crate::__rseq_primitive!(load $r, $m), $crate::__rseq_wide!("\nlwsync", "\nsync"))
    };
    (store_release $m:tt, $x:ident) => {
        concat!($crate::__rseq_wide!("lwsync\n", "sync\n"), $crate::__rseq_primitive!(store $m, $x))
    };
    // Two words a turn while there are as many, then one, then bytes.
    (copy $d:expr, $s:expr, $n:expr, $i:expr) => {
        concat!(
            "li ", $i, ", 0\n",
            "b 63f\n",
            "62: ", $crate::__rseq_primitive!(copy_word $d, $s, $i),
            $crate::__rseq_primitive!(copy_word $d, $s, $i),
            "63: addi {rseq_t}, ", $i, ", ", $crate::__rseq_wide!("16\ncmpld", "8\ncmplw"), " {rseq_t}, ", $n, "\n",
            "ble 62b\n",
            "addi {rseq_t}, ", $i, ", ", $crate::__rseq_wide!("8\ncmpld", "4\ncmplw"), " {rseq_t}, ", $n, "\n",
            "bgt 67f\n",
            $crate::__rseq_primitive!(copy_word $d, $s, $i),
            "67: ", $crate::__rseq_primitive!(compare $i, $n),
            "beq 64f\n",
            "lbzx {rseq_t}, ", $s, ", ", $i, "\n",
            "stbx {rseq_t}, ", $d, ", ", $i, "\n",
            "addi ", $i, ", ", $i, ", 1\n",
            "b 67b\n",
            "64:"
        )
    };
    (copy_word $d:expr, $s:expr, $i:expr) => {
        concat!(
            $crate::__rseq_wide!("ldx", "lwzx"), " {rseq_t}, ", $s, ", ", $i, "\n",
            $crate::__rseq_wide!("stdx", "stwx"), " {rseq_t}, ", $d, ", ", $i, "\n",
            "addi ", $i, ", ", $i, ", ", $crate::__rseq_wide!("8", "4"), "\n"
        )
    };
    (delay $d:expr, $k:literal) => {
        concat!(
            $crate::__rseq_wide!("ld {rseq_t}, 8", "lwz {rseq_t}, 4"), " * ", $k, "(", $d, ")\n",
            "65: ", $crate::__rseq_wide!("cmpldi", "cmplwi"), " {rseq_t}, 0\n",
            "beq 66f\n",
            "addi {rseq_t}, {rseq_t}, -1\n",
            "b 65b\n",
            "66:"
        )
    };
}
