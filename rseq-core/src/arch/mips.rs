//! MIPS, 64-bit (n64) and 32-bit (o32), in both byte orders, release 2 and later; of release 6, 64-bit only. Release 6
//! encodes much anew, but has every instruction used here, delay slots included; it lacks hi and lo.
//!
//! The compiler's inline assembly for MIPS is unstable (`asm_experimental_arch`). It may give `$at` to an operand, so
//! there are no assembler macros here, and delay slots are written out. `$ra` cannot be declared as changed: code that
//! needs the program counter restores it.

use crate::abi::Rseq;
use core::arch::asm;

/// A `break` that compilers do not emit; an instruction word like any other, so `.long` gives it the code's byte order.
pub const SIGNATURE: u32 = 0x0350_000d;

/// The beginning of every text; `.set pop` ends it. The thread pointer's instruction belongs to release 2, even where a
/// kernel emulates it.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_set {
    () => {
        concat!(".set push\n.set noat\n.set noreorder\n", $crate::__rseq_wide!("", ".set mips32r2\n"))
    };
}

/// An instruction for hi or lo, where there are these registers.
#[cfg(not(target_arch = "mips64r6"))]
macro_rules! hi_lo {
    ($text:literal) => {
        $text
    };
}
#[cfg(target_arch = "mips64r6")]
macro_rules! hi_lo {
    ($text:literal) => {
        ""
    };
}

/// The text that puts into `area` the distance from its own first instruction, label 60, to `_gp`, from which offsets
/// in the GOT count. Only o32 has `_gp_disp`.
macro_rules! gp {
    () => {
        crate::__rseq_wide!(
            "60: lui {area}, %hi(%neg(%gp_rel(60b)))\ndaddiu {area}, {area}, %lo(%neg(%gp_rel(60b)))",
            "60: lui {area}, %hi(_gp_disp)\naddiu {area}, {area}, %lo(_gp_disp)"
        )
    };
}

