//! From steps to the texts of an architecture's primitives. i686 alone has its own way, for want of registers.

/// The text of a step. `__rseq_text!` gets a register as the text that stands for it, memory as `[a]` or `[a, b]` of
/// such texts, and a name instead where it may want the register's 32-bit name.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_step {
    ($index:literal (check_index $x:ident $exit:ident)) => { $crate::__rseq_text!(check_index $index, $x, $exit) };
    ($index:literal (load_index $r:ident)) => { $crate::__rseq_text!(load_index $crate::__rseq_operand!($r), $index) };
    ($index:literal (cbz $r:ident $exit:ident)) => { $crate::__rseq_text!(cbz $crate::__rseq_operand!($r), $exit) };
    ($index:literal (load $r:ident [$a:ident $(+ $b:ident)?])) => {
        $crate::__rseq_text!(
            load $crate::__rseq_operand!($r), [$crate::__rseq_operand!($a) $(, $crate::__rseq_operand!($b))?]
        )
    };
    ($index:literal (copy [$d:ident] [$s:ident] $n:ident $i:ident)) => {
        concat!(
            $crate::__rseq_text!(clear $i), "\n",
            $crate::__rseq_text!(
                copy $crate::__rseq_operand!($d), $crate::__rseq_operand!($s), $crate::__rseq_operand!($n),
                $crate::__rseq_operand!($i)
            )
        )
    };
    ($index:literal (delay $d:ident $k:literal)) => { $crate::__rseq_text!(delay $crate::__rseq_operand!($d), $k) };
    ($index:literal (commit_store $m:tt $x:ident)) => { $crate::__rseq_step!($index (store $m $x)) };
    ($index:literal (commit_increment [$a:ident $(+ $b:ident)?])) => {
        $crate::__rseq_text!(commit_increment [$crate::__rseq_operand!($a) $(, $crate::__rseq_operand!($b))?])
    };
    // `scale`, `add`
    ($index:literal ($change:ident $r:ident $x:ident)) => {
        $crate::__rseq_text!($change $crate::__rseq_operand!($r), $crate::__rseq_operand!($x))
    };
    // `store`, `commit_release`, `commit_add`
    ($index:literal ($store:ident [$a:ident $(+ $b:ident)?] $x:ident)) => {
        $crate::__rseq_text!(
            $store [$crate::__rseq_operand!($a) $(, $crate::__rseq_operand!($b))?], $crate::__rseq_operand!($x)
        )
    };
    // `cbae`, `cbne`, `cbeq`
    ($index:literal ($compare:ident $r:ident $x:ident $exit:ident)) => {
        $crate::__rseq_text!($compare $crate::__rseq_operand!($r), $crate::__rseq_operand!($x), $exit)
    };
    // `cbne`, `cbeq`
    ($index:literal ($compare:ident [$a:ident $(+ $b:ident)?] $x:ident $exit:ident)) => {
        $crate::__rseq_text!(
            $compare [$crate::__rseq_operand!($a) $(, $crate::__rseq_operand!($b))?], $crate::__rseq_operand!($x), $exit
        )
    };
}

/// `cbne` and `cbeq` of a word in memory where only registers can be compared: through one of the architecture's own.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_compare_loaded {
    ($t:literal, $compare:ident $m:tt, $x:expr, $exit:ident) => {
        concat!($crate::__rseq_text!(load $t, $m), "\n", $crate::__rseq_text!($compare $t, $x, $exit))
    };
}

/// `commit_add` and `commit_increment` where only registers can be added to: by an instruction on one of the architecture's own.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_load_add_store {
    ($t:literal, $m:tt, $add:expr) => {
        concat!($crate::__rseq_text!(load $t, $m), "\n", $add, "\n", $crate::__rseq_text!(store $m, $t))
    };
}
