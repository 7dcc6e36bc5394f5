//! The function of a section, and its `asm!` call: the descriptor, its pointer, the exits and the abort handler, for
//! all architectures.

/// A 64-bit word holding an address or a distance, on every architecture.
#[doc(hidden)]
#[macro_export]
#[cfg(target_pointer_width = "64")]
macro_rules! __rseq_quad {
    ($value:expr) => {
        concat!(".quad ", $value)
    };
}

#[doc(hidden)]
#[macro_export]
#[cfg(all(target_pointer_width = "32", target_endian = "little"))]
macro_rules! __rseq_quad {
    ($value:expr) => {
        concat!(".long ", $value, ", 0")
    };
}

#[doc(hidden)]
#[macro_export]
#[cfg(all(target_pointer_width = "32", target_endian = "big"))]
macro_rules! __rseq_quad {
    ($value:expr) => {
        concat!(".long 0, ", $value)
    };
}

/// Picks a text for words of 64 or of 32 bits.
#[doc(hidden)]
#[macro_export]
#[cfg(target_pointer_width = "64")]
macro_rules! __rseq_wide {
    ($wide:literal, $narrow:literal) => {
        $wide
    };
}

#[doc(hidden)]
#[macro_export]
#[cfg(target_pointer_width = "32")]
macro_rules! __rseq_wide {
    ($wide:literal, $narrow:literal) => {
        $narrow
    };
}

/// Runs a section over an area that is given by its distance from the thread pointer, where instructions take that
/// directly; says whether it has.
#[doc(hidden)]
#[macro_export]
#[cfg(all(target_arch = "x86_64", not(rseq_stub)))]
macro_rules! __rseq_by_offset {
    ($area:ident, $token:ident, $($section:tt)*) => {
        if $area::BY_OFFSET {
            // SAFETY: as for the other places of the area; the distance is that of the token's area.
            unsafe { $crate::__rseq_frame! { [offset $crate::Area::offset($token.area())] $($section)* } }
            true
        } else {
            false
        }
    };
}

#[doc(hidden)]
#[macro_export]
#[cfg(not(all(target_arch = "x86_64", not(rseq_stub))))]
macro_rules! __rseq_by_offset {
    ($($section:tt)*) => {
        false
    };
}

/// The number of an exit: its position among those of its section, with which the label of its exit stub ends.
#[doc(hidden)]
pub const fn exit_number(exits: &[&str], exit: &str) -> usize {
    let mut number = 0;
    while number < exits.len() {
        if is_same(exits[number].as_bytes(), exit.as_bytes()) {
            break;
        }
        number += 1;
    }
    number
}

const fn is_same(left: &[u8], right: &[u8]) -> bool {
    let mut i = 0;
    while i < left.len() && i < right.len() && left[i] == right[i] {
        i += 1;
    }
    i == left.len() && i == right.len()
}

/// The binary logarithm of a factor in an address.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_log2 {
    (1) => {
        "0"
    };
    (2) => {
        "1"
    };
    (4) => {
        "2"
    };
    (8) => {
        "3"
    };
    ($other:tt) => {
        "\n.error \"an index in an address is multiplied by 1, 2, 4 or 8\"\n"
    };
}

