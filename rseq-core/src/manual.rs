// See `lib.rs` for links.md.
#![doc = include_str!("../docs/links.md")]
#![doc = include_str!("../docs/manual/index.md")]

macro_rules! chapters {
    ($folder:literal: $($chapter:ident)+) => {
        $(
            #[doc = include_str!("../docs/links.md")]
            #[doc = include_str!(concat!($folder, stringify!($chapter), ".md"))]
            pub mod $chapter {}
        )+
    };
}

chapters! { "../docs/manual/": sequences questions writing owners other_cpus debugging hosts pitfalls abi }

chapters! { "../docs/": verification kernels }

// Its plots are addresses that hold the data: rustdoc copies no files.
#[doc = include_str!("../docs/performance/plots.md")]
#[doc = include_str!("../docs/performance.md")]
pub mod performance {}
