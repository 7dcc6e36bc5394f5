//! s390x: the access registers 0 and 1 are the thread pointer; sections reach the area through a register.
//!
//! Branches reach 4 GiB each way, conditional ones too, so that sections and abort handlers go straight to their exits.

use crate::abi::Rseq;
use core::arch::asm;

/// `trap4 4095(%r0)`: a special-operation exception, since Linux has neither access-register mode nor linkage stacks.
/// Instructions are big-endian like all data, so the word stands as it is.
pub const SIGNATURE: u32 = 0xb2ff_0fff;

/// Access register 0 holds its high half, access register 1 its low half (s390x psABI, TLS variant II).
#[inline]
pub(super) fn thread_pointer() -> usize {
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

#[inline]
pub(super) fn own_area() -> *mut Rseq {
    let distance: usize;
    // SAFETY: reads one word of the GOT, which never changes once the process has started.
    unsafe {
        asm!(
            "lgrl {distance}, __rseq_core_area@INDNTPOFF",
            distance = out(reg) distance,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    thread_pointer().wrapping_add(distance) as *mut Rseq
}

#[inline]
pub(super) unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    let value;
    // SAFETY: the kernel's convention: number in r1, since `svc` itself has 8 bits for it, arguments in r2 to r7, result in
    // r2; it keeps the other registers, those of floating-point numbers and vectors included.
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

macro_rules! load_weak {
    ($symbol:literal, $address:ident) => {
        core::arch::asm!(
            concat!(".weak ", $symbol),
            concat!("lgrl {address}, ", $symbol, "@GOT"),
            address = out(reg) $address,
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
            registers reg_addr                                           // register 0 as a base or an index means none
            operands [rseq_t = out(reg_addr) _, rseq_area = in(reg_addr) $base,]
            descriptor ["larl {rseq_t}, 77b"]
            arm "stg {rseq_t}, {rseq_cs}({rseq_area})",
            index "{rseq_index}({rseq_area})"
            handler ".balign 4"
            options(nostack)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_memory {
    ([$a:expr $(, $b:expr)?]) => { concat!("0(", $($b, ", ",)? $a, ")") };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_text {
    (jump_from_failure $label:expr) => { concat!("jg ", $label) };
    (check_index $index:literal, $x:ident, $exit:ident) => {
        concat!("cl {", stringify!($x), "}, ", $index, "\n", $crate::__rseq_leave_if!("jgne", $exit))
    };
    (load_index $r:expr, $index:literal) => { concat!("lgf ", $r, ", ", $index) };
    (cbne [$($m:expr),+], $x:expr, $exit:ident) => {
        concat!("cg ", $x, ", ", $crate::__rseq_memory!([$($m),+]), "\n", $crate::__rseq_leave_if!("jgne", $exit))
    };
    (cbeq [$($m:expr),+], $x:expr, $exit:ident) => {
        concat!("cg ", $x, ", ", $crate::__rseq_memory!([$($m),+]), "\n", $crate::__rseq_leave_if!("jge", $exit))
    };
    (cbae $r:expr, $x:expr, $exit:ident) => {
        concat!("clgr ", $r, ", ", $x, "\n", $crate::__rseq_leave_if!("jghe", $exit))
    };
    (cbne $r:expr, $x:expr, $exit:ident) => {
        concat!("cgr ", $r, ", ", $x, "\n", $crate::__rseq_leave_if!("jgne", $exit))
    };
    (cbeq $r:expr, $x:expr, $exit:ident) => {
        concat!("cgr ", $r, ", ", $x, "\n", $crate::__rseq_leave_if!("jge", $exit))
    };
    (cbz $r:expr, $exit:ident) => { concat!("ltgr ", $r, ", ", $r, "\n", $crate::__rseq_leave_if!("jge", $exit)) };
    (scale $r:expr, $k:expr) => { concat!("sllg ", $r, ", ", $r, ", ", $k) };
    (load $r:expr, $m:tt) => { concat!("lg ", $r, ", ", $crate::__rseq_memory!($m)) };
    (add $r:expr, $x:expr) => { concat!("agr ", $r, ", ", $x) };
    (store $m:tt, $x:expr) => { concat!("stg ", $x, ", ", $crate::__rseq_memory!($m)) };
    (clear $r:ident) => { concat!("lghi {", stringify!($r), "}, 0") };
    // Eight bytes a turn while there are eight, aligned or not, then one.
    (copy $d:expr, $s:expr, $n:expr, $i:expr) => {
        concat!(
            "62: la {rseq_t}, 8(", $i, ")\n",
            "clgr {rseq_t}, ", $n, "\n",
            "jh 63f\n",
            "lg {rseq_t}, 0(", $i, ", ", $s, ")\n",
            "stg {rseq_t}, 0(", $i, ", ", $d, ")\n",
            "la ", $i, ", 8(", $i, ")\n",
            "j 62b\n",
            "63: cgr ", $i, ", ", $n, "\n",
            "je 64f\n",
            "llgc {rseq_t}, 0(", $i, ", ", $s, ")\n",
            "stc {rseq_t}, 0(", $i, ", ", $d, ")\n",
            "la ", $i, ", 1(", $i, ")\n",
            "j 63b\n",
            "64:"
        )
    };
    (delay $d:expr, $k:literal) => {
        concat!(
            "lg {rseq_t}, 8 * ", $k, "(", $d, ")\n",
            "65: ltgr {rseq_t}, {rseq_t}\n",
            "je 66f\n",
            "aghi {rseq_t}, -1\n",
            "j 65b\n",
            "66:"
        )
    };
    // Only a load may overtake an earlier store, so every store is a release.
    (commit_release $m:tt, $x:expr) => { $crate::__rseq_text!(store $m, $x) };
    (commit_add $m:tt, $x:expr) => {
        $crate::__rseq_load_add_store!("{rseq_t}", $m, $crate::__rseq_text!(add "{rseq_t}", $x))
    };
    (commit_increment $m:tt) => { $crate::__rseq_load_add_store!("{rseq_t}", $m, "aghi {rseq_t}, 1") };
}
