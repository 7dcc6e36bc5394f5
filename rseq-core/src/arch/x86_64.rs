//! x86-64: `fs` is the thread pointer, and sections address static thread-locals through it directly.

use crate::abi::Rseq;
use crate::index::Index;
use core::arch::asm;
use linux_raw_sys::general::__NR_arch_prctl;

/// The operand of a `ud1` that compilers do not emit: `0f b9 3d` and then these bytes trap.
pub const SIGNATURE: u32 = 0x5305_3053;

#[inline]
pub(super) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads the word at fs:0, which the psABI sets to its own address before any thread runs.
    unsafe { asm!("mov {}, qword ptr fs:[0]", out(reg) pointer, options(pure, readonly, nostack, preserves_flags)) };
    pointer
}

/// Without one, `fs:0` is address 0. A filter that refuses the question runs in a program with a libc, which has one.
pub(super) fn has_thread_pointer() -> bool {
    const ARCH_GET_FS: usize = 0x1003;
    let mut base = 0_usize;
    // SAFETY: the kernel writes one word to `base`.
    let asked = unsafe { syscall(__NR_arch_prctl, [ARCH_GET_FS, &raw mut base as usize, 0, 0, 0, 0]) };
    asked != 0 || base != 0
}

#[inline]
pub(super) fn own_area() -> *mut Rseq {
    let area;
    // SAFETY: computes an address in the module's static TLS block, which is mapped as long as the thread runs.
    unsafe {
        asm!(
            // The distance, a constant once an executable is linked, and the thread pointer.
            "mov {area}, qword ptr [rip + __rseq_core_area@gottpoff]",
            "add {area}, qword ptr fs:[0]",
            area = out(reg) area,
            options(pure, readonly, nostack)
        );
    }
    area
}

/// By local-exec TLS, so in executables only.
#[inline]
pub(super) fn own_index<I: Index>() -> u32 {
    let field: u64;
    // SAFETY: reads a u32 of the area, which is in the executable's static TLS block, mapped as long as the thread
    // runs. Not `pure`, as the kernel may change it at any instruction.
    unsafe {
        asm!(
            "mov {field:e}, dword ptr fs:[__rseq_core_area@tpoff + {offset}]",
            field = lateout(reg) field,
            offset = const I::OFFSET,
            options(readonly, nostack, preserves_flags)
        );
    }
    // SAFETY: an instruction that writes the lower half of a register clears the upper half. Stated for the compiler,
    // which would otherwise clear it once more where the field becomes an address.
    unsafe { core::hint::assert_unchecked(field <= u32::MAX as u64) };
    field as u32
}

#[inline]
pub(super) fn own_offset() -> isize {
    let offset;
    // SAFETY: reads a constant that the linker made, in an executable as an operand of the instruction.
    unsafe {
        asm!(
            "mov {}, qword ptr [rip + __rseq_core_area@gottpoff]",
            out(reg) offset,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    offset
}

/// [`own_offset`] plus the word `__rseq_core_distance`.
#[inline]
pub(crate) fn ambient_offset() -> isize {
    let mut offset = own_offset();
    // SAFETY: reads a word that `ambient.rs` defines, which is aligned, in one load. In Rust the compiler would load
    // its address from the global offset table.
    unsafe {
        asm!(
            "add {}, qword ptr [rip + __rseq_core_distance]",
            inlateout(reg) offset,
            options(pure, readonly, nostack)
        );
    }
    offset
}

/// The index of the area that begins `area` bytes from the thread pointer, read as a value that the kernel may change
/// at any instruction.
///
/// # Safety
///
/// Its first 32 bytes are memory of this thread.
#[inline]
pub(crate) unsafe fn index_by_offset<I: Index>(area: isize) -> u32 {
    let index;
    // SAFETY: an aligned u32 of the caller's area: fs is the thread pointer. Not `pure`, because the kernel writes it.
    unsafe {
        asm!(
            "mov {:e}, dword ptr fs:[{} + {}]",
            out(reg) index,
            in(reg) area,
            const I::OFFSET,
            options(readonly, nostack, preserves_flags)
        );
    }
    index
}

#[inline]
pub(super) unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    let value;
    // SAFETY: the kernel's convention: number in rax, arguments in rdi, rsi, rdx, r10, r8, r9; it clobbers rcx and r11
    // and keeps all other registers, vectors and masks included.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") nr as usize => value,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack)
        );
    }
    value
}

