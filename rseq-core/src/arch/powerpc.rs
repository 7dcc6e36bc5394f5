//! PowerPC, 64-bit in both byte orders and 32-bit.
//!
//! Addresses are taken relative to the program counter, which works in every code model: the TOC pointer is in `r2` only
//! where the compiler found its own use for it.

use crate::abi::Rseq;
use core::arch::asm;
use core::ptr::NonNull;

/// `twui r5, 11`, which traps; an instruction word like any other, so `.long` gives it the code's byte order.
pub const SIGNATURE: u32 = 0x0fe5_000b;

/// A thread-local's offset has more bits than an instruction.
pub const DIRECT: bool = false;

/// The register that is the thread pointer.
#[cfg(target_arch = "powerpc64")]
macro_rules! thread_register {
    () => {
        "13"
    };
}
#[cfg(target_arch = "powerpc")]
macro_rules! thread_register {
    () => {
        "2"
    };
}

/// Picks an instruction for words of 64 or of 32 bits.
#[cfg(target_arch = "powerpc64")]
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_wide {
    ($wide:literal, $narrow:literal) => {
        $wide
    };
}
#[cfg(target_arch = "powerpc")]
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_wide {
    ($wide:literal, $narrow:literal) => {
        $narrow
    };
}

/// The thread pointer, as the ABI has it: 0x7000 behind the start of the TLS block.
#[inline]
pub fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: copies a register that the ABI reserves for this.
    unsafe {
        asm!(
            concat!("mr {}, ", thread_register!()),
            out(reg) pointer,
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
            concat!("addis {area}, ", thread_register!(), ", __rseq_core_area@tprel@ha"),
            "addi {area}, {area}, __rseq_core_area@tprel@l",
            area = out(reg_nonzero) area,
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
#[inline]
pub unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    let value;
    // SAFETY: the kernel's convention: number in r0, arguments in r3 to r8; it may change r0, r3 to r12, cr0, ctr and xer. The
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

/// The address of an undefined weak symbol, from a word of the TOC section (a GOT of one's own): 0 where nobody defines it.
macro_rules! weak_address {
    ($symbol:literal) => {{
        let address: usize;
        // SAFETY: reads one word, which the linker made and which never changes.
        unsafe {
            core::arch::asm!(
                concat!(".weak ", $symbol),
                $crate::__rseq_wide!(".pushsection .toc, \"aw\", %progbits", ".pushsection .got2, \"aw\", %progbits"),
                $crate::__rseq_wide!(".balign 8", ".balign 4"),
                concat!("67: ", $crate::__rseq_wide!(".quad ", ".long "), $symbol),
                ".popsection",
                $crate::__rseq_address!("{0}", "67b"),
                $crate::__rseq_wide!("ld {0}, 0({0})", "lwz {0}, 0({0})"),
                out(reg_nonzero) address,
                out("lr") _,
                options(pure, readonly, nostack, preserves_flags)
            );
        }
        address
    }};
}
pub(crate) use weak_address;

/// The address of a local label within 2 GiB, by the program counter. Takes a register and `lr`.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_address {
    ($register:literal, $label:expr) => {
        concat!(
            "bcl 20, 31, 60f\n", // this form of call leaves the predictor of returns alone
            "60: mflr ",
            $register,
            "\n",
            "addis ",
            $register,
            ", ",
            $register,
            ", (",
            $label,
            " - 60b)@ha\n",
            "addi ",
            $register,
            ", ",
            $register,
            ", (",
            $label,
            " - 60b)@l"
        )
    };
}

/// Loads from `[a]` or `[a + b]` into a register, or stores there.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_access {
    (load $r:expr, [$a:ident]) => {
        concat!($crate::__rseq_wide!("ld ", "lwz "), $r, ", 0({", stringify!($a), "})\n")
    };
    (load $r:expr, [$a:ident + $b:ident]) => {
        concat!($crate::__rseq_wide!("ldx ", "lwzx "), $r, ", {", stringify!($a), "}, {", stringify!($b), "}\n")
    };
    (store $r:expr, [$a:ident]) => {
        concat!($crate::__rseq_wide!("std ", "stw "), $r, ", 0({", stringify!($a), "})\n")
    };
    (store $r:expr, [$a:ident + $b:ident]) => {
        concat!($crate::__rseq_wide!("stdx ", "stwx "), $r, ", {", stringify!($a), "}, {", stringify!($b), "}\n")
    };
}

