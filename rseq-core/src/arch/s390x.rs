//! s390x: the access registers 0 and 1 are the thread pointer; sections reach the area through a register.
//!
//! Branches reach 4 GiB each way, conditional ones too, so that sections and abort handlers go straight to their exits.

use crate::abi::Rseq;
use core::arch::asm;
use core::ptr::NonNull;

/// `trap4 4095(%r0)`: a special-operation exception, since Linux has neither access-register mode nor linkage stacks.
/// Instructions are big-endian like all data, so the word stands as it is.
pub const SIGNATURE: u32 = 0xb2ff_0fff;

/// The thread pointer takes three instructions to read.
pub const DIRECT: bool = false;

/// The thread pointer: access register 0 holds its high half, access register 1 its low half (s390x psABI, TLS variant II).
#[inline]
pub fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: copies registers that the psABI reserves. `readonly` keeps it behind whatever set them.
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

/// This thread's copy of `__rseq_core_area`.
#[inline]
pub fn own_area() -> NonNull<Rseq> {
    let distance: usize;
    // SAFETY: reads a constant. There is no immediate relocation for the distance to the thread pointer, so it is a word.
    unsafe {
        asm!(
            ".pushsection .rodata.__rseq_core_distance, \"a\", %progbits",
            ".balign 8",
            "60: .quad __rseq_core_area@NTPOFF",
            ".popsection",
            "lgrl {distance}, 60b",
            distance = out(reg) distance,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    let area = thread_pointer().wrapping_add(distance) as *mut Rseq;
    // SAFETY: an address in the executable's TLS block, which is mapped as long as the thread runs.
    unsafe { NonNull::new_unchecked(area) }
}

/// The raw system call.
///
/// # Safety
///
/// The call's effects are the caller's to answer for.
#[inline]
pub unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    let value;
    // SAFETY: the kernel's convention: number in r1, since `svc` itself has 8 bits for it, arguments in r2 to r7, result in
    // r2; it keeps the other registers.
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

/// The address of an undefined weak symbol, loaded from the GOT: 0 where nobody defines it.
macro_rules! weak_address {
    ($symbol:literal) => {{
        let address: usize;
        // SAFETY: reads one GOT entry, which the linker made and which never changes.
        unsafe {
            core::arch::asm!(
                concat!(".weak ", $symbol),
                concat!("lgrl {address}, ", $symbol, "@GOT"),
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

/// An address as operand.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_memory {
    ([$a:ident]) => {
        concat!("0({", stringify!($a), "})")
    };
    ([$a:ident + $b:ident]) => {
        concat!("0({", stringify!($b), "}, {", stringify!($a), "})")
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_abort_jump {
    (restart) => {
        "jg 75b"
    };
    ($exit:ident) => {
        concat!("jg {", stringify!($exit), "}")
    };
}

// Register 0 as a base or an index means no register: operands are of the class without it.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_frame {
    ([$form:ident $base:expr] $index:ty, $variant:ident, $abort:ident,
     [$(($number:tt $step:tt))*] [$($scratch:ident)*] [$($input:ident)*] [$($imm:ident)*] [$($exit:ident)*]) => {
        ::core::arch::asm!(
            $crate::__rseq_descriptor!($variant),
            "75:",
            "larl {rseq_t}, 77b",                                    // rseq_t = the descriptor
            $crate::__rseq_arming!($variant, "stg {rseq_t}, 8({rseq_area})"),
            "72:",
            $($crate::__rseq_step!($form $variant $step),)*
            "73:",
            ".pushsection __rseq_failure, \"ax\", %progbits",
            ".balign 4",
            $crate::__rseq_signature!($variant, ".long 0xb2ff0fff"),
            "74:",
            $crate::__rseq_abort_jump!($abort),
            ".popsection",
            rseq_t = out(reg_addr) _,
            rseq_area = in(reg_addr) $crate::__rseq_base!($form $base),
            rseq_index = const <$index as $crate::Index>::OFFSET,
            $($scratch = out(reg_addr) _,)*
            $($input = in(reg_addr) $input,)*
            $($imm = const $imm.trailing_zeros(),)*
            $($exit = label { $crate::__rseq_left!($variant $exit) },)*
            options(nostack)
        )
    };
}

/// Compares, and leaves by the exit on the condition.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_leave {
    ($compare:expr, $jump:literal, $exit:ident) => {
        concat!($compare, "\n", $jump, " {", stringify!($exit), "}\n", $crate::__rseq_exit_point!($exit))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_step {
    ($form:ident $v:ident (check_index $x:ident $exit:ident)) => {
        $crate::__rseq_leave!(concat!("cl {", stringify!($x), "}, {rseq_index}({rseq_area})"), "jgne", $exit)
    };
    ($form:ident $v:ident (load_index $r:ident)) => {
        concat!("lgf {", stringify!($r), "}, {rseq_index}({rseq_area})")
    };
    ($form:ident $v:ident (cbae $r:ident $x:ident $exit:ident)) => {
        $crate::__rseq_leave!(concat!("clgr {", stringify!($r), "}, {", stringify!($x), "}"), "jghe", $exit)
    };
    ($form:ident $v:ident (scale $r:ident $k:ident)) => {
        concat!("sllg {", stringify!($r), "}, {", stringify!($r), "}, {", stringify!($k), "}")
    };
    ($form:ident $v:ident (load $r:ident $m:tt)) => {
        concat!("lg {", stringify!($r), "}, ", $crate::__rseq_memory!($m))
    };
    ($form:ident $v:ident (cbne [$($m:tt)+] $x:ident $exit:ident)) => {
        $crate::__rseq_leave!(concat!("cg {", stringify!($x), "}, ", $crate::__rseq_memory!([$($m)+])), "jgne", $exit)
    };
    ($form:ident $v:ident (cbeq [$($m:tt)+] $x:ident $exit:ident)) => {
        $crate::__rseq_leave!(concat!("cg {", stringify!($x), "}, ", $crate::__rseq_memory!([$($m)+])), "jge", $exit)
    };
    ($form:ident $v:ident (cbne $r:ident $x:ident $exit:ident)) => {
        $crate::__rseq_leave!(concat!("cgr {", stringify!($r), "}, {", stringify!($x), "}"), "jgne", $exit)
    };
    ($form:ident $v:ident (cbeq $r:ident $x:ident $exit:ident)) => {
        $crate::__rseq_leave!(concat!("cgr {", stringify!($r), "}, {", stringify!($x), "}"), "jge", $exit)
    };
    ($form:ident $v:ident (cbz $r:ident $exit:ident)) => {
        $crate::__rseq_leave!(concat!("ltgr {", stringify!($r), "}, {", stringify!($r), "}"), "jge", $exit)
    };
    ($form:ident $v:ident (add $r:ident $x:ident)) => {
        concat!("agr {", stringify!($r), "}, {", stringify!($x), "}")
    };
    ($form:ident $v:ident (store $m:tt $x:ident)) => {
        concat!("stg {", stringify!($x), "}, ", $crate::__rseq_memory!($m))
    };
    // Eight bytes a turn while there are eight, aligned or not, then one.
    ($form:ident $v:ident (copy [$d:ident] [$s:ident] $n:ident $i:ident)) => {
        concat!(
            "lghi {", stringify!($i), "}, 0\n",
            "62: la {rseq_t}, 8({", stringify!($i), "})\n",
            "clgr {rseq_t}, {", stringify!($n), "}\n",
            "jh 63f\n",
            "lg {rseq_t}, 0({", stringify!($i), "}, {", stringify!($s), "})\n",
            "stg {rseq_t}, 0({", stringify!($i), "}, {", stringify!($d), "})\n",
            "la {", stringify!($i), "}, 8({", stringify!($i), "})\n",
            "j 62b\n",
            "63: cgr {", stringify!($i), "}, {", stringify!($n), "}\n",
            "je 64f\n",
            "llgc {rseq_t}, 0({", stringify!($i), "}, {", stringify!($s), "})\n",
            "stc {rseq_t}, 0({", stringify!($i), "}, {", stringify!($d), "})\n",
            "la {", stringify!($i), "}, 1({", stringify!($i), "})\n",
            "j 63b\n",
            "64:"
        )
    };
    ($form:ident $v:ident (delay $d:ident $k:literal)) => {
        concat!(
            "lg {rseq_t}, 8 * ", $k, "({", stringify!($d), "})\n",
            "65: ltgr {rseq_t}, {rseq_t}\n",
            "je 66f\n",
            "aghi {rseq_t}, -1\n",
            "j 65b\n",
            "66:"
        )
    };
    ($form:ident $v:ident (commit_store $m:tt $x:ident)) => { $crate::__rseq_step!($form $v (store $m $x)) };
    // Only a load may overtake an earlier store, so every store is a release.
    ($form:ident $v:ident (commit_release $m:tt $x:ident)) => { $crate::__rseq_step!($form $v (store $m $x)) };
    ($form:ident $v:ident (commit_add $m:tt $x:ident)) => {
        concat!(
            "lg {rseq_t}, ", $crate::__rseq_memory!($m), "\n",
            "agr {rseq_t}, {", stringify!($x), "}\n",
            "stg {rseq_t}, ", $crate::__rseq_memory!($m)
        )
    };
    ($form:ident $v:ident (commit_increment $m:tt)) => {
        concat!(
            "lg {rseq_t}, ", $crate::__rseq_memory!($m), "\n",
            "aghi {rseq_t}, 1\n",
            "stg {rseq_t}, ", $crate::__rseq_memory!($m)
        )
    };
}
