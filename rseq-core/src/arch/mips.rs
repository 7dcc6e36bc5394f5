//! MIPS, 64-bit (n64) and 32-bit (o32), in both byte orders, release 2 and later; of release 6, 64-bit. That encodes much anew,
//! but has every instruction used here, delay slots included; it lacks hi and lo.
//!
//! The compiler's inline assembly for MIPS is unstable (`asm_experimental_arch`). It may give `$at` to an operand, so there
//! are no assembler macros here, and delay slots are written out. `$ra` cannot be declared as changed: whoever needs the
//! program counter puts it back.

use crate::abi::Rseq;
use core::arch::asm;
use core::ptr::NonNull;

/// A `break` that nobody emits; an instruction word like any other, so `.long` gives it the code's byte order.
pub const SIGNATURE: u32 = 0x0350_000d;

/// A thread-local's offset has more bits than an instruction.
pub const DIRECT: bool = false;

/// Picks a text for words of 64 or of 32 bits.
#[cfg(any(target_arch = "mips64", target_arch = "mips64r6"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_wide {
    ($wide:literal, $narrow:literal) => {
        $wide
    };
}
#[cfg(target_arch = "mips")]
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_wide {
    ($wide:literal, $narrow:literal) => {
        $narrow
    };
}

/// How every text begins; `.set pop` ends it. The thread pointer's instruction is one of release 2, also where a kernel
/// emulates it.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_set {
    () => {
        concat!(".set push\n.set noat\n.set noreorder\n", $crate::__rseq_wide!("", ".set mips32r2\n"))
    };
}

/// An instruction for hi or lo, where there are these registers.
#[cfg(target_arch = "mips64")]
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

/// The thread pointer, as the ABI has it: 0x7000 behind the start of the TLS block.
#[inline]
pub fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads the hardware register that the ABI reserves for this; kernels emulate it fast in $3.
    unsafe {
        asm!(
            __rseq_set!(),
            "rdhwr $3, $29",
            ".set pop",
            out("$3") pointer,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    pointer
}

/// This thread's copy of `__rseq_core_area`.
#[inline]
pub fn own_area() -> NonNull<Rseq> {
    let area: *mut Rseq;
    // SAFETY: computes an address in the executable's TLS block, which is mapped as long as the thread runs.
    unsafe {
        asm!(
            __rseq_set!(),
            "rdhwr $3, $29",
            "lui {area}, %tprel_hi(__rseq_core_area)",
            concat!(__rseq_wide!("daddu", "addu"), " {area}, {area}, $3"),
            concat!(__rseq_wide!("daddiu", "addiu"), " {area}, {area}, %tprel_lo(__rseq_core_area)"),
            ".set pop",
            area = out(reg) area,
            out("$3") _,
            options(pure, nomem, nostack, preserves_flags)
        );
        NonNull::new_unchecked(area)
    }
}

/// The raw system call.
///
/// # Safety
///
/// The call's effects are the caller's to answer for.
#[cfg(any(target_arch = "mips64", target_arch = "mips64r6"))]
#[inline]
pub unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    let value;
    // SAFETY: the kernel's convention: number in $2, arguments in $4 to $9; $7 says whether $2 is an error number. It changes
    // $1 to $15, $24, $25, hi and lo. $1, hi and lo cannot be declared, so they are kept in registers that it preserves.
    unsafe {
        asm!(
            __rseq_set!(),
            "move $16, $1",
            hi_lo!("mfhi $17"),
            hi_lo!("mflo $18"),
            "syscall",
            hi_lo!("mthi $17"),
            hi_lo!("mtlo $18"),
            "beqz $7, 60f",
            "move $1, $16",
            "dnegu $2, $2",
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
            options(nostack)
        );
    }
    value
}