/// A jump of 2 GiB from `__rseq_failure`, where `b` reaches 32 MiB. Takes `rseq_t`, `lr` and `ctr`.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_abort_jump {
    (restart) => {
        concat!($crate::__rseq_address!("{rseq_t}", "75b"), "\nmtctr {rseq_t}\nbctr")
    };
    ($exit:ident) => {
        concat!($crate::__rseq_address!("{rseq_t}", concat!("{", stringify!($exit), "}")), "\nmtctr {rseq_t}\nbctr")
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
            $crate::__rseq_descriptor!($variant),
            "75:",
            $crate::__rseq_address!("{rseq_t}", "77b"),                  // rseq_t = the descriptor
            $crate::__rseq_arming!($variant, concat!($crate::__rseq_wide!("std", "stw"), " {rseq_t}, {rseq_cs}({rseq_area})")),
            "72:",
            $($crate::__rseq_step!($variant $step),)*
            "73:",
            "# {rseq_area} {rseq_cs}",                                   // some variant does without them
            ".pushsection __rseq_failure, \"ax\", %progbits",
            ".balign 4",
            $crate::__rseq_signature!($variant, ".long 0x0fe5000b"),
            "74:",
            $crate::__rseq_abort_jump!($abort),
            ".popsection",
            rseq_t = out(reg_nonzero) _,
            rseq_area = in(reg_nonzero) $base,
            rseq_cs = const $crate::abi::RSEQ_CS_LOW,
            rseq_index = const <$index as $crate::Index>::OFFSET,
            $($scratch = out(reg_nonzero) _,)*
            $($input = in(reg_nonzero) $input,)*
            $($imm = const $imm.trailing_zeros(),)*
            $($exit = label { $crate::__rseq_left!($variant $exit) },)*
            out("cr0") _,
            out("lr") _,
            out("ctr") _,
            options(nostack)
        )
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_step {
    ($v:ident (check_index $x:ident $exit:ident)) => {
        concat!(
            "lwz {rseq_t}, {rseq_index}({rseq_area})\n",
            "cmpw {rseq_t}, {", stringify!($x), "}\n",
            $crate::__rseq_leave!("beq+", $exit)
        )
    };
    ($v:ident (load_index $r:ident)) => {
        concat!($crate::__rseq_wide!("lwa", "lwz"), " {", stringify!($r), "}, {rseq_index}({rseq_area})")
    };
    ($v:ident (cbae $r:ident $x:ident $exit:ident)) => {
        concat!(
            $crate::__rseq_wide!("cmpld", "cmplw"), " {", stringify!($r), "}, {", stringify!($x), "}\n",
            $crate::__rseq_leave!("blt+", $exit)
        )
    };
    ($v:ident (scale $r:ident $k:ident)) => {
        concat!($crate::__rseq_wide!("sldi", "slwi"), " {", stringify!($r), "}, {", stringify!($r), "}, {", stringify!($k), "}")
    };
    ($v:ident (load $r:ident $m:tt)) => {
        $crate::__rseq_access!(load concat!("{", stringify!($r), "}"), $m)
    };
    ($v:ident (cbne $a:tt $x:ident $exit:ident)) => { $crate::__rseq_compare!($a, $x, "beq+", $exit) };
    ($v:ident (cbeq $a:tt $x:ident $exit:ident)) => { $crate::__rseq_compare!($a, $x, "bne+", $exit) };
    ($v:ident (cbz $r:ident $exit:ident)) => {
        concat!(
            $crate::__rseq_wide!("cmpldi", "cmplwi"), " {", stringify!($r), "}, 0\n",
            $crate::__rseq_leave!("bne+", $exit)
        )
    };
    ($v:ident (add $r:ident $x:ident)) => {
        concat!("add {", stringify!($r), "}, {", stringify!($r), "}, {", stringify!($x), "}")
    };
    ($v:ident (store $m:tt $x:ident)) => {
        $crate::__rseq_access!(store concat!("{", stringify!($x), "}"), $m)
    };
    // A word a turn while there is one, then bytes: rseq_t is free once the section is armed.
    ($v:ident (copy [$d:ident] [$s:ident] $n:ident $i:ident)) => {
        concat!(
            "li {", stringify!($i), "}, 0\n",
            "62: addi {rseq_t}, {", stringify!($i), "}, ", $crate::__rseq_wide!("8\ncmpld", "4\ncmplw"), " {rseq_t}, {", stringify!($n), "}\n",
            "bgt 63f\n",
            $crate::__rseq_access!(load "{rseq_t}", [$s + $i]),
            $crate::__rseq_access!(store "{rseq_t}", [$d + $i]),
            "addi {", stringify!($i), "}, {", stringify!($i), "}, ", $crate::__rseq_wide!("8", "4"), "\n",
            "b 62b\n",
            "63: ", $crate::__rseq_wide!("cmpld", "cmplw"), " {", stringify!($i), "}, {", stringify!($n), "}\n",
            "beq 64f\n",
            "lbzx {rseq_t}, {", stringify!($s), "}, {", stringify!($i), "}\n",
            "stbx {rseq_t}, {", stringify!($d), "}, {", stringify!($i), "}\n",
            "addi {", stringify!($i), "}, {", stringify!($i), "}, 1\n",
            "b 63b\n",
            "64:"
        )
    };
    ($v:ident (delay $d:ident $k:literal)) => {
        concat!(
            $crate::__rseq_wide!("ld {rseq_t}, 8", "lwz {rseq_t}, 4"), " * ", $k, "({", stringify!($d), "})\n",
            "65: ", $crate::__rseq_wide!("cmpldi", "cmplwi"), " {rseq_t}, 0\n",
            "beq 66f\n",
            "addi {rseq_t}, {rseq_t}, -1\n",
            "b 65b\n",
            "66:"
        )
    };
    ($v:ident (commit_store $m:tt $x:ident)) => { $crate::__rseq_step!($v (store $m $x)) };
    // Not every 32-bit processor has the lighter barrier.
    ($v:ident (commit_release $m:tt $x:ident)) => {
        concat!($crate::__rseq_wide!("lwsync\n", "sync\n"), $crate::__rseq_step!($v (store $m $x)))
    };
    ($v:ident (commit_add $m:tt $x:ident)) => {
        $crate::__rseq_add!($m, concat!("add {rseq_t}, {rseq_t}, {", stringify!($x), "}\n"))
    };
    ($v:ident (commit_increment $m:tt)) => { $crate::__rseq_add!($m, "addi {rseq_t}, {rseq_t}, 1\n") };
}

