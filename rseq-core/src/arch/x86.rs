//! i686: `gs` is the thread pointer, and sections address static thread-locals through it directly.
//!
//! Six registers are left beside the stack and the frame pointer. A section whose operands do not fit there takes its inputs
//! from a block in memory, through one register: [`__rseq_frame!`](crate::__rseq_frame) counts them.

use crate::abi::Rseq;
use core::arch::asm;

/// The operand of a `ud1` that nobody emits: `0f b9 3d` and then these bytes trap.
pub const SIGNATURE: u32 = 0x5305_3053;

#[inline]
pub(super) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads the word at gs:0, which the psABI sets to its own address before any thread runs.
    unsafe { asm!("mov {}, dword ptr gs:[0]", out(reg) pointer, options(pure, readonly, nostack, preserves_flags)) };
    pointer
}

#[inline]
pub(super) fn own_area() -> *mut Rseq {
    let area;
    // SAFETY: computes an address in the module's static TLS block, which is mapped as long as the thread runs.
    unsafe {
        asm!(
            "call 60f",
            "60: popl {0}",                                      // where this instruction is,
            "61: addl $_GLOBAL_OFFSET_TABLE_ + (61b - 60b), {0}", // from there the GOT,
            "movl __rseq_core_area@gotntpoff({0}), {0}",          // there the distance
            "addl %gs:0, {0}",                                    // to the thread pointer
            out(reg) area,
            options(pure, readonly, att_syntax)
        );
    }
    area
}

#[inline]
pub(super) unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    let words = [nr as usize, args[0], args[1], args[2], args[3], args[4], args[5]];
    let value;
    // SAFETY: the kernel's convention: number in eax, arguments in ebx, ecx, edx, esi, edi, ebp; it changes eax only. esi and
    // ebp cannot be operands, because the compiler may have its own use for them: they are put back.
    unsafe {
        asm!(
            "push esi",
            "push ebp",
            "mov ebx, dword ptr [eax + 4]",
            "mov ecx, dword ptr [eax + 8]",
            "mov edx, dword ptr [eax + 12]",
            "mov esi, dword ptr [eax + 16]",
            "mov edi, dword ptr [eax + 20]",
            "mov ebp, dword ptr [eax + 24]",
            "mov eax, dword ptr [eax]",
            "int 0x80",
            "pop ebp",
            "pop esi",
            inlateout("eax") words.as_ptr() => value,
            out("ebx") _,
            out("ecx") _,
            out("edx") _,
            out("edi") _,
        );
    }
    value
}

macro_rules! load_weak {
    ($symbol:literal, $address:ident) => {
        core::arch::asm!(
            concat!(".weak ", $symbol),
            "call 60f",
            "60: popl {0}",                                      // where this instruction is,
            "61: addl $_GLOBAL_OFFSET_TABLE_ + (61b - 60b), {0}", // from there the GOT
            concat!("movl ", $symbol, "@GOT({0}), {0}"),
            out(reg) $address,
            options(pure, readonly, att_syntax)
        )
    };
}
pub(crate) use load_weak;

/// The text that brings the area's address within reach, and the text of a field of it.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_field {
    (fetch $word:ident direct) => {
        ""
    };
    (fetch $word:ident pointer) => {
        $word!(fetch rseq_area rseq_u)
    };
    ($word:ident direct, $offset:literal) => {
        concat!("%gs:__rseq_core_area@ntpoff + ", $offset)
    };
    ($word:ident pointer, $offset:literal) => {
        concat!($offset, "(", $word!(name rseq_area rseq_u), ")")
    };
}

/// Places the inputs, and the area's address as one of them: in registers while these and the scratch registers are five
/// at most (`rseq_t` is the sixth), else in a block.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_frame {
    ([direct $base:expr] $index:ty, $variant:ident, $abort:ident,
     $steps:tt [$($scratch:ident)*] [$($input:ident)*] $imm:tt $exit:tt) => {
        $crate::__rseq_place! {
            [$($scratch)* $($input)*]
            direct $index, $variant, $abort, $steps [$($scratch)*] [$($input)*] $imm $exit
        }
    };
    ([pointer $base:expr] $index:ty, $variant:ident, $abort:ident,
     $steps:tt [$($scratch:ident)*] [$($input:ident)*] $imm:tt $exit:tt) => {{
        let rseq_area = $base;
        $crate::__rseq_place! {
            [rseq_area $($scratch)* $($input)*]
            pointer $index, $variant, $abort, $steps [$($scratch)*] [rseq_area $($input)*] $imm $exit
        }
    }};
}

