//! RISC-V, 64 and 32 bits: `tp` is the thread pointer; sections reach the area through a register.
//!
//! A conditional branch reaches 4 KiB and `jal` 1 MiB, so that sections branch over a jump to their exits, and `jump`
//! (`auipc`, `jalr`) goes everywhere. Its scratch register is `t2`: `jalr` from there is neither taken for a return, as
//! from `t0`, nor needs a landing pad at its target where the program has forward-edge protection (Zicfilp).

use crate::abi::Rseq;
use core::arch::asm;
use core::ptr::NonNull;

/// `csrw mhartid, x0`, a write to a read-only register of machine mode: an illegal instruction in every mode. `ebreak` has no
/// operand that could make it a rare one. Written as a word, because assemblers know it under several names.
pub const SIGNATURE: u32 = 0xf140_1073;

/// A thread-local takes two instructions to address.
pub const DIRECT: bool = false;

/// The thread pointer: `tp` (RISC-V psABI, TLS variant I).
#[inline]
pub fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: copies a register that the psABI reserves. `readonly` keeps it behind whatever set the register.
    unsafe { asm!("mv {}, tp", out(reg) pointer, options(pure, readonly, nostack, preserves_flags)) };
    pointer
}

/// This thread's copy of `__rseq_core_area`.
#[inline]
pub fn own_area() -> NonNull<Rseq> {
    let area: *mut Rseq;
    // SAFETY: computes an address in the executable's TLS block, which is mapped as long as the thread runs. `readonly` keeps
    // it behind whatever set the thread pointer.
    unsafe {
        asm!(
            "lui {area}, %tprel_hi(__rseq_core_area)",
            "add {area}, {area}, tp, %tprel_add(__rseq_core_area)", // linkers drop both where the area is near
            "addi {area}, {area}, %tprel_lo(__rseq_core_area)",
            area = out(reg) area,
            options(pure, readonly, nostack, preserves_flags)
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
    // SAFETY: the kernel's convention: number in a7, arguments in a0 to a5, result in a0; it keeps the other registers. The
    // vector registers are clobbered by every system call.
    unsafe {
        asm!(
            "ecall",
            in("a7") nr as usize,
            inlateout("a0") args[0] => value,
            in("a1") args[1],
            in("a2") args[2],
            in("a3") args[3],
            in("a4") args[4],
            in("a5") args[5],
            lateout("v0") _, lateout("v1") _, lateout("v2") _, lateout("v3") _,
            lateout("v4") _, lateout("v5") _, lateout("v6") _, lateout("v7") _,
            lateout("v8") _, lateout("v9") _, lateout("v10") _, lateout("v11") _,
            lateout("v12") _, lateout("v13") _, lateout("v14") _, lateout("v15") _,
            lateout("v16") _, lateout("v17") _, lateout("v18") _, lateout("v19") _,
            lateout("v20") _, lateout("v21") _, lateout("v22") _, lateout("v23") _,
            lateout("v24") _, lateout("v25") _, lateout("v26") _, lateout("v27") _,
            lateout("v28") _, lateout("v29") _, lateout("v30") _, lateout("v31") _,
            options(nostack)
        );
    }
    value
}

/// The address of an undefined weak symbol, loaded from the GOT: 0 where nobody defines it.
macro_rules! weak_address {
    ($symbol:literal) => {{
        let address: usize;
        // SAFETY: reads one GOT entry, which the linker made and which never changes.
        unsafe {
            core::arch::asm!(
                concat!(".weak ", $symbol),
                concat!("60: auipc {address}, %got_pcrel_hi(", $symbol, ")"),
                concat!($crate::__rseq_word!(load), "{address}, %pcrel_lo(60b)({address})"),
                address = out(reg) address,
                options(pure, readonly, nostack, preserves_flags)
            );
        }
        address
    }};
}
pub(crate) use weak_address;

/// How to load and store a word, how to subtract 32 bits, and the bytes of a word.
#[cfg(target_arch = "riscv64")]
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_word {
    (load) => {
        "ld "
    };
    (store) => {
        "sd "
    };
    (subtract_u32) => {
        "subw "
    };
    (size) => {
        "8"
    };
}

/// How to load and store a word, how to subtract 32 bits, and the bytes of a word.
#[cfg(target_arch = "riscv32")]
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_word {
    (load) => {
        "lw "
    };
    (store) => {
        "sw "
    };
    (subtract_u32) => {
        "sub "
    };
    (size) => {
        "4"
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_base {
    (direct $base:expr) => {
        $crate::arch::own_area().as_ptr()
    };
    (pointer $base:expr) => {
        $base
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_abort_jump {
    (restart) => {
        "jump 75b, t2"
    };
    ($exit:ident) => {
        concat!("jump {", stringify!($exit), "}, t2")
    };
}

/// Leaves by the exit, unless the instruction branches to `60f`.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_leave_unless {
    ($stay:expr, $exit:ident) => {
        concat!(
            $stay,
            ", 60f\n",
            "jump {",
            stringify!($exit),
            "}, t2\n",
            $crate::__rseq_exit_point!($exit),
            "\n",
            "60:"
        )
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_frame {
    ([$form:ident $base:expr] $index:ty, $variant:ident, $abort:ident,
     [$(($number:tt $step:tt))*] [$($scratch:ident)*] [$($input:ident)*] [$($imm:ident)*] [$($exit:ident)*]) => {
        ::core::arch::asm!(
            $crate::__rseq_descriptor!($variant),
            "75:",
            "lla {rseq_t}, 77b",                                     // rseq_t = the descriptor
            // Little-endian: the low word of rseq_cs is at 8 on 32 bits, too.
            $crate::__rseq_arming!($variant, concat!($crate::__rseq_word!(store), "{rseq_t}, 8({rseq_area})")),
            "72:",
            $($crate::__rseq_step!($form $variant $step),)*
            "73:",
            ".pushsection __rseq_failure, \"ax\", %progbits",
            ".balign 4",                                             // for the kernel's load; instructions may be 2 bytes long
            $crate::__rseq_signature!($variant, ".long 0xf1401073"),
            "74:",
            $crate::__rseq_abort_jump!($abort),
            ".popsection",
            rseq_t = out(reg) _,
            out("t2") _,
            rseq_area = in(reg) $crate::__rseq_base!($form $base),
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
    // The difference of 32 bits: the upper half of `x` takes no part.
    ($form:ident $v:ident (check_index $x:ident $exit:ident)) => {
        concat!(
            "lw {rseq_t}, {rseq_index}({rseq_area})\n",
            $crate::__rseq_word!(subtract_u32), "{rseq_t}, {rseq_t}, {", stringify!($x), "}\n",
            $crate::__rseq_leave_unless!("beqz {rseq_t}", $exit)
        )
    };
    ($form:ident $v:ident (load_index $r:ident)) => {
        concat!("lw {", stringify!($r), "}, {rseq_index}({rseq_area})")
    };
    ($form:ident $v:ident (cbae $r:ident $x:ident $exit:ident)) => {
        $crate::__rseq_leave_unless!(concat!("bltu {", stringify!($r), "}, {", stringify!($x), "}"), $exit)
    };
    ($form:ident $v:ident (scale $r:ident $k:ident)) => {
        concat!("slli {", stringify!($r), "}, {", stringify!($r), "}, {", stringify!($k), "}")
    };
    ($form:ident $v:ident (load $r:ident [$a:ident])) => {
        concat!($crate::__rseq_word!(load), "{", stringify!($r), "}, 0({", stringify!($a), "})")
    };
    ($form:ident $v:ident (load $r:ident [$a:ident + $b:ident])) => {
        concat!(
            "add t2, {", stringify!($a), "}, {", stringify!($b), "}\n",
            $crate::__rseq_word!(load), "{", stringify!($r), "}, 0(t2)"
        )
    };
    ($form:ident $v:ident (cbne [$($m:tt)+] $x:ident $exit:ident)) => {
        concat!($crate::__rseq_load_t!([$($m)+]), $crate::__rseq_leave_unless!(concat!("beq {rseq_t}, {", stringify!($x), "}"), $exit))
    };
    ($form:ident $v:ident (cbeq [$($m:tt)+] $x:ident $exit:ident)) => {
        concat!($crate::__rseq_load_t!([$($m)+]), $crate::__rseq_leave_unless!(concat!("bne {rseq_t}, {", stringify!($x), "}"), $exit))
    };
    ($form:ident $v:ident (cbne $r:ident $x:ident $exit:ident)) => {
        $crate::__rseq_leave_unless!(concat!("beq {", stringify!($r), "}, {", stringify!($x), "}"), $exit)
    };
    ($form:ident $v:ident (cbeq $r:ident $x:ident $exit:ident)) => {
        $crate::__rseq_leave_unless!(concat!("bne {", stringify!($r), "}, {", stringify!($x), "}"), $exit)
    };
    ($form:ident $v:ident (cbz $r:ident $exit:ident)) => {
        $crate::__rseq_leave_unless!(concat!("bnez {", stringify!($r), "}"), $exit)
    };
    ($form:ident $v:ident (add $r:ident $x:ident)) => {
        concat!("add {", stringify!($r), "}, {", stringify!($r), "}, {", stringify!($x), "}")
    };
    ($form:ident $v:ident (store [$a:ident] $x:ident)) => {
        concat!($crate::__rseq_word!(store), "{", stringify!($x), "}, 0({", stringify!($a), "})")
    };
    ($form:ident $v:ident (store [$a:ident + $b:ident] $x:ident)) => {
        concat!(
            "add t2, {", stringify!($a), "}, {", stringify!($b), "}\n",
            $crate::__rseq_word!(store), "{", stringify!($x), "}, 0(t2)"
        )
    };
    // A word a turn while there is one, if both ends are aligned: a misaligned access may be a trap. Then a byte a turn.
    ($form:ident $v:ident (copy [$d:ident] [$s:ident] $n:ident $i:ident)) => {
        concat!(
            "li {", stringify!($i), "}, 0\n",
            "or {rseq_t}, {", stringify!($d), "}, {", stringify!($s), "}\n",
            "andi {rseq_t}, {rseq_t}, ", $crate::__rseq_word!(size), " - 1\n",
            "bnez {rseq_t}, 63f\n",
            "62: addi {rseq_t}, {", stringify!($i), "}, ", $crate::__rseq_word!(size), "\n",
            "bltu {", stringify!($n), "}, {rseq_t}, 63f\n",
            "add t2, {", stringify!($s), "}, {", stringify!($i), "}\n",
            $crate::__rseq_word!(load), "{rseq_t}, 0(t2)\n",
            "add t2, {", stringify!($d), "}, {", stringify!($i), "}\n",
            $crate::__rseq_word!(store), "{rseq_t}, 0(t2)\n",
            "addi {", stringify!($i), "}, {", stringify!($i), "}, ", $crate::__rseq_word!(size), "\n",
            "j 62b\n",
            "63: beq {", stringify!($i), "}, {", stringify!($n), "}, 64f\n",
            "add t2, {", stringify!($s), "}, {", stringify!($i), "}\n",
            "lbu {rseq_t}, 0(t2)\n",
            "add t2, {", stringify!($d), "}, {", stringify!($i), "}\n",
            "sb {rseq_t}, 0(t2)\n",
            "addi {", stringify!($i), "}, {", stringify!($i), "}, 1\n",
            "j 63b\n",
            "64:"
        )
    };
    ($form:ident $v:ident (delay $d:ident $k:literal)) => {
        concat!(
            $crate::__rseq_word!(load), "{rseq_t}, ", $crate::__rseq_word!(size), " * ", $k, "({", stringify!($d), "})\n",
            "65: beqz {rseq_t}, 66f\n",
            "addi {rseq_t}, {rseq_t}, -1\n",
            "j 65b\n",
            "66:"
        )
    };
    ($form:ident $v:ident (commit_store $m:tt $x:ident)) => { $crate::__rseq_step!($form $v (store $m $x)) };
    // What the manual's mapping of a store-release is.
    ($form:ident $v:ident (commit_release $m:tt $x:ident)) => {
        concat!("fence rw, w\n", $crate::__rseq_step!($form $v (store $m $x)))
    };
    ($form:ident $v:ident (commit_add $m:tt $x:ident)) => {
        $crate::__rseq_add!($m, concat!("add {rseq_t}, {rseq_t}, {", stringify!($x), "}\n"))
    };
    ($form:ident $v:ident (commit_increment $m:tt)) => { $crate::__rseq_add!($m, "addi {rseq_t}, {rseq_t}, 1\n") };
}

/// Adds to the word at an address, by an instruction on `rseq_t`.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_add {
    ([$a:ident], $add:expr) => {
        $crate::__rseq_add!(at concat!("0({", stringify!($a), "})"), $add)
    };
    ([$a:ident + $b:ident], $add:expr) => {
        concat!("add t2, {", stringify!($a), "}, {", stringify!($b), "}\n", $crate::__rseq_add!(at "0(t2)", $add))
    };
    (at $address:expr, $add:expr) => {
        concat!(
            $crate::__rseq_word!(load),
            "{rseq_t}, ",
            $address,
            "\n",
            $add,
            $crate::__rseq_word!(store),
            "{rseq_t}, ",
            $address
        )
    };
}

/// `rseq_t` = the word at an address.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_load_t {
    ([$a:ident]) => {
        concat!($crate::__rseq_word!(load), "{rseq_t}, 0({", stringify!($a), "})\n")
    };
    ([$a:ident + $b:ident]) => {
        concat!(
            "add {rseq_t}, {",
            stringify!($a),
            "}, {",
            stringify!($b),
            "}\n",
            $crate::__rseq_word!(load),
            "{rseq_t}, 0({rseq_t})\n"
        )
    };
}