/// The raw system call.
///
/// # Safety
///
/// The call's effects are the caller's to answer for.
#[cfg(target_arch = "mips")]
#[inline]
pub unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    let value;
    // SAFETY: the kernel's convention: number in $2, arguments in $4 to $7 and on the stack at 16 and 20; $7 says whether $2 is
    // an error number. It changes $1 to $15, $24, $25, hi and lo. $1, hi and lo cannot be declared, so they are kept in
    // registers that it preserves.
    unsafe {
        asm!(
            __rseq_set!(),
            "move $16, $1",
            "mfhi $17",
            "mflo $18",
            "addiu $29, $29, -32",
            "sw $8, 16($29)",
            "sw $9, 20($29)",
            "syscall",
            "addiu $29, $29, 32",
            "mthi $17",
            "mtlo $18",
            "beqz $7, 60f",
            "move $1, $16",
            "negu $2, $2",
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
        );
    }
    value
}

/// The address of an undefined weak symbol, from a data word, because `$gp` need not hold the GOT: 0 where nobody defines it.
macro_rules! weak_address {
    ($symbol:literal) => {{
        let address: usize;
        // SAFETY: reads one word, which the linker made and which never changes once the process has started.
        unsafe {
            core::arch::asm!(
                $crate::__rseq_set!(),
                concat!(".weak ", $symbol),
                ".pushsection .data.rel.ro.__rseq_weak, \"aw\", %progbits",
                $crate::__rseq_wide!(".balign 8", ".balign 4"),
                concat!("67: ", $crate::__rseq_wide!(".quad ", ".long "), $symbol),
                ".popsection",
                $crate::__rseq_address!("{t}", "67b", "{u}"),
                $crate::__rseq_wide!("ld {t}, 0({t})", "lw {t}, 0({t})"),
                ".set pop",
                t = out(reg) address,
                u = out(reg) _,
                options(pure, readonly, nostack, preserves_flags)
            );
        }
        address
    }};
}
pub(crate) use weak_address;

/// The address of a local label within 2 GiB, by the program counter. Takes two registers, the second to keep `$ra` in.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_address {
    ($register:literal, $label:expr, $ra:literal) => {
        concat!(
            "move ",
            $ra,
            ", $31\n",
            "bal 78f\n",
            "lw ",
            $register,
            ", 0($31)\n", // in the delay slot, where $31 is the address of the distance already
            "60: .long ",
            $label,
            " - 60b\n",
            "78: ",
            $crate::__rseq_wide!("daddu ", "addu "),
            $register,
            ", ",
            $register,
            ", $31\n",
            "move $31, ",
            $ra
        )
    };
}