/// According to the ABI: 0x7000 after the start of the TLS block.
#[inline]
pub(super) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads the hardware register that the ABI reserves for this; kernels have a fast path for $3.
    unsafe {
        asm!(
            __rseq_set!(),
            "rdhwr $3, $29",
            ".set pop",
            out("$3") pointer,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    pointer
}

#[inline]
pub(super) fn own_area() -> *mut Rseq {
    let area;
    // SAFETY: computes an address in the module's static TLS block, which is mapped as long as the thread runs. `$ra`
    // is restored.
    unsafe {
        asm!(
            __rseq_set!(),
            "rdhwr $3, $29",
            "move {ra}, $31",
            "bal 60f",
            "nop",
            gp!(),
            concat!(crate::__rseq_wide!("daddu", "addu"), " {area}, {area}, $31"),
            concat!(crate::__rseq_wide!("ld", "lw"), " {area}, %gottprel(__rseq_core_area)({area})"),
            "move $31, {ra}",
            concat!(crate::__rseq_wide!("daddu", "addu"), " {area}, {area}, $3"),
            ".set pop",
            area = out(reg) area,
            ra = out(reg) _,
            out("$3") _,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    area
}

#[inline]
pub(super) unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    let value;
    // SAFETY: the kernel's convention: number in $2, arguments in $4 to $9 (o32: to $7, then on the stack at 16 and
    // 20); $7 says whether $2 is an error number. It changes $1 to $15, $24, $25, hi and lo, and keeps the
    // registers of floating-point numbers, of MSA and of the DSP extension. $1, hi and lo cannot be declared, so they
    // are held in registers that it preserves.
    unsafe {
        asm!(
            __rseq_set!(),
            "move $16, $1",
            hi_lo!("mfhi $17"),
            hi_lo!("mflo $18"),
            crate::__rseq_wide!("", "addiu $29, $29, -32\nsw $8, 16($29)\nsw $9, 20($29)"),
            "syscall",
            crate::__rseq_wide!("", "addiu $29, $29, 32"),
            hi_lo!("mthi $17"),
            hi_lo!("mtlo $18"),
            "beqz $7, 60f",
            "move $1, $16",
            crate::__rseq_wide!("dnegu $2, $2", "negu $2, $2"),
            "60:",
            ".set pop",
            inlateout("$2") nr as usize => value,
            out("$3") _,
            inlateout("$4") args[0] => _,
            inlateout("$5") args[1] => _,
            inlateout("$6") args[2] => _,
            inlateout("$7") args[3] => _,
            inlateout("$8") args[4] => _,
            inlateout("$9") args[5] => _,
            lateout("$10") _,
            lateout("$11") _,
            lateout("$12") _,
            lateout("$13") _,
            lateout("$14") _,
            lateout("$15") _,
            out("$16") _,
            out("$17") _,
            out("$18") _,
            lateout("$24") _,
            lateout("$25") _,
            #[cfg(target_pointer_width = "64")]
            options(nostack)
        );
    }
    value
}

/// From a data word, because `$gp` need not hold the GOT.
macro_rules! load_weak {
    ($symbol:literal, $address:ident) => {
        core::arch::asm!(
            $crate::__rseq_set!(),
            concat!(".weak ", $symbol),
            ".pushsection .data.rel.ro.__rseq_weak, \"aw\", %progbits",
            $crate::__rseq_wide!(".balign 8", ".balign 4"),
            concat!("67: ", $crate::__rseq_wide!(".quad ", ".long "), $symbol),
            ".popsection",
            $crate::__rseq_primitive!(address "{t}", "67b", "{u}"),
            $crate::__rseq_wide!("ld {t}, 0({t})", "lw {t}, 0({t})"),
            ".set pop",
            t = out(reg) $address,
            u = out(reg) _,
            options(pure, readonly, nostack, preserves_flags)
        )
    };
}
pub(crate) use load_weak;

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_frame {
    // $14 keeps the descriptor's address until the section ends, for unwinders.
    ([$form:ident $base:expr] $($section:tt)*) => {
        $crate::__rseq_function! {
            @asm
            $($section)*
            registers reg
            operands [
                rseq_t = out(reg) _, rseq_u = out(reg) _, rseq_ra = out(reg) _, rseq_area = in(reg) $base, out("$14") _,
                rseq_start = const $crate::abi::START_IP_LOW,
            ]
            failure [".pushsection __rseq_failure, \"ax\", %progbits", ".balign 4", ".cfi_endproc\n.popsection"]
            handler [
                ".cfi_startproc simple",
                ".cfi_signal_frame",
                ".cfi_return_column 66",
                ".cfi_def_cfa 29, 0",
                ".cfi_escape 0x16, 66, 3, 0x7e, {rseq_start}, 6", // pc = *($14 + 8), the section's first instruction
                // An abort in a jump to an exit finds $ra changed, and its value in `rseq_ra`, which therefore has no
                // other use.
                "move $31, {rseq_ra}"
            ]
            descriptor [$crate::__rseq_primitive!(address "$14", "77b", "{rseq_ra}")]
            arm concat!($crate::__rseq_wide!("sd", "sw"), " $14, {rseq_cs}({rseq_area})"),
            index "{rseq_index}({rseq_area})"
            around [$crate::__rseq_set!(), ".set pop # {rseq_t} {rseq_u}"] // not every section uses them
            options(nostack)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_primitive {
    (t) => { "{rseq_t}" };
    // The address of a local label within 2 GiB, relative to the program counter. Takes a second register to keep `$ra`
    // in.
    (address $r:literal, $label:expr, $ra:literal) => {
        concat!(
            "move ", $ra, ", $31\n",
            "bal 78f\n",
            "lw ", $r, ", 0($31)\n", // in the delay slot, where $31 is the address of the distance already
            "60: .long ", $label, " - 60b\n",
            "78: ", $crate::__rseq_wide!("daddu ", "addu "), $r, ", ", $r, ", $31\n",
            "move $31, ", $ra
        )
    };
    // A jump of up to 2 GiB, where `b` reaches 128 KiB. Takes `rseq_t`, and `rseq_ra` for `$ra`.
    (far $label:expr) => {
        concat!($crate::__rseq_primitive!(address "{rseq_t}", $label, "{rseq_ra}"), "\njr {rseq_t}\nnop")
    };
    (near $label:expr) => { concat!("b ", $label, "\nnop") };
    // The first `nop` is in the delay slot of the branch over this jump.
    (unless $branch:expr, $exit:expr) => {
        concat!($branch, " 61f\nnop\n", $crate::__rseq_primitive!(far $exit), "\n61:")
    };
    // `sll` leaves the low 32 bits, sign-extended: the upper half of `x` is ignored.
    (check_index $index:literal, $x:ident, $exit:expr) => {
        concat!(
            "lw {rseq_t}, ", $index, "\n",
            "xor {rseq_t}, {rseq_t}, {", stringify!($x), "}\n",
            $crate::__rseq_wide!("sll {rseq_t}, {rseq_t}, 0\n", ""),
            $crate::__rseq_primitive!(unless "beq {rseq_t}, $0,", $exit)
        )
    };
    (load_index $r:expr, $index:literal) => { concat!("lw ", $r, ", ", $index) };
    (bound $r:expr, $x:expr, $exit:expr) => {
        concat!("sltu {rseq_t}, ", $r, ", ", $x, "\n", $crate::__rseq_primitive!(unless "bne {rseq_t}, $0,", $exit))
    };
    (cbne $r:expr, $x:expr, $exit:expr) => {
        $crate::__rseq_primitive!(unless concat!("beq ", $r, ", ", $x, ","), $exit)
    };
    (cbeq $r:expr, $x:expr, $exit:expr) => {
        $crate::__rseq_primitive!(unless concat!("bne ", $r, ", ", $x, ","), $exit)
    };
    (cbz $r:expr, $exit:expr) => { $crate::__rseq_primitive!(unless concat!("bne ", $r, ", $0,"), $exit) };
    (literal $r:expr, $k:literal) => { concat!("ori ", $r, ", $0, ", $k) };
    (mov $r:expr, $x:expr) => { concat!("move ", $r, ", ", $x) };
    (add $r:expr, $x:expr) => { concat!($crate::__rseq_wide!("daddu ", "addu "), $r, ", ", $r, ", ", $x) };
    (sub $r:expr, $x:expr) => { concat!($crate::__rseq_wide!("dsubu ", "subu "), $r, ", ", $r, ", ", $x) };
    (and $r:expr, $x:expr) => { concat!("and ", $r, ", ", $r, ", ", $x) };
    (or $r:expr, $x:expr) => { concat!("or ", $r, ", ", $r, ", ", $x) };
    (shl $r:expr, $k:expr) => { concat!($crate::__rseq_wide!("dsll ", "sll "), $r, ", ", $r, ", ", $k) };
    (shr $r:expr, $k:expr) => { concat!($crate::__rseq_wide!("dsrl ", "srl "), $r, ", ", $r, ", ", $k) };
    (add_to_value $x:ident) => {
        concat!($crate::__rseq_wide!("daddu", "addu"), " {rseq_u}, {rseq_u}, {", stringify!($x), "}")
    };
    (add_to_value $k:literal) => { concat!($crate::__rseq_wide!("daddiu", "addiu"), " {rseq_u}, {rseq_u}, ", $k) };
    (reach [$a:ident + $b:ident * $k:tt]) => {
        concat!(
            $crate::__rseq_wide!("dsll", "sll"), " {rseq_t}, {", stringify!($b), "}, ", $crate::__rseq_log2!($k), "\n",
            $crate::__rseq_wide!("daddu", "addu"), " {rseq_t}, {rseq_t}, {", stringify!($a), "}\n"
        )
    };
    (reach [$a:ident + $b:ident]) => {
        concat!($crate::__rseq_wide!("daddu", "addu"), " {rseq_t}, {", stringify!($a), "}, {", stringify!($b), "}\n")
    };
    (reach $m:tt) => { "" };
    (at [$a:ident]) => { concat!("0({", stringify!($a), "})") };
    (at [$a:ident + $k:literal]) => { concat!($k, "({", stringify!($a), "})") };
    (at $sum:tt) => { "0({rseq_t})" };
    (load $r:ident, $m:tt) => {
        concat!($crate::__rseq_wide!("ld", "lw"), " {", stringify!($r), "}, ", $crate::__rseq_primitive!(at $m))
    };
    (load_u32 $r:ident, $m:tt) => {
        concat!($crate::__rseq_wide!("lwu", "lw"), " {", stringify!($r), "}, ", $crate::__rseq_primitive!(at $m))
    };
    (load_u16 $r:ident, $m:tt) => { concat!("lhu {", stringify!($r), "}, ", $crate::__rseq_primitive!(at $m)) };
    (load_u8 $r:ident, $m:tt) => { concat!("lbu {", stringify!($r), "}, ", $crate::__rseq_primitive!(at $m)) };
    (store $m:tt, $x:ident) => {
        concat!($crate::__rseq_wide!("sd", "sw"), " {", stringify!($x), "}, ", $crate::__rseq_primitive!(at $m))
    };
    (store_u32 $m:tt, $x:ident) => { concat!("sw {", stringify!($x), "}, ", $crate::__rseq_primitive!(at $m)) };
    (store_u16 $m:tt, $x:ident) => { concat!("sh {", stringify!($x), "}, ", $crate::__rseq_primitive!(at $m)) };
    (store_u8 $m:tt, $x:ident) => { concat!("sb {", stringify!($x), "}, ", $crate::__rseq_primitive!(at $m)) };
    (load_acquire $r:ident, $m:tt) => { concat!($crate::__rseq_primitive!(load $r, $m), "\nsync") };
    (store_release $m:tt, $x:ident) => { concat!("sync\n", $crate::__rseq_primitive!(store $m, $x)) };
    // Byte by byte: words would have to be aligned.
    (copy $d:expr, $s:expr, $n:expr, $i:expr) => {
        concat!(
            "move ", $i, ", $0\n",
            "63: beq ", $i, ", ", $n, ", 64f\n",
            $crate::__rseq_wide!("daddu", "addu"), " {rseq_t}, ", $s, ", ", $i, "\n", // delay slot
            "lbu {rseq_t}, 0({rseq_t})\n",
            $crate::__rseq_wide!("daddu", "addu"), " {rseq_u}, ", $d, ", ", $i, "\n",
            "sb {rseq_t}, 0({rseq_u})\n",
            "b 63b\n",
            $crate::__rseq_wide!("daddiu ", "addiu "), $i, ", ", $i, ", 1\n", // delay slot
            "64:"
        )
    };
    (delay $d:expr, $k:literal) => {
        concat!(
            $crate::__rseq_wide!("ld {rseq_t}, 8", "lw {rseq_t}, 4"), " * ", $k, "(", $d, ")\n",
            "65: beq {rseq_t}, $0, 66f\n",
            "nop\n",
            "b 65b\n",
            $crate::__rseq_wide!("daddiu", "addiu"), " {rseq_t}, {rseq_t}, -1\n", // delay slot
            "66:"
        )
    };
}
