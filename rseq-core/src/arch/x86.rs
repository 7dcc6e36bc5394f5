//! i686: `gs` is the thread pointer, and sections address static thread-locals through it directly.
//!
//! Besides the stack and the frame pointer there are six registers. A section whose operands do not fit there takes its
//! inputs from a block in memory, through one register: [`__rseq_frame!`](crate::__rseq_frame) counts them.

use crate::abi::Rseq;
use crate::index::Index;
use core::arch::asm;

/// The operand of a `ud1` that compilers do not emit: `0f b9 3d` and then these bytes trap.
pub const SIGNATURE: u32 = 0x5305_3053;

#[inline]
pub(super) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads the word at gs:0, which the psABI sets to its own address before any thread runs.
    unsafe { asm!("mov {}, dword ptr gs:[0]", out(reg) pointer, options(pure, readonly, nostack, preserves_flags)) };
    pointer
}

/// Without one, gs is the null segment, whose use faults.
pub(super) fn has_thread_pointer() -> bool {
    let selector: u32;
    // SAFETY: copies a register. `readonly` orders it after the write of that register.
    unsafe { asm!("mov {}, gs", out(reg) selector, options(pure, readonly, nostack, preserves_flags)) };
    // The low two bits are a privilege level.
    selector & 0xfffc != 0
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

/// By local-exec TLS, so in executables only.
#[inline]
pub(super) fn own_index<I: Index>() -> u32 {
    let field;
    // SAFETY: reads a u32 of the area, which is in the executable's static TLS block, mapped as long as the thread
    // runs. Not `pure`, as the kernel may change it at any instruction.
    unsafe {
        asm!(
            "mov {field}, dword ptr gs:[__rseq_core_area@ntpoff + {offset}]",
            field = lateout(reg) field,
            offset = const I::OFFSET,
            options(readonly, nostack, preserves_flags)
        );
    }
    field
}

#[inline]
pub(super) unsafe fn syscall(nr: u32, args: [usize; 6]) -> isize {
    let words = [nr as usize, args[0], args[1], args[2], args[3], args[4], args[5]];
    let value;
    // SAFETY: the kernel's convention: number in eax, arguments in ebx, ecx, edx, esi, edi, ebp; it changes eax only.
    // esi and ebp cannot be operands, because the compiler may use them itself: they are restored.
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

/// Places the inputs, and the area's address as one of them: in registers while these and the scratch registers are at
/// most five (`rseq_t` is the sixth), else in a block in memory.
///
/// A macro made for the section has the texts by which steps reach a word: `fetch` brings it into a register if it is
/// not in one, `name` is the register that it is in then, `source` the operand where it is from the start; `reach` and
/// `at` do as `fetch` and `name` for a place in memory, through `rseq_t`; `value` and `low` for a word to store,
/// through `rseq_u` or, where there is no block, `rseq_t`. `offset` is the place of the area.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_frame {
    ([direct $base:expr] $order:ident, $index:ty, $arming:tt, $abort:ident,
     $steps:tt [$($scratch:ident)*] [$($input:ident)*] $stride:tt $exit:tt) => {
        $crate::__rseq_frame! {
            @ [$($scratch)* $($input)*]
            direct $order, $index, $arming, $abort, $steps [$($scratch)*] [$($input)*] $stride $exit
        }
    };
    ([pointer $base:expr] $order:ident, $index:ty, $arming:tt, $abort:ident,
     $steps:tt [$($scratch:ident)*] [$($input:ident)*] $stride:tt $exit:tt) => {{
        let rseq_area = $base;
        $crate::__rseq_frame! {
            @ [rseq_area $($scratch)* $($input)*]
            pointer $order, $index, $arming, $abort, $steps [$($scratch)*] [rseq_area $($input)*] $stride $exit
        }
    }};
    (@ [$a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $($more:ident)*]
     $form:ident $order:ident, $index:ty, $arming:tt, $abort:ident,
     $steps:tt $scratch:tt [$($input:ident)*] $stride:tt $exit:tt) => {{
        macro_rules! word {
            $(
                (fetch $input $into:ident) => {
                    concat!("movl ", word!(source $input), ", {", stringify!($into), "}\n")
                };
                (name $input $into:ident) => { concat!("{", stringify!($into), "}") };
                (source $input) => { concat!("{", stringify!($input), "}({rseq_block})") };
            )*
            (fetch $own:tt $into:ident) => { "" };
            (name $own:tt $into:ident) => { word!(source $own) };
            (source $own:ident) => { concat!("{", stringify!($own), "}") };
            (source $k:literal) => { concat!("$", $k) };
            (value $x:tt) => { word!(fetch $x rseq_u) };
            (low $x:tt $modifier:literal) => { concat!("{rseq_u", $modifier, "}") };
            (take_low $x:tt) => { concat!("movl ", word!(source $x), ", {rseq_u}\n") };
            (reach [$base:ident]) => { word!(fetch $base rseq_t) };
            (reach [$base:ident + $k:literal]) => { word!(fetch $base rseq_t) };
            (reach [$base:ident + $distance:ident]) => {
                concat!("movl ", word!(source $base), ", {rseq_t}\n", "addl ", word!(source $distance), ", {rseq_t}\n")
            };
            (reach [$base:ident + $distance:ident * $k:tt]) => {
                concat!(
                    "movl ", word!(source $distance), ", {rseq_t}\n",
                    "shll $", $crate::__rseq_log2!($k), ", {rseq_t}\n",
                    "addl ", word!(source $base), ", {rseq_t}\n"
                )
            };
            (at [$base:ident]) => { concat!("(", word!(name $base rseq_t), ")") };
            (at [$base:ident + $k:literal]) => { concat!($k, "(", word!(name $base rseq_t), ")") };
            (at $sum:tt) => { "({rseq_t})" };
        }
        #[repr(C)]
        #[allow(dead_code, reason = "the section reads it")]
        struct RseqBlock {
            $($input: usize,)*
        }
        let block = RseqBlock { $($input: $input as usize,)* };
        $crate::__rseq_frame! {
            @placed word $form ["# {rseq_u}"] // a section may do without it
            [
                rseq_u = out(reg_abcd) _,
                rseq_block = in(reg) &raw const block,
                $($input = const ::core::mem::offset_of!(RseqBlock, $input),)*
            ]
            $order, $index, $arming, $abort, $steps $scratch [] $stride $exit
        }
    }};
    (@ $names:tt
     $form:ident $order:ident, $index:ty, $arming:tt, $abort:ident,
     $steps:tt $scratch:tt [$($input:ident)*] $stride:tt $exit:tt) => {{
        macro_rules! word {
            (fetch $any:tt $into:ident) => { "" };
            (name $any:tt $into:ident) => { word!(source $any) };
            (source $any:ident) => { concat!("{", stringify!($any), "}") };
            (source $k:literal) => { concat!("$", $k) };
            (value $any:tt) => { "" };
            (low $x:tt $modifier:literal) => { concat!("{rseq_t", $modifier, "}") };
            (take_low $x:tt) => { concat!("movl ", word!(source $x), ", {rseq_t}\n") };
            (reach $place:tt) => { "" };
            (at [$base:ident]) => { concat!("({", stringify!($base), "})") };
            (at [$base:ident + $k:literal]) => { concat!($k, "({", stringify!($base), "})") };
            (at [$base:ident + $distance:ident]) => {
                concat!("({", stringify!($base), "}, {", stringify!($distance), "})")
            };
            (at [$base:ident + $distance:ident * $k:literal]) => {
                concat!("({", stringify!($base), "}, {", stringify!($distance), "}, ", $k, ")")
            };
        }
        $crate::__rseq_frame! {
            @placed word $form [] [$($input = in(reg) $input,)*]
            $order, $index, $arming, $abort, $steps $scratch [] $stride $exit
        }
    }};
    // In AT&T syntax, because Intel's has no differences of labels.
    (@placed $word:ident $form:ident [$($first:literal)?] [$($operands:tt)*] $($section:tt)*) => {
        $crate::__rseq_function! {
            @asm
            $($section)*
            registers reg
            operands [rseq_t = out(reg_abcd) _, $($operands)*] // copy needs its low byte
            failure [
                ".pushsection __rseq_failure, \"ax\", %progbits",
                // The distance, as an operand for disassemblers (movl to %eax); then ud1 signature, %edi.
                ".byte 0xb8\n71: .long 72f - 71b\n.byte 0x0f, 0xb9, 0x3d",
                ".cfi_endproc\n.popsection"
            ]
            handler [
                ".cfi_startproc simple",
                ".cfi_signal_frame",
                ".cfi_def_cfa 4, 0",
                // eip -= 11, eip += *eip: the section's first instruction, from the handler's first one
                ".cfi_escape 0x16, 8, 6, 0x78, 0x75, 0x12, 6, 0x22, 0x96"
            ]
            descriptor [
                "call 60f",                                  // not nostack: this pushes a word,
                "60: popl {rseq_t}",                         // rseq_t = 60b, wherever the code is
                "leal 77b - 60b({rseq_t}), {rseq_t}"
            ]
            arm concat!(
                $crate::__rseq_text!(@fetch_area $word $form),
                "movl {rseq_t}, ", $crate::__rseq_text!(@area $word $form "{rseq_cs}")
            ),
            index ($word $form)
            around [$($first)?, ""]
            options(att_syntax)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_text {
    (far $label:expr) => { concat!("jmp ", $label) };
    (near $label:expr) => { concat!("jmp ", $label) };
    ($o:ident ($word:ident $form:ident) check_index ($x:ident) $e:ident) => {
        concat!(
            $word!(fetch $x rseq_t), $crate::__rseq_text!(@fetch_area $word $form),
            "cmpl ", $word!(name $x rseq_t), ", ", $crate::__rseq_text!(@area $word $form "{rseq_index}"), "\n",
            $crate::__rseq_text!(@leave jne $e)
        )
    };
    ($o:ident ($word:ident $form:ident) load_index ($r:ident)) => {
        concat!(
            $crate::__rseq_text!(@fetch_area $word $form),
            "movl ", $crate::__rseq_text!(@area $word $form "{rseq_index}"), ", {", stringify!($r), "}"
        )
    };
    ($o:ident ($word:ident $form:ident) scale ($r:ident, $k:ident)) => {
        concat!("shll ${", stringify!($k), "}, {", stringify!($r), "}")
    };
    ($o:ident ($word:ident $form:ident) cbz ($r:ident) $e:ident) => {
        concat!("cmpl $0, ", $word!(source $r), "\n", $crate::__rseq_text!(@leave je $e))
    };
    ($o:ident ($word:ident $form:ident) bound ($r:ident, $x:tt) $e:ident) => {
        concat!($crate::__rseq_text!(@compare $word $r $x), $crate::__rseq_text!(@leave jae $e))
    };
    ($o:ident ($word:ident $form:ident) cbne ($a:tt, $x:tt) $e:ident) => {
        concat!($crate::__rseq_text!(@compare $word $a $x), $crate::__rseq_text!(@leave jne $e))
    };
    ($o:ident ($word:ident $form:ident) cbeq ($a:tt, $x:tt) $e:ident) => {
        concat!($crate::__rseq_text!(@compare $word $a $x), $crate::__rseq_text!(@leave je $e))
    };
    ($o:ident ($word:ident $form:ident) load ($r:ident, $m:tt)) => { $crate::__rseq_text!(@load $word "movl" $r $m) };
    // Every load is an acquire on x86, and every store a release.
    ($o:ident ($word:ident $form:ident) load_acquire ($r:ident, $m:tt)) => {
        $crate::__rseq_text!(@load $word "movl" $r $m)
    };
    ($o:ident ($word:ident $form:ident) load_u32 ($r:ident, $m:tt)) => {
        $crate::__rseq_text!(@load $word "movl" $r $m)
    };
    ($o:ident ($word:ident $form:ident) load_u16 ($r:ident, $m:tt)) => {
        $crate::__rseq_text!(@load $word "movzwl" $r $m)
    };
    ($o:ident ($word:ident $form:ident) load_u8 ($r:ident, $m:tt)) => {
        $crate::__rseq_text!(@load $word "movzbl" $r $m)
    };
    ($o:ident ($word:ident $form:ident) $mark:ident store ($m:tt, $x:tt)) => {
        $crate::__rseq_text!(@store $word "movl" $m $x)
    };
    ($o:ident ($word:ident $form:ident) $mark:ident store_u32 ($m:tt, $x:tt)) => {
        $crate::__rseq_text!(@store $word "movl" $m $x)
    };
    ($o:ident ($word:ident $form:ident) $mark:ident store_u16 ($m:tt, $x:tt)) => {
        $crate::__rseq_text!(@store_low $word "movw" ":x" $m $x)
    };
    ($o:ident ($word:ident $form:ident) $mark:ident store_u8 ($m:tt, $x:tt)) => {
        $crate::__rseq_text!(@store_low $word "movb" ":l" $m $x)
    };
    ($o:ident ($word:ident $form:ident) commit add ($m:tt, $x:tt)) => {
        $crate::__rseq_text!(@store $word "addl" $m $x)
    };
    // Four bytes a turn while there are four, then one.
    ($o:ident ($word:ident $form:ident) repeatable copy ([$d:ident], [$s:ident], $n:ident, $i:ident)) => {
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
    ($o:ident ($word:ident $form:ident) delay ($d:ident, $k:literal)) => {
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
    // `mov`, `shl`, `shr` and the steps of `arithmetic.rs` have the names of their instructions.
    ($o:ident ($word:ident $form:ident) $change:ident ($r:ident, $x:tt)) => {
        concat!(stringify!($change), "l ", $word!(source $x), ", {", stringify!($r), "}")
    };
    // The text that brings the area's address within reach, and the text of a field of it.
    (@fetch_area $word:ident direct) => { "" };
    (@fetch_area $word:ident pointer) => { $word!(fetch rseq_area rseq_u) };
    (@area $word:ident direct $offset:literal) => { concat!("%gs:__rseq_core_area@ntpoff + ", $offset) };
    (@area $word:ident pointer $offset:literal) => { concat!($offset, "(", $word!(name rseq_area rseq_u), ")") };
    (@compare $word:ident [$($m:tt)*] $x:tt) => {
        concat!(
            $word!(reach [$($m)*]), $word!(fetch $x rseq_u),
            "cmpl ", $word!(name $x rseq_u), ", ", $word!(at [$($m)*]), "\n"
        )
    };
    (@compare $word:ident $r:ident $x:tt) => {
        concat!($word!(fetch $r rseq_t), "cmpl ", $word!(source $x), ", ", $word!(name $r rseq_t), "\n")
    };
    (@load $word:ident $op:literal $r:ident $m:tt) => {
        concat!($word!(reach $m), $op, " ", $word!(at $m), ", {", stringify!($r), "}")
    };
    (@store $word:ident $op:literal $m:tt $x:tt) => {
        concat!($word!(reach $m), $word!(value $x), $op, " ", $word!(name $x rseq_u), ", ", $word!(at $m))
    };
    // Not every register has a low byte.
    (@store_low $word:ident $op:literal $modifier:literal $m:tt $x:tt) => {
        concat!($word!(reach $m), $word!(take_low $x), $op, " ", $word!(low $x $modifier), ", ", $word!(at $m))
    };
    (@leave $jump:ident $e:ident) => { concat!(stringify!($jump), " 8{", stringify!($e), "}b") };
    ($($unknown:tt)*) => { ".error \"a step that this architecture has no text for\"" };
}