macro_rules! load_weak {
    ($symbol:literal, $address:ident) => {
        core::arch::asm!(
            concat!(".weak ", $symbol),
            concat!("mov {}, qword ptr [rip + ", $symbol, "@GOTPCREL]"),
            out(reg) $address,
            options(pure, readonly, nostack, preserves_flags)
        )
    };
}
pub(crate) use load_weak;

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_frame {
    ([direct $base:expr] $($section:tt)*) => {
        $crate::__rseq_frame! {
            @ []
            "mov qword ptr fs:[__rseq_core_area@tpoff + {rseq_cs}], r11",
            "fs:[__rseq_core_area@tpoff + {rseq_index}]"
            $($section)*
        }
    };
    ([offset $base:expr] $($section:tt)*) => {
        $crate::__rseq_frame! {
            @ [rseq_area = in(reg) $base,]
            "mov qword ptr fs:[{rseq_area} + {rseq_cs}], r11",
            "fs:[{rseq_area} + {rseq_index}]"
            $($section)*
        }
    };
    ([pointer $base:expr] $($section:tt)*) => {
        $crate::__rseq_frame! {
            @ [rseq_area = in(reg) $base,]
            "mov qword ptr [{rseq_area} + {rseq_cs}], r11",
            "[{rseq_area} + {rseq_index}]"
            $($section)*
        }
    };
    // r11 keeps the descriptor's address until the section ends, for unwinders.
    (@ [$($area:tt)*] $arm:literal, $index:literal $($section:tt)*) => {
        $crate::__rseq_function! {
            @asm
            $($section)*
            registers reg
            operands [$($area)* rseq_t = out(reg) _, out("r11") _,]
            failure [
                ".pushsection __rseq_failure, \"ax\", %progbits",
                ".byte 0x0f, 0xb9, 0x3d", // ud1 edi, [rip + signature]
                ".cfi_endproc\n.popsection"
            ]
            handler [
                ".cfi_startproc simple",
                ".cfi_signal_frame",
                ".cfi_def_cfa 7, 0",
                ".cfi_escape 0x16, 16, 3, 0x7b, 8, 6" // rip = *(r11 + 8), the section's first instruction
            ]
            descriptor ["lea r11, [rip + 77b]"]
            arm $arm,
            index $index
            around [, "/* {rseq_t} */"] // few sections use it
            options(nostack)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_text {
    (far $label:expr) => { concat!("jmp ", $label) };
    (near $label:expr) => { concat!("jmp ", $label) };
    ($o:ident $f:tt check_index ($x:ident) $e:ident) => {
        concat!("cmp dword ptr ", $f, ", {", stringify!($x), ":e}\n", $crate::__rseq_text!(@leave jne $e))
    };
    ($o:ident $f:tt load_index ($r:ident)) => { concat!("movsxd {", stringify!($r), "}, dword ptr ", $f) };
    ($o:ident $f:tt bound ($r:ident, $x:tt) $e:ident) => {
        concat!(
            "cmp {", stringify!($r), "}, ", $crate::__rseq_text!(@operand $x), "\n", $crate::__rseq_text!(@leave jae $e)
        )
    };
    ($o:ident $f:tt scale ($r:ident, $k:ident)) => {
        concat!("shl {", stringify!($r), "}, {", stringify!($k), "}")
    };
    ($o:ident $f:tt cbne ($left:tt, $x:tt) $e:ident) => {
        concat!($crate::__rseq_text!(@compare $left $x), $crate::__rseq_text!(@leave jne $e))
    };
    ($o:ident $f:tt cbeq ($left:tt, $x:tt) $e:ident) => {
        concat!($crate::__rseq_text!(@compare $left $x), $crate::__rseq_text!(@leave je $e))
    };
    ($o:ident $f:tt cbz ($r:ident) $e:ident) => {
        concat!("test {", stringify!($r), "}, {", stringify!($r), "}\n", $crate::__rseq_text!(@leave jz $e))
    };
    ($o:ident $f:tt load ($r:ident, $m:tt)) => {
        concat!("mov {", stringify!($r), "}, qword ptr ", $crate::__rseq_text!(@memory $m))
    };
    ($o:ident $f:tt load_u64 ($r:ident, $m:tt)) => { $crate::__rseq_text!($o $f load ($r, $m)) };
    // Every load is an acquire on x86-64, and every store a release.
    ($o:ident $f:tt load_acquire ($r:ident, $m:tt)) => { $crate::__rseq_text!($o $f load ($r, $m)) };
    ($o:ident $f:tt load_u32 ($r:ident, $m:tt)) => {
        concat!("mov {", stringify!($r), ":e}, dword ptr ", $crate::__rseq_text!(@memory $m))
    };
    ($o:ident $f:tt load_u16 ($r:ident, $m:tt)) => {
        concat!("movzx {", stringify!($r), ":e}, word ptr ", $crate::__rseq_text!(@memory $m))
    };
    ($o:ident $f:tt load_u8 ($r:ident, $m:tt)) => {
        concat!("movzx {", stringify!($r), ":e}, byte ptr ", $crate::__rseq_text!(@memory $m))
    };
    ($o:ident $f:tt $mark:ident store ($m:tt, $x:tt)) => { $crate::__rseq_text!(@store "qword" $m $x "}") };
    ($o:ident $f:tt $mark:ident store_u64 ($m:tt, $x:tt)) => { $crate::__rseq_text!(@store "qword" $m $x "}") };
    ($o:ident $f:tt $mark:ident store_u32 ($m:tt, $x:tt)) => { $crate::__rseq_text!(@store "dword" $m $x ":e}") };
    ($o:ident $f:tt $mark:ident store_u16 ($m:tt, $x:tt)) => { $crate::__rseq_text!(@store "word" $m $x ":x}") };
    ($o:ident $f:tt $mark:ident store_u8 ($m:tt, $x:tt)) => { $crate::__rseq_text!(@store "byte" $m $x ":l}") };
    ($o:ident $f:tt commit add ($m:tt, $x:tt)) => {
        concat!("add qword ptr ", $crate::__rseq_text!(@memory $m), ", ", $crate::__rseq_text!(@operand $x))
    };
    // Copies sixteen bytes at a time, then eight, then one. Not with a vector register: a load of sixteen bytes waits
    // for the stores of two words to reach the cache, and records are often written just before they are copied.
    ($o:ident $f:tt repeatable copy ([$d:ident], [$s:ident], $n:ident, $i:ident)) => {
        concat!(
            "xor {", stringify!($i), ":e}, {", stringify!($i), ":e}\n",
            "jmp 63f\n",
            "62:", $crate::__rseq_text!(@copy_word $d $s $i ""), $crate::__rseq_text!(@copy_word $d $s $i " + 8"),
            "add {", stringify!($i), "}, 16\n",
            "63: lea {rseq_t}, [{", stringify!($i), "} + 16]\n",
            "cmp {rseq_t}, {", stringify!($n), "}\n",
            "jbe 62b\n",
            "test {", stringify!($n), ":e}, 8\n",
            "jz 67f\n",
            $crate::__rseq_text!(@copy_word $d $s $i ""),
            "add {", stringify!($i), "}, 8\n",
            "67: cmp {", stringify!($i), "}, {", stringify!($n), "}\n",
            "je 64f\n",
            "movzx {rseq_t:e}, byte ptr [{", stringify!($s), "} + {", stringify!($i), "}]\n",
            "mov byte ptr [{", stringify!($d), "} + {", stringify!($i), "}], {rseq_t:l}\n",
            "inc {", stringify!($i), "}\n",
            "jmp 67b\n",
            "64:"
        )
    };
    ($o:ident $f:tt delay ($d:ident, $k:literal)) => {
        concat!(
            "mov {rseq_t}, qword ptr [{", stringify!($d), "} + 8 * ", $k, "]\n",
            "65: test {rseq_t}, {rseq_t}\n",
            "jz 66f\n",
            "dec {rseq_t}\n",
            "jmp 65b\n",
            "66:"
        )
    };
    // `mov`, `shl`, `shr` and the steps of `arithmetic.rs` have the names of their instructions.
    ($o:ident $f:tt $change:ident ($r:ident, $x:tt)) => {
        concat!(stringify!($change), " {", stringify!($r), "}, ", $crate::__rseq_text!(@operand $x))
    };
    (@copy_word $d:ident $s:ident $i:ident $at:literal) => {
        concat!(
            "mov {rseq_t}, qword ptr [{", stringify!($s), "} + {", stringify!($i), "}", $at, "]\n",
            "mov qword ptr [{", stringify!($d), "} + {", stringify!($i), "}", $at, "], {rseq_t}\n",
        )
    };
    (@operand $x:ident) => { concat!("{", stringify!($x), "}") };
    (@operand $k:literal) => { concat!($k) };
    (@memory [$a:ident]) => { concat!("[{", stringify!($a), "}]") };
    (@memory [$a:ident + $b:ident]) => { concat!("[{", stringify!($a), "} + {", stringify!($b), "}]") };
    (@memory [$a:ident + $k:literal]) => { concat!("[{", stringify!($a), "} + ", $k, "]") };
    (@memory [$a:ident + $b:ident * $k:literal]) => {
        concat!("[{", stringify!($a), "} + {", stringify!($b), "} * ", $k, "]")
    };
    (@compare [$($m:tt)+] $x:tt) => {
        concat!("cmp qword ptr ", $crate::__rseq_text!(@memory [$($m)+]), ", ", $crate::__rseq_text!(@operand $x), "\n")
    };
    (@compare $r:ident $x:tt) => { concat!("cmp {", stringify!($r), "}, ", $crate::__rseq_text!(@operand $x), "\n") };
    (@store $size:literal $m:tt $x:ident $narrow:literal) => {
        concat!("mov ", $size, " ptr ", $crate::__rseq_text!(@memory $m), ", {", stringify!($x), $narrow)
    };
    (@store $size:literal $m:tt $k:literal $narrow:literal) => {
        concat!("mov ", $size, " ptr ", $crate::__rseq_text!(@memory $m), ", ", $k)
    };
    (@leave $jump:ident $e:ident) => { concat!(stringify!($jump), " 8{", stringify!($e), "}b") };
    ($($unknown:tt)*) => { ".error \"a step that this architecture has no text for\"" };
}
