//! x86-64: `fs` is the thread pointer, and sections address static thread-locals through it directly.

use crate::abi::Rseq;
use core::arch::asm;
use core::ptr::NonNull;

/// The operand of a `ud1` that nobody emits: `0f b9 3d` and then these bytes trap.
pub const SIGNATURE: u32 = 0x5305_3053;

/// `fs:[symbol@tpoff + n]` is an addressing mode.
pub const DIRECT: bool = true;

/// The thread pointer: the word at `fs:0` holds its own address (x86-64 psABI, TLS variant II).
#[inline]
pub fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads the word at fs:0, which the psABI sets to its own address before any thread runs.
    unsafe { asm!("mov {}, qword ptr fs:[0]", out(reg) pointer, options(pure, readonly, nostack, preserves_flags)) };
    pointer
}

/// This thread's copy of `__rseq_core_area`.
#[inline]
pub fn own_area() -> NonNull<Rseq> {
    let area: *mut Rseq;
    // SAFETY: computes an address in the executable's TLS block, which is mapped as long as the thread runs.
    unsafe {
        asm!(
            "mov {area}, qword ptr fs:[0]",             // thread pointer
            "lea {area}, [{area} + __rseq_core_area@tpoff]", // and the linker's constant distance to the area
            area = out(reg) area,
            options(pure, readonly, nostack, preserves_flags)
        );
        NonNull::new_unchecked(area)
    }
}

/// The u32 at `offset` of this thread's `__rseq_core_area`, in one instruction.
///
/// # Safety
///
/// `offset` is that of a u32 within the area.
#[inline]
pub unsafe fn own_field(offset: usize) -> u32 {
    let field;
    // SAFETY: reads the executable's TLS block, which is mapped as long as the thread runs. Not pure, as the kernel writes
    // there between any two instructions.
    unsafe {
        asm!(
            "mov {field:e}, dword ptr fs:[{offset} + __rseq_core_area@tpoff]",
            field = lateout(reg) field,
            offset = in(reg) offset,
            options(readonly, nostack, preserves_flags)
        );
    }
    field
}

/// The raw system call.
///
/// # Safety
///
/// The call's effects are the caller's to answer for.
#[inline]
pub unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    let value;
    // SAFETY: the kernel's convention: number in rax, arguments in rdi, rsi, rdx, r10, r8, r9; it clobbers rcx and r11.
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

/// The address of an undefined weak symbol, loaded from the GOT: 0 where nobody defines it.
macro_rules! weak_address {
    ($symbol:literal) => {{
        let address: usize;
        // SAFETY: reads one GOT entry, which the linker made and which never changes.
        unsafe {
            core::arch::asm!(
                concat!(".weak ", $symbol),
                concat!("mov {}, qword ptr [rip + ", $symbol, "@GOTPCREL]"),
                out(reg) address,
                options(pure, readonly, nostack, preserves_flags)
            );
        }
        address
    }};
}
pub(crate) use weak_address;

