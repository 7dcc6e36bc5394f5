#![no_std]
#![doc = include_str!("../README.md")]
// MIPS alone has no stable inline assembly: it needs a nightly compiler.
#![cfg_attr(
    any(target_arch = "mips", target_arch = "mips64", target_arch = "mips64r6"),
    feature(asm_experimental_arch)
)]

extern crate self as rseq_core;

pub mod abi;
pub mod arch;
pub mod percpu;
pub mod section;
pub mod sys;

mod area;
mod auxv;
mod facts;
mod index;
mod kernel;
mod libc_area;
mod registration;
mod self_test;
mod slice;
mod token;

pub use area::{Area, OwnArea, ThreadArea};
pub use index::{ByCpu, ByMmCid, CpuId, Index, MmCid};
pub use kernel::KernelRseq;
pub use libc_area::Owner;
pub use registration::{Fallback, Mode, Options, RegisterError, Registration, ReleaseError};
pub use section::{Aborted, Committed, CompareFailed, Order, OutOfRange, Refused, Relaxed, Release, Stopped};
pub use self_test::{SelfTestError, self_test};
pub use slice::{SliceGuard, SliceOutcome};
pub use token::{Token, prepare_unload};
