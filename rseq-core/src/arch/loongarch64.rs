//! LoongArch, 64 bits: `$tp` is the thread pointer; sections reach the area through a register.
//!
//! A conditional branch reaches 128 KiB, so that sections branch over a `b` (128 MiB) to their exits. From
//! `__rseq_failure`, which may lie behind all of a program's text, `tail36` (`pcaddu18i`, `jirl`) reaches 128 GiB.

use crate::abi::Rseq;
use core::arch::asm;
use core::ptr::NonNull;

/// `break 0x10`, with a code that neither the kernel nor compilers use.
pub const SIGNATURE: u32 = 0x002a_0010;

/// A thread-local takes three instructions to address.
pub const DIRECT: bool = false;

/// The thread pointer: `$tp` (LoongArch psABI, TLS variant I).
#[inline]
pub fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: copies a register that the psABI reserves. `readonly` keeps it behind whatever set the register.
    unsafe { asm!("move {}, $tp", out(reg) pointer, options(pure, readonly, nostack, preserves_flags)) };
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
            "lu12i.w {area}, %le_hi20(__rseq_core_area)",
            "ori {area}, {area}, %le_lo12(__rseq_core_area)", // the linker's constant distance, below 2 GiB
            "add.d {area}, {area}, $tp",
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
    // SAFETY: the kernel's convention: number in a7, arguments in a0 to a5, result in a0; it clobbers t0 to t8.
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

/// The address of an undefined weak symbol, loaded from the GOT: 0 where nobody defines it.
macro_rules! weak_address {
    ($symbol:literal) => {{
        let address: usize;
        // SAFETY: reads one GOT entry, which the linker made and which never changes.
        unsafe {
            core::arch::asm!(
                concat!(".weak ", $symbol),
                concat!("pcalau12i {address}, %got_pc_hi20(", $symbol, ")"),
                concat!("ld.d {address}, {address}, %got_pc_lo12(", $symbol, ")"),
                address = out(reg) address,
                options(pure, readonly, nostack, preserves_flags)
            );
        }
        address
    }};
}
pub(crate) use weak_address;

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

