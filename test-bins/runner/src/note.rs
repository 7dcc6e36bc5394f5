//! Words for people, beside what a command prints.

/// Prints a line on stderr, if somebody reads there.
macro_rules! note {
    ($($words:tt)*) => {
        drop(::std::io::Write::write_fmt(&mut ::std::io::stderr(), format_args!("{}\n", format_args!($($words)*))))
    };
}
