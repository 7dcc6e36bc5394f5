//! The standard operations, in two families: in [`librseq`] the caller picks the CPU and handles the abort; in
//! [`this_cpu`] the operations load the index and restart themselves.

/// Makes the error of a family from the exits of its operations.
macro_rules! family_error {
    ($error:ident: $($exit:ident),+) => {
        $(impl From<$exit> for $error {
            #[inline]
            fn from(_: $exit) -> Self {
                Self::$exit
            }
        })+

        impl core::fmt::Display for $error {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self {
                    $(Self::$exit => $exit.fmt(f),)+
                }
            }
        }

        impl core::error::Error for $error {}
    };
}

pub mod librseq;
pub mod this_cpu;
