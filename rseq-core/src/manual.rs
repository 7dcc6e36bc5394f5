// See `lib.rs` for links.md.
#![doc = include_str!("../docs/links.md")]
#![doc = include_str!("../docs/manual/index.md")]

macro_rules! chapters {
    ($($chapter:ident)+) => {
        $(
            #[doc = include_str!("../docs/links.md")]
            #[doc = include_str!(concat!("../docs/manual/", stringify!($chapter), ".md"))]
            pub mod $chapter {}
        )+
    };
}

chapters! { sequences abi owners other_cpus writing debugging hosts pitfalls }
