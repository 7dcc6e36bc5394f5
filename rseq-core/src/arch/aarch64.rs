//! aarch64: `tpidr_el0` is the thread pointer.
//!
//! x16 is the scratch register of a section, and x17 is given up beside it: where `b` reaches too short, linkers jump by
//! veneers, which may change these two (AAPCS64, IP0 and IP1).

use crate::abi::Rseq;
use core::arch::asm;
use core::ptr::NonNull;

#[cfg(not(target_pointer_width = "64"))]
compile_error!("words of a section are 64 bits on aarch64: ILP32 is not supported");

/// `brk #0x45e0`, as the kernel reads it: data is big-endian where the target is, instructions never are.
pub const SIGNATURE: u32 = u32::from_ne_bytes(0xd428_bc00_u32.to_le_bytes());

/// No addressing mode knows the thread pointer.
pub const DIRECT: bool = false;

/// The thread pointer.
#[inline]
pub fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads a register that is always readable in user mode.
    unsafe { asm!("mrs {}, tpidr_el0", out(reg) pointer, options(pure, nomem, nostack, preserves_flags)) };
    pointer
}

/// This thread's copy of `__rseq_core_area`.
#[inline]
pub fn own_area() -> NonNull<Rseq> {
    let area: *mut Rseq;
    // SAFETY: computes an address in the executable's TLS block, which is mapped as long as the thread runs.
    unsafe {
        asm!(
            "mrs {area}, tpidr_el0",
            "add {area}, {area}, #:tprel_hi12:__rseq_core_area, lsl #12", // the linker's constant distance to the area
            "add {area}, {area}, #:tprel_lo12_nc:__rseq_core_area",
            area = out(reg) area,
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
    // SAFETY: the kernel's convention: number in x8, arguments in x0 to x5, the result in x0; it keeps all other registers.
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
                concat!("adrp {0}, :got:", $symbol),
                concat!("ldr {0}, [{0}, :got_lo12:", $symbol, "]"),
                out(reg) address,
                options(pure, readonly, nostack, preserves_flags)
            );
        }
        address
    }};
}
pub(crate) use weak_address;

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_memory {
    ([$a:ident]) => {
        concat!("[{", stringify!($a), "}]")
    };
    ([$a:ident + $b:ident]) => {
        concat!("[{", stringify!($a), "}, {", stringify!($b), "}]")
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_abort_jump {
    (restart) => {
        "b 75b"
    };
    ($exit:ident) => {
        concat!("b {", stringify!($exit), "}")
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
            "adrp x16, 77b",                                             // x16 = the descriptor
            "add x16, x16, :lo12:77b",
            $crate::__rseq_arming!($variant, "str x16, [{rseq_area}, #8]"),
            "72:",
            $($crate::__rseq_step!(pointer $variant $step),)*
            "73:",
            ".pushsection __rseq_failure, \"ax\", %progbits",
            ".balign 4",
            $crate::__rseq_signature!($variant, ".inst 0xd428bc00"),
            "74:",
            $crate::__rseq_abort_jump!($abort),
            ".popsection",
            rseq_area = in(reg) $base,
            rseq_index = const <$index as $crate::Index>::OFFSET,
            $($scratch = out(reg) _,)*
            $($input = in(reg) $input,)*
            $($imm = const $imm.trailing_zeros(),)*
            $($exit = label { $crate::__rseq_left!($variant $exit) },)*
            out("x16") _,
            out("x17") _,
            options(nostack)
        )
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_step {
    ($form:ident $v:ident (check_index $x:ident $exit:ident)) => {
        concat!(
            "ldr w16, [{rseq_area}, #{rseq_index}]\n",
            "cmp w16, {", stringify!($x), ":w}\n",
            $crate::__rseq_leave_unless!("b.eq", $exit)
        )
    };
    ($form:ident $v:ident (load_index $r:ident)) => {
        concat!("ldrsw {", stringify!($r), "}, [{rseq_area}, #{rseq_index}]")
    };
    ($form:ident $v:ident (cbae $r:ident $x:ident $exit:ident)) => {
        $crate::__rseq_compare!($r, $x, "b.lo", $exit)
    };
    ($form:ident $v:ident (scale $r:ident $k:ident)) => {
        concat!("lsl {", stringify!($r), "}, {", stringify!($r), "}, #{", stringify!($k), "}")
    };
    ($form:ident $v:ident (load $r:ident $m:tt)) => {
        concat!("ldr {", stringify!($r), "}, ", $crate::__rseq_memory!($m))
    };
    ($form:ident $v:ident (cbne $a:tt $x:ident $exit:ident)) => { $crate::__rseq_compare!($a, $x, "b.eq", $exit) };
    ($form:ident $v:ident (cbeq $a:tt $x:ident $exit:ident)) => { $crate::__rseq_compare!($a, $x, "b.ne", $exit) };
    ($form:ident $v:ident (cbz $r:ident $exit:ident)) => {
        $crate::__rseq_leave_unless!(concat!("cbnz {", stringify!($r), "},"), $exit)
    };
    ($form:ident $v:ident (add $r:ident $x:ident)) => {
        concat!("add {", stringify!($r), "}, {", stringify!($r), "}, {", stringify!($x), "}")
    };
    ($form:ident $v:ident (store $m:tt $x:ident)) => {
        concat!("str {", stringify!($x), "}, ", $crate::__rseq_memory!($m))
    };
    // Eight bytes a turn while there are eight, then one: x16 is free once the section is armed.
    ($form:ident $v:ident (copy [$d:ident] [$s:ident] $n:ident $i:ident)) => {
        concat!(
            "mov {", stringify!($i), "}, xzr\n",
            "62: add x16, {", stringify!($i), "}, #8\n",
            "cmp x16, {", stringify!($n), "}\n",
            "b.hi 63f\n",
            "ldr x16, [{", stringify!($s), "}, {", stringify!($i), "}]\n",
            "str x16, [{", stringify!($d), "}, {", stringify!($i), "}]\n",
            "add {", stringify!($i), "}, {", stringify!($i), "}, #8\n",
            "b 62b\n",
            "63: cmp {", stringify!($i), "}, {", stringify!($n), "}\n",
            "b.eq 64f\n",
            "ldrb w16, [{", stringify!($s), "}, {", stringify!($i), "}]\n",
            "strb w16, [{", stringify!($d), "}, {", stringify!($i), "}]\n",
            "add {", stringify!($i), "}, {", stringify!($i), "}, #1\n",
            "b 63b\n",
            "64:"
        )
    };
    ($form:ident $v:ident (delay $d:ident $k:literal)) => {
        concat!(
            "ldr x16, [{", stringify!($d), "}, #8 * ", $k, "]\n",
            "65: cbz x16, 66f\n",
            "sub x16, x16, #1\n",
            "b 65b\n",
            "66:"
        )
    };
    ($form:ident $v:ident (commit_store $m:tt $x:ident)) => { $crate::__rseq_step!($form $v (store $m $x)) };
    // A store-release addresses by one register only.
    ($form:ident $v:ident (commit_release [$a:ident] $x:ident)) => {
        concat!("stlr {", stringify!($x), "}, [{", stringify!($a), "}]")
    };
    ($form:ident $v:ident (commit_release [$a:ident + $b:ident] $x:ident)) => {
        concat!(
            "add x16, {", stringify!($a), "}, {", stringify!($b), "}\n",
            "stlr {", stringify!($x), "}, [x16]"
        )
    };
    ($form:ident $v:ident (commit_add $m:tt $x:ident)) => {
        $crate::__rseq_add!($m, concat!("{", stringify!($x), "}"))
    };
    ($form:ident $v:ident (commit_increment $m:tt)) => { $crate::__rseq_add!($m, "#1") };
}

/// Adds to the word at an address.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_add {
    ($m:tt, $count:expr) => {
        concat!(
            "ldr x16, ",
            $crate::__rseq_memory!($m),
            "\n",
            "add x16, x16, ",
            $count,
            "\n",
            "str x16, ",
            $crate::__rseq_memory!($m)
        )
    };
}

/// Compares a register or a word in memory with a register, and leaves unless the condition holds.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_compare {
    ([$($m:tt)*], $x:ident, $unless:literal, $exit:ident) => {
        concat!(
            "ldr x16, ", $crate::__rseq_memory!([$($m)*]), "\n",
            "cmp x16, {", stringify!($x), "}\n",
            $crate::__rseq_leave_unless!($unless, $exit)
        )
    };
    ($r:ident, $x:ident, $unless:literal, $exit:ident) => {
        concat!(
            "cmp {", stringify!($r), "}, {", stringify!($x), "}\n",
            $crate::__rseq_leave_unless!($unless, $exit)
        )
    };
}

/// Leaves unless a conditional branch is taken: those reach 1 MiB, which a function may exceed, `b` reaches 128 MiB.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_leave_unless {
    ($unless:expr, $exit:ident) => {
        concat!($unless, " 60f\n", "b {", stringify!($exit), "}\n", $crate::__rseq_exit_point!($exit), "\n", "60:")
    };
}
