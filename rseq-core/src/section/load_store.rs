//! The steps of sections where only loads and stores touch memory: from steps to an architecture's primitives.
//!
//! `rseq_u` is a register for a value. `__rseq_primitive!(t)` is the text of one for an address; once the address has
//! been used, it serves for a literal.

#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_text {
    (far $label:expr) => { $crate::__rseq_primitive!(far $label) };
    (near $label:expr) => { $crate::__rseq_primitive!(near $label) };
    ($o:ident $f:tt check_index ($x:ident) $e:ident) => {
        $crate::__rseq_primitive!(check_index $f, $x, concat!("8{", stringify!($e), "}b"))
    };
    ($o:ident $f:tt load_index ($r:ident)) => {
        $crate::__rseq_primitive!(load_index concat!("{", stringify!($r), "}"), $f)
    };
    ($o:ident $f:tt scale ($r:ident, $k:ident)) => {
        $crate::__rseq_primitive!(shl concat!("{", stringify!($r), "}"), concat!("{", stringify!($k), "}"))
    };
    ($o:ident $f:tt cbz ($r:ident) $e:ident) => {
        $crate::__rseq_primitive!(cbz concat!("{", stringify!($r), "}"), concat!("8{", stringify!($e), "}b"))
    };
    // `bound`, `cbne`, `cbeq`
    ($o:ident $f:tt $compare:ident ($r:ident, $x:ident) $e:ident) => {
        $crate::__rseq_primitive!(
            $compare concat!("{", stringify!($r), "}"), concat!("{", stringify!($x), "}"),
            concat!("8{", stringify!($e), "}b")
        )
    };
    ($o:ident $f:tt $compare:ident ($r:ident, $k:literal) $e:ident) => {
        concat!(
            $crate::__rseq_primitive!(literal $crate::__rseq_primitive!(t), $k), "\n",
            $crate::__rseq_primitive!(
                $compare concat!("{", stringify!($r), "}"), $crate::__rseq_primitive!(t),
                concat!("8{", stringify!($e), "}b")
            )
        )
    };
    ($o:ident $f:tt $compare:ident ($m:tt, $x:tt) $e:ident) => {
        concat!(
            $crate::__rseq_primitive!(reach $m), $crate::__rseq_primitive!(load rseq_u, $m), "\n",
            $crate::__rseq_text!($o $f $compare (rseq_u, $x) $e)
        )
    };
    ($o:ident $f:tt repeatable copy ([$d:ident], [$s:ident], $n:ident, $i:ident)) => {
        $crate::__rseq_primitive!(
            copy concat!("{", stringify!($d), "}"), concat!("{", stringify!($s), "}"),
            concat!("{", stringify!($n), "}"), concat!("{", stringify!($i), "}")
        )
    };
    ($o:ident $f:tt delay ($d:ident, $k:literal)) => {
        $crate::__rseq_primitive!(delay concat!("{", stringify!($d), "}"), $k)
    };
    (relaxed $f:tt commit add ($m:tt, $x:tt)) => {
        concat!(
            $crate::__rseq_primitive!(reach $m), $crate::__rseq_primitive!(load rseq_u, $m), "\n",
            $crate::__rseq_primitive!(add_to_value $x), "\n",
            $crate::__rseq_primitive!(store $m, rseq_u)
        )
    };
    (release $f:tt commit add ($m:tt, $x:tt)) => {
        concat!(
            $crate::__rseq_primitive!(reach $m), $crate::__rseq_primitive!(load rseq_u, $m), "\n",
            $crate::__rseq_primitive!(add_to_value $x), "\n",
            $crate::__rseq_primitive!(store_release $m, rseq_u)
        )
    };
    (release $f:tt commit store ($m:tt, $x:ident)) => {
        concat!($crate::__rseq_primitive!(reach $m), $crate::__rseq_primitive!(store_release $m, $x))
    };
    // The other stores; `store_u64` is one of a word.
    ($o:ident $f:tt $mark:ident store_u64 ($m:tt, $x:tt)) => { $crate::__rseq_text!($o $f $mark store ($m, $x)) };
    ($o:ident $f:tt $mark:ident $store:ident ($m:tt, $x:ident)) => {
        concat!($crate::__rseq_primitive!(reach $m), $crate::__rseq_primitive!($store $m, $x))
    };
    ($o:ident $f:tt $mark:ident $store:ident ($m:tt, $k:literal)) => {
        concat!(
            $crate::__rseq_primitive!(literal "{rseq_u}", $k), "\n",
            $crate::__rseq_text!($o $f $mark $store ($m, rseq_u))
        )
    };
    ($o:ident $f:tt load_u64 ($r:ident, $m:tt)) => { $crate::__rseq_text!($o $f load ($r, $m)) };
    // Loads: `load`, `load_acquire`, `load_u8`, `load_u16`, `load_u32`.
    ($o:ident $f:tt $load:ident ($r:ident, [$($m:tt)+])) => {
        concat!($crate::__rseq_primitive!(reach [$($m)+]), $crate::__rseq_primitive!($load $r, [$($m)+]))
    };
    ($o:ident $f:tt mov ($r:ident, $k:literal)) => {
        $crate::__rseq_primitive!(literal concat!("{", stringify!($r), "}"), $k)
    };
    ($o:ident $f:tt shl ($r:ident, $k:literal)) => {
        $crate::__rseq_primitive!(shl concat!("{", stringify!($r), "}"), concat!($k))
    };
    ($o:ident $f:tt shr ($r:ident, $k:literal)) => {
        $crate::__rseq_primitive!(shr concat!("{", stringify!($r), "}"), concat!($k))
    };
    // `mov`, and the steps of `arithmetic.rs`
    ($o:ident $f:tt $change:ident ($r:ident, $x:ident)) => {
        $crate::__rseq_primitive!($change concat!("{", stringify!($r), "}"), concat!("{", stringify!($x), "}"))
    };
    ($o:ident $f:tt $change:ident ($r:ident, $k:literal)) => {
        concat!(
            $crate::__rseq_primitive!(literal $crate::__rseq_primitive!(t), $k), "\n",
            $crate::__rseq_primitive!($change concat!("{", stringify!($r), "}"), $crate::__rseq_primitive!(t))
        )
    };
    ($($unknown:tt)*) => { ".error \"a step that this architecture has no text for\"" };
}