/// What follows a mnemonic that loads or stores a word.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_memory {
    ("ld", $register:expr, [$a:ident]) => {
        concat!("ld.d ", $register, ", {", stringify!($a), "}, 0")
    };
    ("ld", $register:expr, [$a:ident + $b:ident]) => {
        concat!("ldx.d ", $register, ", {", stringify!($a), "}, {", stringify!($b), "}")
    };
    ("st", $register:expr, [$a:ident]) => {
        concat!("st.d ", $register, ", {", stringify!($a), "}, 0")
    };
    ("st", $register:expr, [$a:ident + $b:ident]) => {
        concat!("stx.d ", $register, ", {", stringify!($a), "}, {", stringify!($b), "}")
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_abort_jump {
    (restart) => {
        "tail36 {rseq_t}, 75b"
    };
    ($exit:ident) => {
        concat!("tail36 {rseq_t}, {", stringify!($exit), "}")
    };
}

/// Leaves by the exit, unless the instruction branches to `60f`.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_leave_unless {
    ($stay:expr, $exit:ident) => {
        concat!($stay, ", 60f\n", "b {", stringify!($exit), "}\n", $crate::__rseq_exit_point!($exit), "\n", "60:")
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
            "la.pcrel {rseq_t}, 77b",                                // rseq_t = the descriptor
            $crate::__rseq_arming!($variant, "st.d {rseq_t}, {rseq_area}, 8"),
            "72:",
            $($crate::__rseq_step!($form $variant $step),)*
            "73:",
            ".pushsection __rseq_failure, \"ax\", %progbits",
            ".balign 4",
            $crate::__rseq_signature!($variant, ".long 0x002a0010"),
            "74:",
            $crate::__rseq_abort_jump!($abort),
            ".popsection",
            rseq_t = out(reg) _,
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
            "ld.w {rseq_t}, {rseq_area}, {rseq_index}\n",
            "sub.w {rseq_t}, {rseq_t}, {", stringify!($x), "}\n",
            $crate::__rseq_leave_unless!("beqz {rseq_t}", $exit)
        )
    };
    ($form:ident $v:ident (load_index $r:ident)) => {
        concat!("ld.w {", stringify!($r), "}, {rseq_area}, {rseq_index}")
    };
    ($form:ident $v:ident (cbae $r:ident $x:ident $exit:ident)) => {
        $crate::__rseq_leave_unless!(concat!("bltu {", stringify!($r), "}, {", stringify!($x), "}"), $exit)
    };
    ($form:ident $v:ident (scale $r:ident $k:ident)) => {
        concat!("slli.d {", stringify!($r), "}, {", stringify!($r), "}, {", stringify!($k), "}")
    };
    ($form:ident $v:ident (load $r:ident $m:tt)) => {
        $crate::__rseq_memory!("ld", concat!("{", stringify!($r), "}"), $m)
    };
    ($form:ident $v:ident (cbne [$($m:tt)+] $x:ident $exit:ident)) => {
        concat!(
            $crate::__rseq_memory!("ld", "{rseq_t}", [$($m)+]), "\n",
            $crate::__rseq_leave_unless!(concat!("beq {rseq_t}, {", stringify!($x), "}"), $exit)
        )
    };
    ($form:ident $v:ident (cbeq [$($m:tt)+] $x:ident $exit:ident)) => {
        concat!(
            $crate::__rseq_memory!("ld", "{rseq_t}", [$($m)+]), "\n",
            $crate::__rseq_leave_unless!(concat!("bne {rseq_t}, {", stringify!($x), "}"), $exit)
        )
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
        concat!("add.d {", stringify!($r), "}, {", stringify!($r), "}, {", stringify!($x), "}")
    };
    ($form:ident $v:ident (store $m:tt $x:ident)) => {
        $crate::__rseq_memory!("st", concat!("{", stringify!($x), "}"), $m)
    };
    // Eight bytes a turn while there are eight, if both ends are aligned: not every processor does it otherwise, and then
    // it traps. Then a byte a turn.
    ($form:ident $v:ident (copy [$d:ident] [$s:ident] $n:ident $i:ident)) => {
        concat!(
            "move {", stringify!($i), "}, $zero\n",
            "or {rseq_t}, {", stringify!($d), "}, {", stringify!($s), "}\n",
            "andi {rseq_t}, {rseq_t}, 7\n",
            "bnez {rseq_t}, 63f\n",
            "62: addi.d {rseq_t}, {", stringify!($i), "}, 8\n",
            "bltu {", stringify!($n), "}, {rseq_t}, 63f\n",
            "ldx.d {rseq_t}, {", stringify!($s), "}, {", stringify!($i), "}\n",
            "stx.d {rseq_t}, {", stringify!($d), "}, {", stringify!($i), "}\n",
            "addi.d {", stringify!($i), "}, {", stringify!($i), "}, 8\n",
            "b 62b\n",
            "63: beq {", stringify!($i), "}, {", stringify!($n), "}, 64f\n",
            "ldx.bu {rseq_t}, {", stringify!($s), "}, {", stringify!($i), "}\n",
            "stx.b {rseq_t}, {", stringify!($d), "}, {", stringify!($i), "}\n",
            "addi.d {", stringify!($i), "}, {", stringify!($i), "}, 1\n",
            "b 63b\n",
            "64:"
        )
    };
    ($form:ident $v:ident (delay $d:ident $k:literal)) => {
        concat!(
            "ld.d {rseq_t}, {", stringify!($d), "}, 8 * ", $k, "\n",
            "65: beqz {rseq_t}, 66f\n",
            "addi.d {rseq_t}, {rseq_t}, -1\n",
            "b 65b\n",
            "66:"
        )
    };
    ($form:ident $v:ident (commit_store $m:tt $x:ident)) => { $crate::__rseq_step!($form $v (store $m $x)) };
    // Earlier loads and stores complete before later stores; processors that do not know the hint take it for a full barrier.
    ($form:ident $v:ident (commit_release $m:tt $x:ident)) => {
        concat!("dbar 0x12\n", $crate::__rseq_step!($form $v (store $m $x)))
    };
    ($form:ident $v:ident (commit_add $m:tt $x:ident)) => {
        $crate::__rseq_add!($m, concat!("add.d {rseq_t}, {rseq_t}, {", stringify!($x), "}"))
    };
    ($form:ident $v:ident (commit_increment $m:tt)) => { $crate::__rseq_add!($m, "addi.d {rseq_t}, {rseq_t}, 1") };
}

/// Adds to the word at an address, by an instruction on `rseq_t`.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_add {
    ($m:tt, $add:expr) => {
        concat!(
            $crate::__rseq_memory!("ld", "{rseq_t}", $m),
            "\n",
            $add,
            "\n",
            $crate::__rseq_memory!("st", "{rseq_t}", $m)
        )
    };
}
