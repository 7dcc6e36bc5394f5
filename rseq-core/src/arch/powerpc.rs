//! PowerPC, 64-bit in both byte orders and 32-bit.
//!
//! Addresses are taken relative to the program counter, which works in every code model: the TOC pointer is in `r2` only
//! where the compiler found its own use for it.

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

/// What offsets in the GOT count from.
macro_rules! got {
    () => {
        crate::__rseq_wide!(".TOC.", "_GLOBAL_OFFSET_TABLE_")
    };
}

/// As the ABI has it: 0x7000 behind the start of the TLS block.
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
    // SAFETY: the kernel's convention (Documentation/arch/powerpc/syscall64-abi.rst): number in r0, arguments in r3 to r8; `sc`
    // may change r0, r3 to r12, cr0, ctr and xer, and keeps lr, cr1 to cr7, and all floating-point and vector registers. The
    // summary overflow bit of cr0 says that r3 is an error number.
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

/// From a word of the TOC section, a GOT of one's own.
macro_rules! load_weak {
    ($symbol:literal, $address:ident) => {
        core::arch::asm!(
            concat!(".weak ", $symbol),
            $crate::__rseq_wide!(".pushsection .toc, \"aw\", %progbits", ".pushsection .got2, \"aw\", %progbits"),
            $crate::__rseq_wide!(".balign 8", ".balign 4"),
            concat!("67: ", $crate::__rseq_wide!(".quad ", ".long "), $symbol),
            ".popsection",
            $crate::__rseq_text!(address "{0}", "67b"),
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
    ([$form:ident $base:expr] $($section:tt)*) => {
        $crate::__rseq_section! {
            $($section)*
            registers reg_nonzero
            operands [
                rseq_t = out(reg_nonzero) _, rseq_area = in(reg_nonzero) $base,
                out("cr0") _, out("lr") _, out("ctr") _,
            ]
            descriptor [$crate::__rseq_text!(address "{rseq_t}", "77b")]
            arm concat!($crate::__rseq_wide!("std", "stw"), " {rseq_t}, {rseq_cs}({rseq_area})"),
            index "{rseq_index}({rseq_area})"
            handler ".balign 4"
            options(nostack)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_text {
    // Of a local label within 2 GiB, by the program counter. Takes `lr`; this form of call leaves the predictor of
    // returns alone.
    (address $r:literal, $label:expr) => {
        concat!(
            "bcl 20, 31, 60f\n",
            "60: mflr ", $r, "\n",
            "addis ", $r, ", ", $r, ", (", $label, " - 60b)@ha\n",
            "addi ", $r, ", ", $r, ", (", $label, " - 60b)@l"
        )
    };
    // A conditional branch reaches 32 KiB only, `b` 32 MiB, and `bctr` everything.
    (jump $label:expr) => { concat!("b ", $label) };
    (jump_from_failure $label:expr) => {
        concat!($crate::__rseq_text!(address "{rseq_t}", $label), "\nmtctr {rseq_t}\nbctr")
    };
    (check_index $index:literal, $x:ident, $exit:ident) => {
        concat!(
            "lwz {rseq_t}, ", $index, "\n",
            "cmpw {rseq_t}, {", stringify!($x), "}\n",
            $crate::__rseq_leave_unless!("beq+", $exit)
        )
    };
    (load_index $r:expr, $index:literal) => { concat!($crate::__rseq_wide!("lwa ", "lwz "), $r, ", ", $index) };
    ($compare:ident [$($m:expr),+], $x:expr, $exit:ident) => {
        $crate::__rseq_compare_loaded!("{rseq_t}", $compare [$($m),+], $x, $exit)
    };
    (cbae $r:expr, $x:expr, $exit:ident) => {
        concat!(
            $crate::__rseq_wide!("cmpld ", "cmplw "), $r, ", ", $x, "\n",
            $crate::__rseq_leave_unless!("blt+", $exit)
        )
    };
    (cbne $r:expr, $x:expr, $exit:ident) => {
        concat!(
            $crate::__rseq_wide!("cmpld ", "cmplw "), $r, ", ", $x, "\n",
            $crate::__rseq_leave_unless!("beq+", $exit)
        )
    };
    (cbeq $r:expr, $x:expr, $exit:ident) => {
        concat!(
            $crate::__rseq_wide!("cmpld ", "cmplw "), $r, ", ", $x, "\n",
            $crate::__rseq_leave_unless!("bne+", $exit)
        )
    };
    (cbz $r:expr, $exit:ident) => {
        concat!($crate::__rseq_wide!("cmpldi ", "cmplwi "), $r, ", 0\n", $crate::__rseq_leave_unless!("bne+", $exit))
    };
    (scale $r:expr, $k:expr) => { concat!($crate::__rseq_wide!("sldi ", "slwi "), $r, ", ", $r, ", ", $k) };
    (load $r:expr, [$a:expr]) => { concat!($crate::__rseq_wide!("ld ", "lwz "), $r, ", 0(", $a, ")") };
    (load $r:expr, [$a:expr, $b:expr]) => { concat!($crate::__rseq_wide!("ldx ", "lwzx "), $r, ", ", $a, ", ", $b) };
    (add $r:expr, $x:expr) => { concat!("add ", $r, ", ", $r, ", ", $x) };
    (store [$a:expr], $x:expr) => { concat!($crate::__rseq_wide!("std ", "stw "), $x, ", 0(", $a, ")") };
    (store [$a:expr, $b:expr], $x:expr) => { concat!($crate::__rseq_wide!("stdx ", "stwx "), $x, ", ", $a, ", ", $b) };
    (clear $r:ident) => { concat!("li {", stringify!($r), "}, 0") };
    // A word a turn while there is one, then bytes: rseq_t is free once the section is armed.
    (copy $d:expr, $s:expr, $n:expr, $i:expr) => {
        concat!(
            "62: addi {rseq_t}, ", $i, ", ", $crate::__rseq_wide!("8\ncmpld", "4\ncmplw"), " {rseq_t}, ", $n, "\n",
            "bgt 63f\n",
            $crate::__rseq_text!(load "{rseq_t}", [$s, $i]), "\n",
            $crate::__rseq_text!(store [$d, $i], "{rseq_t}"), "\n",
            "addi ", $i, ", ", $i, ", ", $crate::__rseq_wide!("8", "4"), "\n",
            "b 62b\n",
            "63: ", $crate::__rseq_wide!("cmpld ", "cmplw "), $i, ", ", $n, "\n",
            "beq 64f\n",
            "lbzx {rseq_t}, ", $s, ", ", $i, "\n",
            "stbx {rseq_t}, ", $d, ", ", $i, "\n",
            "addi ", $i, ", ", $i, ", 1\n",
            "b 63b\n",
            "64:"
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
    // Not every 32-bit processor has the lighter barrier.
    (commit_release $m:tt, $x:expr) => {
        concat!($crate::__rseq_wide!("lwsync\n", "sync\n"), $crate::__rseq_text!(store $m, $x))
    };
    (commit_add $m:tt, $x:expr) => {
        $crate::__rseq_load_add_store!("{rseq_t}", $m, $crate::__rseq_text!(add "{rseq_t}", $x))
    };
    (commit_increment $m:tt) => { $crate::__rseq_load_add_store!("{rseq_t}", $m, "addi {rseq_t}, {rseq_t}, 1") };
}