/// Adds to the word at an address, by an instruction on `rseq_t`.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_add {
    ($m:tt, $add:expr) => {
        concat!($crate::__rseq_access!(load "{rseq_t}", $m), $add, $crate::__rseq_access!(store "{rseq_t}", $m))
    };
}

/// Compares a register or a word in memory with a register, and leaves unless the branch is taken.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_compare {
    ([$($m:tt)*], $x:ident, $stay:literal, $exit:ident) => {
        concat!(
            $crate::__rseq_access!(load "{rseq_t}", [$($m)*]),
            $crate::__rseq_wide!("cmpld", "cmplw"), " {rseq_t}, {", stringify!($x), "}\n",
            $crate::__rseq_leave!($stay, $exit)
        )
    };
    ($r:ident, $x:ident, $stay:literal, $exit:ident) => {
        concat!(
            $crate::__rseq_wide!("cmpld", "cmplw"), " {", stringify!($r), "}, {", stringify!($x), "}\n",
            $crate::__rseq_leave!($stay, $exit)
        )
    };
}

/// Leaves the section unless the branch is taken: conditional ones reach 32 KiB only, `b` 32 MiB.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_leave {
    ($stay:literal, $exit:ident) => {
        concat!($stay, " 61f\n", "b {", stringify!($exit), "}\n", $crate::__rseq_exit_point!($exit), "\n61:")
    };
}
