//! arm: ARMv7 in ARM state; `TPIDRURO` is the thread pointer.
//!
//! ip (r12) is the scratch register of a section: where `b` reaches too short, linkers jump by veneers, which may change
//! it (AAPCS32).

use crate::abi::Rseq;
use core::arch::asm;
use core::ptr::NonNull;

/// `udf #0x5de3`, as the kernel reads it: data is big-endian where the target is, instructions never are on ARMv7 (BE8).
pub const SIGNATURE: u32 = u32::from_ne_bytes(0xe7f5_def3_u32.to_le_bytes());

/// No addressing mode knows the thread pointer.
pub const DIRECT: bool = false;

/// The thread pointer.
#[inline]
pub fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads a register that is always readable in user mode.
    unsafe { asm!("mrc p15, 0, {}, c13, c0, 3", out(reg) pointer, options(pure, nomem, nostack, preserves_flags)) };
    pointer
}

/// This thread's copy of `__rseq_core_area`.
#[inline]
pub fn own_area() -> NonNull<Rseq> {
    let area: *mut Rseq;
    // SAFETY: computes an address in the executable's TLS block, which is mapped as long as the thread runs.
    unsafe {
        asm!(
            "mrc p15, 0, {area}, c13, c0, 3",
            "ldr {offset}, 60f",            // the linker's constant distance to the area
            "add {area}, {area}, {offset}",
            "b 61f",
            "60: .long __rseq_core_area(tpoff)",
            "61:",
            area = out(reg) area,
            offset = out(reg) _,
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
    // SAFETY: the kernel's convention (EABI): number in r7, arguments in r0 to r5, the result in r0; it keeps all other
    // registers.
    unsafe {
        asm!(
            "svc #0",
            in("r7") nr,
            inlateout("r0") args[0] => value,
            in("r1") args[1],
            in("r2") args[2],
            in("r3") args[3],
            in("r4") args[4],
            in("r5") args[5],
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
                "ldr {0}, 61f",
                "60: ldr {0}, [pc, {0}]", // pc is two instructions ahead
                "b 62f",
                concat!("61: .long ", $symbol, "(GOT_PREL) - ((60b + 8) - 61b)"),
                "62:",
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

/// Offset of the low word of `rseq_cs`: the kernel wants 0 in the high one.
#[cfg(target_endian = "little")]
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_cs_low {
    () => {
        "8"
    };
}

#[cfg(target_endian = "big")]
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_cs_low {
    () => {
        "12"
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
            "movw ip, #:lower16:(77b - (60f + 8))",                      // ip = from pc to the descriptor
            "movt ip, #:upper16:(77b - (60f + 8))",
            "60: add ip, pc, ip",                                        // pc is two instructions ahead
            $crate::__rseq_arming!($variant, concat!("str ip, [{rseq_area}, #", $crate::__rseq_cs_low!(), "]")),
            "72:",
            $($crate::__rseq_step!(pointer $variant $step),)*
            "73:",
            ".pushsection __rseq_failure, \"ax\", %progbits",
            ".balign 4",
            $crate::__rseq_signature!($variant, ".inst 0xe7f5def3"),
            "74:",
            $crate::__rseq_abort_jump!($abort),
            ".popsection",
            rseq_area = in(reg) $base,
            rseq_index = const <$index as $crate::Index>::OFFSET,
            $($scratch = out(reg) _,)*
            $($input = in(reg) $input,)*
            $($imm = const $imm.trailing_zeros(),)*
            $($exit = label { $crate::__rseq_left!($variant $exit) },)*
            out("r12") _,
            options(nostack)
        )
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_step {
    ($form:ident $v:ident (check_index $x:ident $exit:ident)) => {
        concat!(
            "ldr ip, [{rseq_area}, #{rseq_index}]\n",
            "cmp ip, {", stringify!($x), "}\n",
            $crate::__rseq_leave_if!("bne", $exit)
        )
    };
    ($form:ident $v:ident (load_index $r:ident)) => {
        concat!("ldr {", stringify!($r), "}, [{rseq_area}, #{rseq_index}]")
    };
    ($form:ident $v:ident (cbae $r:ident $x:ident $exit:ident)) => { $crate::__rseq_compare!($r, $x, "bhs", $exit) };
    ($form:ident $v:ident (scale $r:ident $k:ident)) => {
        concat!("lsl {", stringify!($r), "}, {", stringify!($r), "}, #{", stringify!($k), "}")
    };
    ($form:ident $v:ident (load $r:ident $m:tt)) => {
        concat!("ldr {", stringify!($r), "}, ", $crate::__rseq_memory!($m))
    };
    ($form:ident $v:ident (cbne $a:tt $x:ident $exit:ident)) => { $crate::__rseq_compare!($a, $x, "bne", $exit) };
    ($form:ident $v:ident (cbeq $a:tt $x:ident $exit:ident)) => { $crate::__rseq_compare!($a, $x, "beq", $exit) };
    ($form:ident $v:ident (cbz $r:ident $exit:ident)) => {
        concat!("cmp {", stringify!($r), "}, #0\n", $crate::__rseq_leave_if!("beq", $exit))
    };
    ($form:ident $v:ident (add $r:ident $x:ident)) => {
        concat!("add {", stringify!($r), "}, {", stringify!($r), "}, {", stringify!($x), "}")
    };
    ($form:ident $v:ident (store $m:tt $x:ident)) => {
        concat!("str {", stringify!($x), "}, ", $crate::__rseq_memory!($m))
    };
    // Four bytes a turn while there are four, then one: ip is free once the section is armed. ARMv7 loads and stores
    // single words at any address.
    ($form:ident $v:ident (copy [$d:ident] [$s:ident] $n:ident $i:ident)) => {
        concat!(
            "mov {", stringify!($i), "}, #0\n",
            "62: add ip, {", stringify!($i), "}, #4\n",
            "cmp ip, {", stringify!($n), "}\n",
            "bhi 63f\n",
            "ldr ip, [{", stringify!($s), "}, {", stringify!($i), "}]\n",
            "str ip, [{", stringify!($d), "}, {", stringify!($i), "}]\n",
            "add {", stringify!($i), "}, {", stringify!($i), "}, #4\n",
            "b 62b\n",
            "63: cmp {", stringify!($i), "}, {", stringify!($n), "}\n",
            "beq 64f\n",
            "ldrb ip, [{", stringify!($s), "}, {", stringify!($i), "}]\n",
            "strb ip, [{", stringify!($d), "}, {", stringify!($i), "}]\n",
            "add {", stringify!($i), "}, {", stringify!($i), "}, #1\n",
            "b 63b\n",
            "64:"
        )
    };
    ($form:ident $v:ident (delay $d:ident $k:literal)) => {
        concat!(
            "ldr ip, [{", stringify!($d), "}, #4 * ", $k, "]\n",
            "65: cmp ip, #0\n",
            "beq 66f\n",
            "sub ip, ip, #1\n",
            "b 65b\n",
            "66:"
        )
    };
    ($form:ident $v:ident (commit_store $m:tt $x:ident)) => { $crate::__rseq_step!($form $v (store $m $x)) };
    // The barrier orders all earlier accesses before the store.
    ($form:ident $v:ident (commit_release $m:tt $x:ident)) => {
        concat!("dmb ish\n", $crate::__rseq_step!($form $v (store $m $x)))
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
            "ldr ip, ",
            $crate::__rseq_memory!($m),
            "\n",
            "add ip, ip, ",
            $count,
            "\n",
            "str ip, ",
            $crate::__rseq_memory!($m)
        )
    };
}

/// Compares a register or a word in memory with a register, and leaves on the condition.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_compare {
    ([$($m:tt)*], $x:ident, $branch:literal, $exit:ident) => {
        concat!(
            "ldr ip, ", $crate::__rseq_memory!([$($m)*]), "\n",
            "cmp ip, {", stringify!($x), "}\n",
            $crate::__rseq_leave_if!($branch, $exit)
        )
    };
    ($r:ident, $x:ident, $branch:literal, $exit:ident) => {
        concat!(
            "cmp {", stringify!($r), "}, {", stringify!($x), "}\n",
            $crate::__rseq_leave_if!($branch, $exit)
        )
    };
}

/// A branch out of the section: conditional ones reach 32 MiB in ARM state, as far as `b`.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_leave_if {
    ($branch:literal, $exit:ident) => {
        concat!($branch, " {", stringify!($exit), "}\n", $crate::__rseq_exit_point!($exit))
    };
}
