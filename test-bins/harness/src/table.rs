//! Tests as a table, which determines the plan, `--list` and `--only`.

/// Runs a table of tests and returns the exit code of the whole.
///
/// A row is one of
///
/// * `"name" => verdict`, one test;
/// * `group "name" { rows }`, a group of them, with one result;
/// * `suite => expression`, a function that reports one result to the suite that it gets;
/// * `suite * count => expression`, a function that reports `count` results, a `u32`.
///
/// Verdicts are evaluated when their turn comes.
///
/// ```ignore
/// tests! {
///     "the area is registered" => registered(token),
///     group "under load" {
///         "by cpu_id" => load::<ByCpu>(token),
///         "by mm_cid" => load::<ByMmCid>(token),
///     },
///     suite => slow_tests(suite, "on every CPU"),
///     suite * CALLS.len() as u32 => calls(suite),
/// }
/// ```
#[macro_export]
macro_rules! tests {
    (@count) => { 0u32 };
    (@count group $name:literal { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        1u32 + $crate::tests!(@count $($($rest)*)?)
    };
    (@count $name:literal => $test:expr $(, $($rest:tt)*)?) => { 1u32 + $crate::tests!(@count $($($rest)*)?) };
    (@count $suite:ident => $run:expr $(, $($rest:tt)*)?) => { 1u32 + $crate::tests!(@count $($($rest)*)?) };
    (@count $suite:ident * $many:expr => $run:expr $(, $($rest:tt)*)?) => {
        ($many) + $crate::tests!(@count $($($rest)*)?)
    };

    (@run $to:ident;) => {};
    (@run $to:ident; group $name:literal { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $crate::group!($to, $name, { $($inner)* });
        $crate::tests!(@run $to; $($($rest)*)?)
    };
    (@run $to:ident; $name:literal => $test:expr $(, $($rest:tt)*)?) => {
        $to.test($name, &mut || $test);
        $crate::tests!(@run $to; $($($rest)*)?)
    };
    (@run $to:ident; $suite:ident $(* $many:expr)? => $run:expr $(, $($rest:tt)*)?) => {
        {
            let $suite = $to.by_ref();
            $run;
        }
        $crate::tests!(@run $to; $($($rest)*)?)
    };

    ($($table:tt)*) => {{
        let mut suite = $crate::ktap::Suite::new($crate::tests!(@count $($table)*));
        $crate::tests!(@run suite; $($table)*);
        suite.finish()
    }};
}

/// The value of a `Result<T, Unmet>` that the whole suite needs. Without it, the program's body returns: a skip, or a
/// failure.
#[macro_export]
macro_rules! require {
    ($needed:expr) => {
        match $needed {
            Ok(value) => value,
            Err(unmet) => return $crate::ktap::Suite::cannot_start(unmet),
        }
    };
}

/// Runs a table as a group of a suite: the worst of its results is the group's.
#[macro_export]
macro_rules! group {
    ($to:expr, $name:expr, { $($table:tt)* }) => {
        $to.group($name, $crate::tests!(@count $($table)*), &mut |inner: &mut $crate::ktap::Suite| {
            $crate::tests!(@run inner; $($table)*);
        })
    };
}