/// A jump of 2 GiB, where `b` reaches 128 KiB. Takes `rseq_t`, and `rseq_ra` for `$ra`.
///
/// An abort in it finds `$ra` changed and its value in `rseq_ra`, which therefore has no other use: the abort handler brings
/// it back before it jumps itself.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_jump {
    ($label:expr) => {
        concat!($crate::__rseq_address!("{rseq_t}", $label, "{rseq_ra}"), "\njr {rseq_t}\nnop\n")
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_abort_jump {
    (restart) => {
        $crate::__rseq_jump!("75b")
    };
    ($exit:ident) => {
        $crate::__rseq_jump!(concat!("{", stringify!($exit), "}"))
    };
}

/// The text that computes the address `a + b` in `rseq_t`, and the text of the place.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_reach {
    ([$a:ident]) => {
        ""
    };
    ([$a:ident + $b:ident]) => {
        concat!($crate::__rseq_wide!("daddu", "addu"), " {rseq_t}, {", stringify!($a), "}, {", stringify!($b), "}\n")
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_at {
    ([$a:ident]) => {
        concat!("0({", stringify!($a), "})")
    };
    ([$a:ident + $b:ident]) => {
        "0({rseq_t})"
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_frame {
    ([direct $base:expr] $($rest:tt)*) => {
        $crate::__rseq_frame! { [pointer $crate::arch::own_area().as_ptr()] $($rest)* }
    };
    ([pointer $base:expr] $index:ty, $variant:ident, $abort:ident,
     [$(($number:tt $step:tt))*] [$($scratch:ident)*] [$($input:ident)*] [$($imm:ident)*] [$($exit:ident)*]) => {
        ::core::arch::asm!(
            $crate::__rseq_set!(),
            $crate::__rseq_descriptor!($variant),
            "75:",
            $crate::__rseq_address!("{rseq_t}", "77b", "{rseq_ra}"),     // rseq_t = the descriptor
            $crate::__rseq_arming!($variant, concat!($crate::__rseq_wide!("sd", "sw"), " {rseq_t}, {rseq_cs}({rseq_area})")),
            "72:",
            $($crate::__rseq_step!($variant $step),)*
            "73:",
            "# {rseq_cs} {rseq_u}",                                      // not every section uses them
            ".pushsection __rseq_failure, \"ax\", %progbits",
            ".balign 4",
            $crate::__rseq_signature!($variant, ".long 0x0350000d"),
            "74:",
            "move $31, {rseq_ra}",
            $crate::__rseq_abort_jump!($abort),
            ".popsection",
            ".set pop",
            rseq_t = out(reg) _,
            rseq_u = out(reg) _,
            rseq_ra = out(reg) _,
            rseq_area = in(reg) $base,
            rseq_cs = const $crate::abi::RSEQ_CS_LOW,
            rseq_index = const <$index as $crate::Index>::OFFSET,
            $($scratch = out(reg) _,)*
            $($input = in(reg) $input,)*
            $($imm = const $imm.trailing_zeros(),)*
            $($exit = label { $crate::__rseq_left!($variant $exit) },)*
            options(nostack)
        )
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_step {
    // `sll` leaves the low 32 bits, sign-extended: the upper half of `x` takes no part.
    ($v:ident (check_index $x:ident $exit:ident)) => {
        concat!(
            "lw {rseq_t}, {rseq_index}({rseq_area})\n",
            "xor {rseq_t}, {rseq_t}, {", stringify!($x), "}\n",
            $crate::__rseq_wide!("sll {rseq_t}, {rseq_t}, 0\n", ""),
            $crate::__rseq_leave!("beq {rseq_t}, $0", $exit)
        )
    };
    ($v:ident (load_index $r:ident)) => {
        concat!("lw {", stringify!($r), "}, {rseq_index}({rseq_area})")
    };
    ($v:ident (cbae $r:ident $x:ident $exit:ident)) => {
        concat!(
            "sltu {rseq_t}, {", stringify!($r), "}, {", stringify!($x), "}\n",
            $crate::__rseq_leave!("bne {rseq_t}, $0", $exit)
        )
    };
    ($v:ident (scale $r:ident $k:ident)) => {
        concat!($crate::__rseq_wide!("dsll", "sll"), " {", stringify!($r), "}, {", stringify!($r), "}, {", stringify!($k), "}")
    };
    ($v:ident (load $r:ident $m:tt)) => {
        concat!(
            $crate::__rseq_reach!($m),
            $crate::__rseq_wide!("ld", "lw"), " {", stringify!($r), "}, ", $crate::__rseq_at!($m)
        )
    };
    ($v:ident (cbne $a:tt $x:ident $exit:ident)) => { $crate::__rseq_compare!($a, $x, "beq", $exit) };
    ($v:ident (cbeq $a:tt $x:ident $exit:ident)) => { $crate::__rseq_compare!($a, $x, "bne", $exit) };
    ($v:ident (cbz $r:ident $exit:ident)) => {
        $crate::__rseq_leave!(concat!("bne {", stringify!($r), "}, $0"), $exit)
    };
    ($v:ident (add $r:ident $x:ident)) => {
        concat!($crate::__rseq_wide!("daddu", "addu"), " {", stringify!($r), "}, {", stringify!($r), "}, {", stringify!($x), "}")
    };
    ($v:ident (store $m:tt $x:ident)) => {
        concat!(
            $crate::__rseq_reach!($m),
            $crate::__rseq_wide!("sd", "sw"), " {", stringify!($x), "}, ", $crate::__rseq_at!($m)
        )
    };
    // Byte by byte: words would have to be aligned.
    ($v:ident (copy [$d:ident] [$s:ident] $n:ident $i:ident)) => {
        concat!(
            "move {", stringify!($i), "}, $0\n",
            "63: beq {", stringify!($i), "}, {", stringify!($n), "}, 64f\n",
            $crate::__rseq_wide!("daddu", "addu"), " {rseq_t}, {", stringify!($s), "}, {", stringify!($i), "}\n", // delay slot
            "lbu {rseq_t}, 0({rseq_t})\n",
            $crate::__rseq_wide!("daddu", "addu"), " {rseq_u}, {", stringify!($d), "}, {", stringify!($i), "}\n",
            "sb {rseq_t}, 0({rseq_u})\n",
            "b 63b\n",
            $crate::__rseq_wide!("daddiu", "addiu"), " {", stringify!($i), "}, {", stringify!($i), "}, 1\n", // delay slot
            "64:"
        )
    };
    ($v:ident (delay $d:ident $k:literal)) => {
        concat!(
            $crate::__rseq_wide!("ld {rseq_t}, 8", "lw {rseq_t}, 4"), " * ", $k, "({", stringify!($d), "})\n",
            "65: beq {rseq_t}, $0, 66f\n",
            "nop\n",
            "b 65b\n",
            $crate::__rseq_wide!("daddiu", "addiu"), " {rseq_t}, {rseq_t}, -1\n",                             // delay slot
            "66:"
        )
    };
    ($v:ident (commit_store $m:tt $x:ident)) => { $crate::__rseq_step!($v (store $m $x)) };
    ($v:ident (commit_release $m:tt $x:ident)) => {
        concat!("sync\n", $crate::__rseq_step!($v (store $m $x)))
    };
    ($v:ident (commit_add $m:tt $x:ident)) => {
        $crate::__rseq_add!($m, concat!($crate::__rseq_wide!("daddu", "addu"), " {rseq_u}, {rseq_u}, {", stringify!($x), "}"))
    };
    ($v:ident (commit_increment $m:tt)) => {
        $crate::__rseq_add!($m, concat!($crate::__rseq_wide!("daddiu", "addiu"), " {rseq_u}, {rseq_u}, 1"))
    };
}

/// Adds to the word at an address, by an instruction on `rseq_u`.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_add {
    ($m:tt, $add:expr) => {
        concat!(
            $crate::__rseq_reach!($m),
            $crate::__rseq_wide!("ld", "lw"),
            " {rseq_u}, ",
            $crate::__rseq_at!($m),
            "\n",
            $add,
            "\n",
            $crate::__rseq_wide!("sd", "sw"),
            " {rseq_u}, ",
            $crate::__rseq_at!($m)
        )
    };
}

/// Compares a register or a word in memory with a register, and leaves unless the branch is taken.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_compare {
    ([$($m:tt)*], $x:ident, $stay:literal, $exit:ident) => {
        concat!(
            $crate::__rseq_reach!([$($m)*]),
            $crate::__rseq_wide!("ld", "lw"), " {rseq_t}, ", $crate::__rseq_at!([$($m)*]), "\n",
            $crate::__rseq_leave!(concat!($stay, " {rseq_t}, {", stringify!($x), "}"), $exit)
        )
    };
    ($r:ident, $x:ident, $stay:literal, $exit:ident) => {
        $crate::__rseq_leave!(concat!($stay, " {", stringify!($r), "}, {", stringify!($x), "}"), $exit)
    };
}

/// Leaves the section unless the branch is taken: none reaches further than 128 KiB.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_leave {
    ($stay:expr, $exit:ident) => {
        concat!(
            $stay,
            ", 61f\n",
            "nop\n",
            $crate::__rseq_jump!(concat!("{", stringify!($exit), "}")),
            $crate::__rseq_exit_point!($exit),
            "\n61:"
        )
    };
}
