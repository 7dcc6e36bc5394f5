//! RISC-V, 64 and 32 bits: `tp` is the thread pointer; sections reach the area through a register.
//!
//! A conditional branch reaches 4 KiB and `jal` 1 MiB, so sections branch over a jump to their exits, and `jump`
//! (`auipc`, `jalr`) reaches everything. Its scratch register is `t2`: `jalr` from there neither counts as a return, as
//! from `t0`, nor needs a landing pad at its target where the program has forward-edge protection (Zicfilp).

use crate::abi::Rseq;
use core::arch::asm;

/// `csrw mhartid, x0`, a write to a read-only register of machine mode: an illegal instruction in every mode. `ebreak`
/// has no operand that could make it a rare one. Written as a word, because assemblers know it under several names.
pub const SIGNATURE: u32 = 0xf140_1073;

#[inline]
pub(super) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: copies a register that the psABI reserves. `readonly` orders it after the write of the register.
    unsafe { asm!("mv {}, tp", out(reg) pointer, options(pure, readonly, nostack, preserves_flags)) };
    pointer
}

#[inline]
pub(super) fn own_area() -> *mut Rseq {
    let area;
    // SAFETY: computes an address in the module's static TLS block, which is mapped as long as the thread runs.
    // `readonly` orders it after the write of the thread pointer.
    unsafe {
        asm!(
            "60: auipc {area}, %tls_ie_pcrel_hi(__rseq_core_area)",
            concat!(crate::__rseq_wide!("ld", "lw"), " {area}, %pcrel_lo(60b)({area})"),
            "add {area}, {area}, tp",
            area = out(reg) area,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    area
}

#[inline]
pub(super) unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    let value;
    // SAFETY: the kernel's convention: number in a7, arguments in a0 to a5, result in a0; it keeps the other registers
    // of integers and floating-point numbers. It discards all vector state (Documentation/arch/riscv/vector.rst,
    // section 3): v0 to v31, declared here, and vl and vtype, which every `asm!` without `preserves_flags` may change.
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

macro_rules! load_weak {
    ($symbol:literal, $address:ident) => {
        core::arch::asm!(
            concat!(".weak ", $symbol),
            concat!("60: auipc {address}, %got_pcrel_hi(", $symbol, ")"),
            concat!($crate::__rseq_wide!("ld", "lw"), " {address}, %pcrel_lo(60b)({address})"),
            address = out(reg) $address,
            options(pure, readonly, nostack, preserves_flags)
        )
    };
}
pub(crate) use load_weak;

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_frame {
    // t1 keeps the descriptor's address until the section ends, for unwinders.
    ([$form:ident $base:expr] $($section:tt)*) => {
        $crate::__rseq_function! {
            @asm
            $($section)*
            registers reg
            operands [
                rseq_t = out(reg) _, rseq_u = out(reg) _, rseq_area = in(reg) $base, out("t1") _, out("t2") _,
            ]
            failure [
                ".pushsection __rseq_failure, \"ax\", %progbits",
                ".balign 4", // instructions may be 2 bytes long
                ".cfi_endproc\n.popsection"
            ]
            handler [
                ".cfi_startproc simple",
                ".cfi_signal_frame",
                ".cfi_return_column 64",
                ".cfi_def_cfa 2, 0",
                ".cfi_escape 0x16, 64, 3, 0x76, 8, 6" // pc = *(t1 + 8), the section's first instruction
            ]
            descriptor ["lla t1, 77b"]
            arm concat!($crate::__rseq_wide!("sd", "sw"), " t1, {rseq_cs}({rseq_area})"),
            index "{rseq_index}({rseq_area})"
            around [, "# {rseq_t} {rseq_u}"] // not every section uses them
            options(nostack)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_primitive {
    (t) => { "{rseq_t}" };
    (far $label:expr) => { concat!("jump ", $label, ", t2") };
    (near $label:expr) => { concat!("j ", $label) };
    (unless $branch:expr, $exit:expr) => { concat!($branch, " 61f\njump ", $exit, ", t2\n61:") };
    // A difference of 32 bits: the upper half of `x` is ignored.
    (check_index $index:literal, $x:ident, $exit:expr) => {
        concat!(
            "lw {rseq_t}, ", $index, "\n",
            $crate::__rseq_wide!("subw", "sub"), " {rseq_t}, {rseq_t}, {", stringify!($x), "}\n",
            $crate::__rseq_primitive!(unless "beqz {rseq_t},", $exit)
        )
    };
    (load_index $r:expr, $index:literal) => { concat!("lw ", $r, ", ", $index) };
    (bound $r:expr, $x:expr, $exit:expr) => {
        $crate::__rseq_primitive!(unless concat!("bltu ", $r, ", ", $x, ","), $exit)
    };
    (cbne $r:expr, $x:expr, $exit:expr) => {
        $crate::__rseq_primitive!(unless concat!("beq ", $r, ", ", $x, ","), $exit)
    };
    (cbeq $r:expr, $x:expr, $exit:expr) => {
        $crate::__rseq_primitive!(unless concat!("bne ", $r, ", ", $x, ","), $exit)
    };
    (cbz $r:expr, $exit:expr) => { $crate::__rseq_primitive!(unless concat!("bnez ", $r, ","), $exit) };
    (literal $r:expr, $k:literal) => { concat!("li ", $r, ", ", $k) };
    (mov $r:expr, $x:expr) => { concat!("mv ", $r, ", ", $x) };
    (add $r:expr, $x:expr) => { concat!("add ", $r, ", ", $r, ", ", $x) };
    (sub $r:expr, $x:expr) => { concat!("sub ", $r, ", ", $r, ", ", $x) };
    (and $r:expr, $x:expr) => { concat!("and ", $r, ", ", $r, ", ", $x) };
    (or $r:expr, $x:expr) => { concat!("or ", $r, ", ", $r, ", ", $x) };
    (shl $r:expr, $k:expr) => { concat!("slli ", $r, ", ", $r, ", ", $k) };
    (shr $r:expr, $k:expr) => { concat!("srli ", $r, ", ", $r, ", ", $k) };
    (add_to_value $x:ident) => { concat!("add {rseq_u}, {rseq_u}, {", stringify!($x), "}") };
    (add_to_value $k:literal) => { concat!("addi {rseq_u}, {rseq_u}, ", $k) };
    (reach [$a:ident + $b:ident * $k:tt]) => {
        concat!(
            "slli {rseq_t}, {", stringify!($b), "}, ", $crate::__rseq_log2!($k), "\n",
            "add {rseq_t}, {rseq_t}, {", stringify!($a), "}\n"
        )
    };
    (reach [$a:ident + $b:ident]) => { concat!("add {rseq_t}, {", stringify!($a), "}, {", stringify!($b), "}\n") };
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
    // The manual's mappings of a load-acquire and a store-release.
    (load_acquire $r:ident, $m:tt) => { concat!($crate::__rseq_primitive!(load $r, $m), "\nfence r, rw") };
    (store_release $m:tt, $x:ident) => { concat!("fence rw, w\n", $crate::__rseq_primitive!(store $m, $x)) };
    // Copies two words at a time, then one, if both ends are aligned: a misaligned access may trap. Then single bytes.
    (copy $d:expr, $s:expr, $n:expr, $i:expr) => {
        concat!(
            "li ", $i, ", 0\n",
            "or {rseq_t}, ", $d, ", ", $s, "\n",
            "andi {rseq_t}, {rseq_t}, ", $crate::__rseq_wide!("7", "3"), "\n",
            "bnez {rseq_t}, 67f\n",
            "j 63f\n",
            "62: add {rseq_u}, ", $s, ", ", $i, "\n",
            $crate::__rseq_wide!(
                "ld {rseq_t}, 0({rseq_u})\nld t2, 8({rseq_u})", "lw {rseq_t}, 0({rseq_u})\nlw t2, 4({rseq_u})"
            ),
            "\nadd {rseq_u}, ", $d, ", ", $i, "\n",
            $crate::__rseq_wide!(
                "sd {rseq_t}, 0({rseq_u})\nsd t2, 8({rseq_u})", "sw {rseq_t}, 0({rseq_u})\nsw t2, 4({rseq_u})"
            ),
            "\naddi ", $i, ", ", $i, ", ", $crate::__rseq_wide!("16", "8"), "\n",
            "63: addi {rseq_t}, ", $i, ", ", $crate::__rseq_wide!("16", "8"), "\n",
            "bgeu ", $n, ", {rseq_t}, 62b\n",
            "andi {rseq_t}, ", $n, ", ", $crate::__rseq_wide!("8", "4"), "\n",
            "beqz {rseq_t}, 67f\n",
            "add {rseq_u}, ", $s, ", ", $i, "\n",
            $crate::__rseq_wide!("ld", "lw"), " {rseq_t}, 0({rseq_u})\n",
            "add {rseq_u}, ", $d, ", ", $i, "\n",
            $crate::__rseq_wide!("sd", "sw"), " {rseq_t}, 0({rseq_u})\n",
            "addi ", $i, ", ", $i, ", ", $crate::__rseq_wide!("8", "4"), "\n",
            "67: beq ", $i, ", ", $n, ", 64f\n",
            "add {rseq_u}, ", $s, ", ", $i, "\n",
            "lbu {rseq_t}, 0({rseq_u})\n",
            "add {rseq_u}, ", $d, ", ", $i, "\n",
            "sb {rseq_t}, 0({rseq_u})\n",
            "addi ", $i, ", ", $i, ", 1\n",
            "j 67b\n",
            "64:"
        )
    };
    (delay $d:expr, $k:literal) => {
        concat!(
            $crate::__rseq_wide!("ld {rseq_t}, 8", "lw {rseq_t}, 4"), " * ", $k, "(", $d, ")\n",
            "65: beqz {rseq_t}, 66f\n",
            "addi {rseq_t}, {rseq_t}, -1\n",
            "j 65b\n",
            "66:"
        )
    };
}