/// Counts, and says in a macro of its own how the steps get at a word: `fetch` is the text that brings it into a register
/// if it is not in one, `name` is the register that it is in then, `source` the operand where it is from the start; `reach`
/// and `at` do as `fetch` and `name` for a place in memory, through `rseq_t`.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_place {
    ([$a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $($more:ident)*]
     $form:ident $index:ty, $variant:ident, $abort:ident, $steps:tt $scratch:tt [$($input:ident)*] $imm:tt $exit:tt) => {{
        macro_rules! word {
            $(
                (fetch $input $into:ident) => { concat!("movl ", word!(source $input), ", {", stringify!($into), "}\n") };
                (name $input $into:ident) => { concat!("{", stringify!($into), "}") };
                (source $input) => { concat!("{", stringify!($input), "}({rseq_block})") };
            )*
            (fetch $own:ident $into:ident) => { "" };
            (name $own:ident $into:ident) => { concat!("{", stringify!($own), "}") };
            (source $own:ident) => { concat!("{", stringify!($own), "}") };
            (reach [$base:ident]) => { word!(fetch $base rseq_t) };
            (reach [$base:ident + $distance:ident]) => {
                concat!("movl ", word!(source $base), ", {rseq_t}\n", "addl ", word!(source $distance), ", {rseq_t}\n")
            };
            (at [$base:ident]) => { concat!("(", word!(name $base rseq_t), ")") };
            (at [$base:ident + $distance:ident]) => { "({rseq_t})" };
        }
        #[repr(C)]
        #[allow(dead_code, reason = "the section reads it")]
        struct RseqBlock {
            $($input: usize,)*
        }
        let block = RseqBlock { $($input: $input as usize,)* };
        $crate::__rseq_placed! {
            word $form
            ["# {rseq_u}"]                                               // a section may do without it
            [
                rseq_u = out(reg) _,
                rseq_block = in(reg) &raw const block,
                $($input = const ::core::mem::offset_of!(RseqBlock, $input),)*
            ]
            $index, $variant, $abort, $steps $scratch [] $imm $exit
        }
    }};
    ($names:tt
     $form:ident $index:ty, $variant:ident, $abort:ident, $steps:tt $scratch:tt [$($input:ident)*] $imm:tt $exit:tt) => {{
        macro_rules! word {
            (fetch $any:ident $into:ident) => { "" };
            (name $any:ident $into:ident) => { concat!("{", stringify!($any), "}") };
            (source $any:ident) => { concat!("{", stringify!($any), "}") };
            (reach $place:tt) => { "" };
            (at [$base:ident]) => { concat!("({", stringify!($base), "})") };
            (at [$base:ident + $distance:ident]) => {
                concat!("({", stringify!($base), "}, {", stringify!($distance), "})")
            };
        }
        $crate::__rseq_placed! {
            word $form [""] [$($input = in(reg) $input,)*] $index, $variant, $abort, $steps $scratch [] $imm $exit
        }
    }};
}

