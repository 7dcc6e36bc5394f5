//! The table of steps: which operand a step writes, and which method of [`check`](super::check) checks the others.

/// The steps as plain Rust. The section's state is a variable with the name of its function, so that errors point to
/// it. Operands are `tt`s from the user on: an error in what has been an `ident` would point to the whole macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_check {
    (unchecked $($section:tt)*) => {};
    (checked $name:tt [$($input:tt)*] [$($exit:tt)*] [$($scratch:tt)*] $abort:tt [$($stride:tt)*] [$($order:tt)?]
     [$($output:tt)?] [$(([$($word:tt)+] [$($arg:tt)*] [$($to:tt)?]))+]) => {
        #[allow(unreachable_code, non_snake_case, clippy::all, clippy::pedantic, reason = "never runs")]
        #[deny(unused_variables)]
        if false {
            #[deny(dead_code)]
            enum DeclaredExits {
                $($exit),*
            }
            #[deny(dead_code)]
            #[allow(non_camel_case_types, reason = "registers are called like variables")]
            enum DeclaredScratch {
                $($scratch),*
            }
            #[deny(dead_code)]
            enum DeclaredStrides {
                $($stride),*
            }
            let _: (Option<DeclaredExits>, Option<DeclaredScratch>, Option<DeclaredStrides>);
            $(let $input = $crate::section::check::parameter($input);)*
            $(let $output = $crate::section::check::output();)?
            $(
                #[allow(unused_variables, reason = "what is not written is no operand of the assembly")]
                let $scratch: $crate::section::check::ScratchRegister;
            )*
            let $name = $crate::__rseq_check!(@begin [$($order)?] $abort);
            $(
                $crate::__rseq_check! { @factors [$($arg)*] }
                $crate::__rseq_check! { @step $name [$($word)+] $($word)+ [$($arg)*] [$(DeclaredExits::$to)?] }
            )+
            $crate::section::check::end($name);
        }
    };
    (@begin [] $abort:tt) => { $crate::__rseq_check!(@begin Plain $abort) };
    (@begin [$order:tt] $abort:tt) => { $crate::__rseq_check!(@begin Ordered $abort) };
    (@begin $order:ident restart) => {
        $crate::section::check::begin::<$crate::section::check::Restarts<$crate::section::check::$order>>()
    };
    (@begin $order:ident restart_unbounded) => {
        $crate::section::check::begin::<$crate::section::check::RestartsUnbounded<$crate::section::check::$order>>()
    };
    (@begin $order:ident $exit:tt) => {{
        let _ = DeclaredExits::$exit;
        $crate::section::check::begin::<$crate::section::check::Leaves<$crate::section::check::$order>>()
    }};
    // Steps that write their first operand, and do not read it.
    (@step $s:tt [$w:tt] load_index [$r:tt] []) => {
        let $s = $s.$w();
        $crate::__rseq_check! { @write $r index }
    };
    (@step $s:tt [$w:tt] mov [$r:tt, $x:tt] []) => { $crate::__rseq_check! { @load $s $w $r $x } };
    (@step $s:tt [$w:tt] load [$r:tt, $m:tt] []) => { $crate::__rseq_check! { @load $s $w $r $m } };
    (@step $s:tt [$w:tt] load_acquire [$r:tt, $m:tt] []) => { $crate::__rseq_check! { @load $s $w $r $m } };
    (@step $s:tt [$w:tt] load_u8 [$r:tt, $m:tt] []) => { $crate::__rseq_check! { @load $s $w $r $m } };
    (@step $s:tt [$w:tt] load_u16 [$r:tt, $m:tt] []) => { $crate::__rseq_check! { @load $s $w $r $m } };
    (@step $s:tt [$w:tt] load_u32 [$r:tt, $m:tt] []) => { $crate::__rseq_check! { @load $s $w $r $m } };
    (@step $s:tt [$w:tt] load_u64 [$r:tt, $m:tt] []) => { $crate::__rseq_check! { @load $s $w $r $m } };
    (@step $s:tt [$v:tt $w:tt] repeatable copy [$d:tt, $f:tt, $n:tt, $r:tt] []) => {
        // The counter begins as 0, so it is not one of the other operands.
        #[allow(unused_variables, reason = "it is set below")]
        let $r: $crate::section::check::ScratchRegister;
        let $s = $s.$v();
        let $s = $s.$w($d, $f, $n);
        $crate::__rseq_check! { @write $r written }
        $crate::section::check::scratch($r);
    };
    // Steps that read their first operand and write it.
    (@step $s:tt [$w:tt] shl [$r:tt, $x:literal] []) => {
        const _: u8 = $crate::section::check::bits($x);
        $crate::__rseq_check! { @change $s $w $r $x }
    };
    (@step $s:tt [$w:tt] shr [$r:tt, $x:literal] []) => {
        const _: u8 = $crate::section::check::bits($x);
        $crate::__rseq_check! { @change $s $w $r $x }
    };
    (@step $s:tt [$w:tt] scale [$r:tt, $x:tt] []) => {
        let _ = DeclaredStrides::$x;
        $crate::__rseq_check! { @change $s $w $r $x }
    };
    // Those of `arithmetic.rs`, and, with an address for the register, a store.
    (@step $s:tt [$w:tt] $same:tt [$r:tt, $x:tt] []) => { $crate::__rseq_check! { @two $r $s $w $r $x } };
    // Steps that write nothing, and all else: what is not a step, or has other operands than it takes, fails because
    // there is no such method, or because the method takes other arguments.
    (@step $s:tt [$w:tt] $same:tt [$($arg:expr),* $(,)?] [$($else:expr)?]) => {
        let $s = $s.$w($($arg,)* $($else)?);
    };
    (@step $s:tt [$v:tt $w:tt] $mark:tt $same:tt [$($arg:expr),* $(,)?] [$($else:expr)?]) => {
        let $s = $s.$v();
        let $s = $s.$w($($arg,)* $($else)?);
    };
    (@step $s:tt [$($w:tt)+] $($rest:tt)*) => {
        compile_error!(
            concat!("not a step of a critical section: `", $(stringify!($w), " ",)+ "`, with these operands")
        );
    };
    (@load $s:tt $w:tt $r:tt $x:tt) => {
        let $s = $s.$w($x);
        $crate::__rseq_check! { @write $r written }
    };
    (@two [$($m:tt)*] $s:tt $w:tt $address:tt $x:tt) => { let $s = $s.$w($address, $x); };
    (@two $register:tt $s:tt $w:tt $r:tt $x:tt) => { $crate::__rseq_check! { @change $s $w $r $x } };
    // The method takes no register that a step may not write.
    (@change $s:tt $w:tt $r:tt $x:tt) => {
        let $s = $s.$w($r, $x);
        let $r = $crate::section::check::written();
    };
    // The check of its type is unreachable, so it may read the register.
    (@write $r:tt $value:ident) => {
        if false {
            loop {}
            $crate::section::check::scratch($r);
        }
        $crate::__rseq_check! { @declared $r }
        let $r = $crate::section::check::$value();
    };
    (@declared $r:ident) => { let _ = DeclaredScratch::$r; };
    (@declared $other:tt) => {};
    (@factors [$($arg:tt),*]) => { $($crate::__rseq_check! { @factor $arg })* };
    (@factors $($other:tt)*) => {};
    (@factor [$a:tt + $b:tt * 1]) => {};
    (@factor [$a:tt + $b:tt * 2]) => {};
    (@factor [$a:tt + $b:tt * 4]) => {};
    (@factor [$a:tt + $b:tt * 8]) => {};
    (@factor [$a:tt + $b:tt * $k:tt]) => { $crate::section::check::factor($k); };
    (@factor $other:tt) => {};
}