/// The function of a section. `how` is whether its steps are checked, two texts around the store that arms it, and, for
/// tests, what it returns, a parameter of delays and the exit of comparisons that are made twice.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_function {
    (@item {
        $checked:ident $open:literal $close:literal $returns:ident
        [$($more:ident: $more_type:ty)?] [$($differed:ident)?]
    } {
        [$($meta:tt)*] [$($vis:tt)*] $name:tt [$($input:tt: $type:ty,)*] [$result:ty]
        [$($exit:tt)*] $scratch:tt $abort:tt [$($stride:tt)*] [$($order:ident)?] [$($output:tt)?] $steps:tt
    }) => {
        $($meta)*
        #[inline]
        #[allow(clippy::too_many_arguments, reason = "a section takes what its steps name")]
        $($vis)* unsafe fn $name<
            $($order: $crate::Order,)?
            $(const $stride: usize,)*
            RseqArea: $crate::Area,
            RseqIndex: $crate::Index,
        >(
            token: $crate::Token<'_, RseqArea, RseqIndex>, $($input: $type,)* $($more: $more_type)?
        ) -> $crate::__rseq_function!(@result $returns $result) {
            $(const { assert!($stride.is_power_of_two(), "a stride is a power of two") };)*
            $(
                let mut rseq_output = 0usize;
                let $output = &raw mut rseq_output;
            )?
            $crate::__rseq_check! {
                $checked $name [$($input)*] [$($exit)*] $scratch $abort [$($stride)*] [$($order)?] [$($output)?] $steps
            }
            #[allow(dead_code, reason = "a section may have no exit")]
            const RSEQ_EXITS: &[&str] = &[$(stringify!($exit),)* $(stringify!($differed))?];
            $crate::__rseq_function! {
                @orders [$($order)?] token, RseqArea
                RseqIndex, [$open $close], $abort, $steps $scratch [$($input)* $($more)? $($output)?] [$($stride)*] [
                    $(($exit { return $crate::__rseq_function!(@end $returns Err(From::from($exit))) }))*
                    $(($differed { return Err($crate::testing::Differed) }))?
                ]
            }
            let rseq_done = $crate::Committed;
            $(
                let _ = (rseq_done, $output);
                let rseq_done = rseq_output;
            )?
            $crate::__rseq_function!(@end $returns Ok(rseq_done))
        }
    };
    (@result plain $result:ty) => { $result };
    (@result twice $result:ty) => { Result<$result, $crate::testing::Differed> };
    (@end plain $end:expr) => { $end };
    (@end twice $end:expr) => { Ok($end) };
    (@orders [] $token:ident, $area:ident $($section:tt)*) => {
        $crate::__rseq_function! { @areas $token, $area relaxed, $($section)* }
    };
    (@orders [$order:ident] $token:ident, $area:ident $($section:tt)*) => {
        if <$order as $crate::Order>::RELEASE {
            $crate::__rseq_function! { @areas $token, $area release, $($section)* }
        } else {
            $crate::__rseq_function! { @areas $token, $area relaxed, $($section)* }
        }
    };
    (@areas $token:ident, $area:ident $($section:tt)*) => {
        if $area::DIRECT && $crate::arch::DIRECT {
            // SAFETY: the caller of the function vouches for the operands' memory, and the token for the area of this
            // thread. The text reads and writes that memory, the area's `rseq_cs` and declared registers only, and
            // jumps to itself, to its end and to declared labels only.
            unsafe { $crate::__rseq_frame! { [direct $crate::arch::own_area().as_ptr()] $($section)* } }
        } else if !$crate::__rseq_by_offset!($area, $token, $($section)*) {
            // SAFETY: as for the other kind of area, right above.
            unsafe { $crate::__rseq_frame! { [pointer $crate::Area::pointer($token.area()).as_ptr()] $($section)* } }
        }
    };
    // The `asm!` call of a section: `critical_section!` provides what stands before `registers`, the architecture's
    // `__rseq_frame!` the rest.
    //
    // * `registers`: the class of registers for the section's inputs and scratch registers;
    // * `operands`: the area, registers that the architecture needs itself, and what else changes;
    // * `failure`: texts that open the place of the abort handler, stand before its signature, and close the place
    //   after the ways out; `handler`: texts that the handler begins with, for unwinders;
    // * `descriptor`: texts that bring the descriptor's address, `77b`, into a register; `arm`: the one that stores it;
    // * `index`: the index field as an operand;
    // * `around`: texts before and after all others.
    //
    // A branch out of a section leads to its exit stub, label `8` and the exit's number, and that jumps on. The
    // compiler may insert code on the edge of each use of a label operand (coverage, profiles), so there is one use of
    // each.
    (@asm $order:ident, $index:ty, [$open:literal $close:literal], $abort:ident,
     [$(([$($word:ident)+] [$($arg:tt)*] [$($to:ident)?]))+]
     [$($scratch:ident)*] [$($input:ident)*] [$($stride:ident)*] [$(($exit:ident $left:block))*]
     registers $class:ident
     operands [$($operands:tt)*]
     failure [$failure:literal, $trap:literal, $end:literal]
     handler [$($handler:literal),*]
     descriptor [$($descriptor:expr),+]
     arm $arm:expr,
     index $field:tt
     around [$($before:expr)?, $after:literal]
     options $options:tt) => {
        ::core::arch::asm!(
            $($before,)?
            ".pushsection __rseq_cs, \"aw\", %progbits",
            ".balign 32",
            "77:",
            ".long 0, 0", // version, flags
            $crate::__rseq_quad!("72f"),
            $crate::__rseq_quad!("73f - 72f"),
            $crate::__rseq_quad!("74f"),
            ".popsection",
            ".pushsection __rseq_cs_ptr_array, \"aw\", %progbits",
            ".balign 8",
            $crate::__rseq_quad!("77b"),
            ".popsection",
            $failure,
            $trap,
            ".long {rseq_signature}",
            "74:",
            $($handler,)*
            $crate::__rseq_function!(@abort $abort),
            $(concat!("8{", stringify!($exit), "}:\n", $crate::__rseq_text!(far "{}")),)*
            $end,
            "75:",
            $($descriptor,)+
            concat!($open, $arm, $close),
            "72:",
            $(
                ".pushsection __rseq_exit_point_array, \"aw\", %progbits",
                ".balign 8",
                $crate::__rseq_quad!("72b"),
                $crate::__rseq_quad!(concat!("8{", stringify!($exit), "}b")),
                ".popsection",
            )*
            $($crate::__rseq_text!($order $field $($word)+ ($($arg)*) $($to)?),)+
            "73:",
            // Names every operand: the check finds unused ones, with their place.
            concat!(
                "/*"
                $(, "{", stringify!($scratch), "}")*
                $(, "{", stringify!($input), "}")*
                $(, "{", stringify!($stride), "}")*,
                "*/"
            ),
            $after,
            $(label $left,)*
            $($operands)*
            rseq_cs = const $crate::abi::RSEQ_CS_LOW,
            rseq_index = const <$index as $crate::Index>::OFFSET,
            rseq_signature = const $crate::arch::SIGNATURE,
            $($scratch = out($class) _,)*
            $($input = in($class) $input,)*
            $($stride = const $stride.trailing_zeros(),)*
            $($exit = const $crate::section::exit_number(RSEQ_EXITS, stringify!($exit)),)*
            options $options
        )
    };
    (@abort restart) => { $crate::__rseq_text!(far "75f") };
    (@abort restart_unbounded) => { $crate::__rseq_text!(far "75f") };
    (@abort $exit:ident) => { $crate::__rseq_text!(near concat!("8{", stringify!($exit), "}f")) };
    ([] $($item:tt)+) => { $($crate::__rseq_function! { @item { checked "" "" plain [] [] } $item })+ };
    ([__rseq_function $how:tt] $($item:tt)+) => { $($crate::__rseq_function! { @item $how $item })+ };
    ([$callback:ident $how:tt] $($item:tt)+) => { $crate::$callback! { $how $($item)+ } };
}
