//! The arithmetic steps: each takes a register and a value, and writes the register.

/// Passes a row for each to a macro, after what else it is given. `add(r, x) = ...` is the step's name, which each
/// architecture's primitive has too, and the register's new value; the text says the same in the documentation.
#[doc(hidden)]
#[macro_export]
macro_rules! __rseq_arithmetic {
    ([$($macro:tt)+] $($given:tt)*) => {
        $($macro)+! {
            $($given)*
            add(r, x) = r.wrapping_add(x), "`r` += `x`";
            sub(r, x) = r.wrapping_sub(x), "`r` -= `x`";
            and(r, x) = r & x, "`r` &= `x`";
            or(r, x) = r | x, "`r` \\|= `x`";
        }
    };
}
