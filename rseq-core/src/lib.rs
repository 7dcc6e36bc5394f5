#![no_std]
// The first definition of a link counts: rustdoc takes those of links.md, and other readers of the files their own.
#![doc = include_str!("../docs/links.md")]
#![doc = include_str!("../README.md")]
// MIPS alone has no stable inline assembly: it needs a nightly compiler.
#![cfg_attr(
    all(not(rseq_stub), any(target_arch = "mips", target_arch = "mips64", target_arch = "mips64r6")),
    feature(asm_experimental_arch)
)]
// Sections do not use their exits and inputs there.
#![cfg_attr(rseq_stub, allow(unused_imports, unused_variables))]

extern crate self as rseq_core;

pub mod abi;
pub mod arch;
pub mod linker;
// For documentation and its examples only.
#[cfg(any(doc, doctest))]
pub mod manual;
pub mod ops;
pub mod percpu;
pub mod section;
pub mod sys;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(test)]
#[path = "../tests/affinity/mod.rs"]
mod affinity;
mod ambient;
mod area;
mod auxv;
mod cause;
mod facts;
mod index;
mod kernel;
mod libc_area;
mod registration;
mod self_test;
#[cfg(test)]
#[path = "../tests/skipped/mod.rs"]
mod skipped;
mod slice;
mod status;
mod token;

pub use ambient::{Ambient, ensure_registered};
pub use area::{Area, OwnArea, ThreadArea};
pub use cause::Cause;
pub use index::{ByCpu, ByMmCid, Index};
pub use kernel::KernelRseq;
pub use libc_area::Owner;
pub use registration::{Fallback, Mode, Options, RegisterError, Registration, ReleaseError};
pub use section::{Aborted, Committed, CompareFailed, Order, OutOfRange, Relaxed, Release};
pub use self_test::{SelfTestError, self_test};
pub use slice::{SliceGuard, SliceOutcome};
pub use status::{Status, status};
pub use token::{Token, prepare_unload};
