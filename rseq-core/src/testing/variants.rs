//! The attributes of `critical_section!`: from a section's steps to those of its variant.

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_variant {
    ([unarmed] $($items:tt)+) => {
        $crate::critical_section! { $($items)+ @__rseq_function { checked ".if 0\n" "\n.endif" plain [] [] } }
    };
    ([unchecked] $($items:tt)+) => {
        $crate::critical_section! { $($items)+ @__rseq_function { unchecked "" "" plain [] [] } }
    };
    ([stretched] $($items:tt)+) => {
        $crate::critical_section! { $($items)+ @__rseq_stretch { stretched plain [] } }
    };
    ([compare_twice] $($items:tt)+) => {
        $crate::critical_section! { $($items)+ @__rseq_stretch { compare_twice twice [Differed] } }
    };
    ([model] $($items:tt)+) => { $crate::critical_section! { $($items)+ @__rseq_ir checked } };
    ([model unchecked] $($items:tt)+) => { $crate::critical_section! { $($items)+ @__rseq_ir unchecked } };
    ([$($variant:ident)+] $($items:tt)+) => {
        compile_error!(
            "a section's variants are `stretched`, `compare_twice`, `unarmed`, `unchecked`, `model`, `model, unchecked`"
        );
    };
}

/// Puts delays, and second comparisons, between the steps of sections.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_stretch {
    ({ $variant:ident $returns:ident $differed:tt } $({
        $meta:tt $vis:tt $name:ident $inputs:tt $result:tt $exits:tt $scratch:tt
        $abort:ident $strides:tt $order:tt $output:tt [$($steps:tt)+]
    })+) => {
        $($crate::__rseq_stretch! {
            @next $variant [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16] [([delay] [rseq_delays, 0] [])] [$($steps)+]
            { unchecked "" "" $returns [rseq_delays: *const usize] $differed }
            [$meta $vis $name $inputs $result $exits $scratch $abort $strides $order $output]
        })+
    };
    (@next $variant:ident $numbers:tt [$($out:tt)*] [([commit $store:ident] $args:tt [])] $how:tt [$($item:tt)*]) => {
        $crate::__rseq_function! { @item $how { $($item)* [$($out)* ([commit $store] $args [])] } }
    };
    (@next stretched [$n:literal $($ns:literal)*] [$($out:tt)*] [$step:tt $($rest:tt)+] $how:tt $item:tt) => {
        $crate::__rseq_stretch! {
            @next stretched [$($ns)*] [$($out)* $step ([delay] [rseq_delays, $n] [])] [$($rest)+] $how $item
        }
    };
    (@next compare_twice [$n:literal $($ns:literal)*] [$($out:tt)*]
     [([$step:ident] $args:tt [$exit:ident]) $($rest:tt)+] $how:tt $item:tt) => {
        $crate::__rseq_stretch! {
            @next compare_twice [$($ns)*]
            [$($out)* ([$step] $args [$exit]) ([delay] [rseq_delays, $n] []) ([$step] $args [Differed])]
            [$($rest)+] $how $item
        }
    };
    (@next compare_twice [$n:literal $($ns:literal)*] [$($out:tt)*] [$step:tt $($rest:tt)+] $how:tt $item:tt) => {
        $crate::__rseq_stretch! {
            @next compare_twice [$($ns)*] [$($out)* $step ([delay] [rseq_delays, $n] [])] [$($rest)+] $how $item
        }
    };
}