/// The text of a field of the area: `direct` through `fs`, `pointer` through a register.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_field {
    (direct, $offset:literal) => {
        concat!("fs:[__rseq_core_area@tpoff + ", $offset, "]")
    };
    (pointer, $offset:literal) => {
        concat!("[{rseq_area} + ", $offset, "]")
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_memory {
    ([$a:ident]) => {
        concat!("qword ptr [{", stringify!($a), "}]")
    };
    ([$a:ident + $b:ident]) => {
        concat!("qword ptr [{", stringify!($a), "} + {", stringify!($b), "}]")
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_abort_jump {
    (restart) => {
        "jmp 75b"
    };
    ($exit:ident) => {
        concat!("jmp {", stringify!($exit), "}")
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_frame {
    ([$form:ident $base:expr] $index:ty, $variant:ident, $abort:ident,
     [$(($number:tt $step:tt))*] [$($scratch:ident)*] [$($input:ident)*] [$($imm:ident)*] [$($exit:ident)*]) => {
        $crate::__rseq_asm!($form $base;
            [
                $crate::__rseq_descriptor!($variant),
                "75:",
                "lea {rseq_t}, [rip + 77b]",                             // rseq_t = the descriptor
                $crate::__rseq_arming!($variant, concat!("mov qword ptr ", $crate::__rseq_field!($form, "8"), ", {rseq_t}")),
                "72:",
                $($crate::__rseq_step!($form $variant $step),)*
                "73:",
                ".pushsection __rseq_failure, \"ax\", %progbits",
                ".byte 0x0f, 0xb9, 0x3d",                                // ud1 edi, [rip + signature]
                $crate::__rseq_signature!($variant, ".long 0x53053053"),
                "74:",
                $crate::__rseq_abort_jump!($abort),
                ".popsection",
            ]
            [
                rseq_t = out(reg) _,
                rseq_index = const <$index as $crate::Index>::OFFSET,
                $($scratch = out(reg) _,)*
                $($input = in(reg) $input,)*
                $($imm = const $imm.trailing_zeros(),)*
                $($exit = label { $crate::__rseq_left!($variant $exit) },)*
            ]
        )
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_asm {
    (direct $base:expr; [$($text:tt)*] [$($operands:tt)*]) => {
        ::core::arch::asm!($($text)* $($operands)* options(nostack))
    };
    (pointer $base:expr; [$($text:tt)*] [$($operands:tt)*]) => {
        ::core::arch::asm!($($text)* rseq_area = in(reg) $base, $($operands)* options(nostack))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_step {
    ($form:ident $v:ident (check_index $x:ident $exit:ident)) => {
        concat!(
            "cmp dword ptr ", $crate::__rseq_field!($form, "{rseq_index}"), ", {", stringify!($x), ":e}\n",
            "jne {", stringify!($exit), "}\n", $crate::__rseq_exit_point!($exit)
        )
    };
    ($form:ident $v:ident (load_index $r:ident)) => {
        concat!("movsxd {", stringify!($r), "}, dword ptr ", $crate::__rseq_field!($form, "{rseq_index}"))
    };
    ($form:ident $v:ident (cbae $r:ident $x:ident $exit:ident)) => {
        $crate::__rseq_compare!($r, $x, "jae", $exit)
    };
    ($form:ident $v:ident (scale $r:ident $k:ident)) => {
        concat!("shl {", stringify!($r), "}, {", stringify!($k), "}")
    };
    ($form:ident $v:ident (load $r:ident $m:tt)) => {
        concat!("mov {", stringify!($r), "}, ", $crate::__rseq_memory!($m))
    };
    ($form:ident $v:ident (cbne $a:tt $x:ident $exit:ident)) => { $crate::__rseq_compare!($a, $x, "jne", $exit) };
    ($form:ident $v:ident (cbeq $a:tt $x:ident $exit:ident)) => { $crate::__rseq_compare!($a, $x, "je", $exit) };
    ($form:ident $v:ident (cbz $r:ident $exit:ident)) => {
        concat!(
            "test {", stringify!($r), "}, {", stringify!($r), "}\n",
            "jz {", stringify!($exit), "}\n", $crate::__rseq_exit_point!($exit)
        )
    };
    ($form:ident $v:ident (add $r:ident $x:ident)) => {
        concat!("add {", stringify!($r), "}, {", stringify!($x), "}")
    };
    ($form:ident $v:ident (store $m:tt $x:ident)) => {
        concat!("mov ", $crate::__rseq_memory!($m), ", {", stringify!($x), "}")
    };
    // Eight bytes a turn while there are eight, then one: rseq_t is free once the section is armed.
    ($form:ident $v:ident (copy [$d:ident] [$s:ident] $n:ident $i:ident)) => {
        concat!(
            "xor {", stringify!($i), ":e}, {", stringify!($i), ":e}\n",
            "62: lea {rseq_t}, [{", stringify!($i), "} + 8]\n",
            "cmp {rseq_t}, {", stringify!($n), "}\n",
            "ja 63f\n",
            "mov {rseq_t}, qword ptr [{", stringify!($s), "} + {", stringify!($i), "}]\n",
            "mov qword ptr [{", stringify!($d), "} + {", stringify!($i), "}], {rseq_t}\n",
            "add {", stringify!($i), "}, 8\n",
            "jmp 62b\n",
            "63: cmp {", stringify!($i), "}, {", stringify!($n), "}\n",
            "je 64f\n",
            "movzx {rseq_t:e}, byte ptr [{", stringify!($s), "} + {", stringify!($i), "}]\n",
            "mov byte ptr [{", stringify!($d), "} + {", stringify!($i), "}], {rseq_t:l}\n",
            "inc {", stringify!($i), "}\n",
            "jmp 63b\n",
            "64:"
        )
    };
    ($form:ident $v:ident (delay $d:ident $k:literal)) => {
        concat!(
            "mov {rseq_t}, qword ptr [{", stringify!($d), "} + 8 * ", $k, "]\n",
            "65: test {rseq_t}, {rseq_t}\n",
            "jz 66f\n",
            "dec {rseq_t}\n",
            "jmp 65b\n",
            "66:"
        )
    };
    ($form:ident $v:ident (commit_store $m:tt $x:ident)) => { $crate::__rseq_step!($form $v (store $m $x)) };
    // Every store is a release on x86-64.
    ($form:ident $v:ident (commit_release $m:tt $x:ident)) => { $crate::__rseq_step!($form $v (store $m $x)) };
    ($form:ident $v:ident (commit_add $m:tt $x:ident)) => {
        concat!("add ", $crate::__rseq_memory!($m), ", {", stringify!($x), "}")
    };
    // Recent cores forward a sum to the next addition twice as fast if what they add stands in the instruction.
    ($form:ident $v:ident (commit_increment $m:tt)) => { concat!("add ", $crate::__rseq_memory!($m), ", 1") };
}

/// Compares a register or a word in memory with a register, and leaves on the condition.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_compare {
    ([$($m:tt)*], $x:ident, $jump:literal, $exit:ident) => {
        concat!(
            "cmp ", $crate::__rseq_memory!([$($m)*]), ", {", stringify!($x), "}\n",
            $jump, " {", stringify!($exit), "}\n", $crate::__rseq_exit_point!($exit)
        )
    };
    ($r:ident, $x:ident, $jump:literal, $exit:ident) => {
        concat!(
            "cmp {", stringify!($r), "}, {", stringify!($x), "}\n",
            $jump, " {", stringify!($exit), "}\n", $crate::__rseq_exit_point!($exit)
        )
    };
}