/// The section with its inputs in their places. In AT&T syntax, because the other knows no differences of labels.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_placed {
    ($word:ident $form:ident [$first:literal] [$($operands:tt)*] $($section:tt)*) => {
        $crate::__rseq_section! {
            $($section)*
            registers reg
            operands [rseq_t = out(reg_abcd) _, $($operands)*]           // copy needs its low byte
            descriptor [
                "call 60f",                                              // not nostack: this pushes a word,
                "60: popl {rseq_t}",                                     // rseq_t = 60b, wherever the code is
                "leal 77b - 60b({rseq_t}), {rseq_t}"
            ]
            arm concat!(
                $crate::__rseq_field!(fetch $word $form),
                "movl {rseq_t}, ", $crate::__rseq_field!($word $form, "{rseq_cs}")
            ),
            index ($word $form)
            handler ".byte 0x0f, 0xb9, 0x3d"                             // ud1 signature, %edi
            around [$first, ""]
            options(att_syntax)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_text {
    (jump_from_failure $label:expr) => {
        concat!("jmp ", $label)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_step {
    (($word:ident $form:ident) (check_index $x:ident $exit:ident)) => {
        concat!(
            $word!(fetch $x rseq_t), $crate::__rseq_field!(fetch $word $form),
            "cmpl ", $word!(name $x rseq_t), ", ", $crate::__rseq_field!($word $form, "{rseq_index}"), "\n",
            $crate::__rseq_leave_if!("jne", $exit)
        )
    };
    (($word:ident $form:ident) (load_index $r:ident)) => {
        concat!(
            $crate::__rseq_field!(fetch $word $form),
            "movl ", $crate::__rseq_field!($word $form, "{rseq_index}"), ", {", stringify!($r), "}"
        )
    };
    (($word:ident $form:ident) (cbae $r:ident $x:ident $exit:ident)) => {
        $crate::__rseq_compare!($word $r, $x, "jae", $exit)
    };
    (($word:ident $form:ident) (scale $r:ident $k:ident)) => {
        concat!("shll ${", stringify!($k), "}, {", stringify!($r), "}")
    };
    (($word:ident $form:ident) (load $r:ident $m:tt)) => {
        concat!($word!(reach $m), "movl ", $word!(at $m), ", {", stringify!($r), "}")
    };
    (($word:ident $form:ident) (cbne $a:tt $x:ident $exit:ident)) => {
        $crate::__rseq_compare!($word $a, $x, "jne", $exit)
    };
    (($word:ident $form:ident) (cbeq $a:tt $x:ident $exit:ident)) => {
        $crate::__rseq_compare!($word $a, $x, "je", $exit)
    };
    (($word:ident $form:ident) (cbz $r:ident $exit:ident)) => {
        concat!("cmpl $0, ", $word!(source $r), "\n", $crate::__rseq_leave_if!("je", $exit))
    };
    (($word:ident $form:ident) (add $r:ident $x:ident)) => {
        concat!("addl ", $word!(source $x), ", {", stringify!($r), "}")
    };
    (($word:ident $form:ident) (store $m:tt $x:ident)) => {
        concat!($word!(reach $m), $word!(fetch $x rseq_u), "movl ", $word!(name $x rseq_u), ", ", $word!(at $m))
    };
    // Four bytes a turn while there are four, then one: rseq_t is free once the section is armed.
    (($word:ident $form:ident) (copy [$d:ident] [$s:ident] $n:ident $i:ident)) => {
        concat!(
            "xorl {", stringify!($i), "}, {", stringify!($i), "}\n",
            "62: leal 4({", stringify!($i), "}), {rseq_t}\n",
            "cmpl ", $word!(source $n), ", {rseq_t}\n",
            "ja 63f\n",
            $word!(fetch $s rseq_t),
            "movl (", $word!(name $s rseq_t), ", {", stringify!($i), "}), {rseq_t}\n",
            $word!(fetch $d rseq_u),
            "movl {rseq_t}, (", $word!(name $d rseq_u), ", {", stringify!($i), "})\n",
            "addl $4, {", stringify!($i), "}\n",
            "jmp 62b\n",
            "63: cmpl ", $word!(source $n), ", {", stringify!($i), "}\n",
            "je 64f\n",
            $word!(fetch $s rseq_t),
            "movzbl (", $word!(name $s rseq_t), ", {", stringify!($i), "}), {rseq_t}\n",
            $word!(fetch $d rseq_u),
            "movb {rseq_t:l}, (", $word!(name $d rseq_u), ", {", stringify!($i), "})\n",
            "incl {", stringify!($i), "}\n",
            "jmp 63b\n",
            "64:"
        )
    };
    (($word:ident $form:ident) (delay $d:ident $k:literal)) => {
        concat!(
            $word!(fetch $d rseq_t),
            "movl 4 * ", $k, "(", $word!(name $d rseq_t), "), {rseq_t}\n",
            "65: testl {rseq_t}, {rseq_t}\n",
            "jz 66f\n",
            "decl {rseq_t}\n",
            "jmp 65b\n",
            "66:"
        )
    };
    (($word:ident $form:ident) (commit_store $m:tt $x:ident)) => {
        $crate::__rseq_step!(($word $form) (store $m $x))
    };
    // Every store is a release on x86.
    (($word:ident $form:ident) (commit_release $m:tt $x:ident)) => {
        $crate::__rseq_step!(($word $form) (store $m $x))
    };
    (($word:ident $form:ident) (commit_add $m:tt $x:ident)) => {
        concat!($word!(reach $m), $word!(fetch $x rseq_u), "addl ", $word!(name $x rseq_u), ", ", $word!(at $m))
    };
    (($word:ident $form:ident) (commit_increment $m:tt)) => { concat!($word!(reach $m), "addl $1, ", $word!(at $m)) };
}

/// Compares a register or a word in memory with a word, and leaves on the condition.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_compare {
    ($word:ident [$($m:tt)*], $x:ident, $jump:literal, $exit:ident) => {
        concat!(
            $word!(reach [$($m)*]), $word!(fetch $x rseq_u), "cmpl ", $word!(name $x rseq_u), ", ", $word!(at [$($m)*]), "\n",
            $crate::__rseq_leave_if!($jump, $exit)
        )
    };
    ($word:ident $r:ident, $x:ident, $jump:literal, $exit:ident) => {
        concat!(
            $word!(fetch $r rseq_t), "cmpl ", $word!(source $x), ", ", $word!(name $r rseq_t), "\n",
            $crate::__rseq_leave_if!($jump, $exit)
        )
    };
}
