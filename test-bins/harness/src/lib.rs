#![no_std]
//! What the static tests share: KTAP results, options, system calls, load, and the kernel's own count of aborts.
//!
//! | module | for |
//! |---|---|
//! | [`ktap`] | results, totals and exit codes |
//! | [`tests!`], [`group!`] | tests as a table |
//! | [`program`] | the frame around a test's `main` |
//! | [`args`], [`options`], [`text`] | options and text without an allocator |
//! | [`registration`], [`index`], [`slots`] | the runtime's registration, the ways to choose a slot, the slots |
//! | [`linked`] | this program's sections as the linker lists them |
//! | [`delayed`] | sections with a delay inside, and their unarmed controls |
//! | [`self_signal`] | one thread under its own timer signal |
//! | [`load`] | threads under timer signals and forced migration |
//! | [`percpu_ops`] | spinlock, list and counter under load |
//! | [`exact`] | counts that must add up |
//! | [`forced`] | aborts forced at every instruction of sections |
//! | [`trial`] | delayed counters under load: what was added, what is there, what was aborted |
//! | [`abort_count`] | the aborts that the kernel counted |
//! | [`reexec`] | starting again with another registration |
//! | [`kvm`] | a virtual machine whose vCPU's thread is moved about |
//! | [`slices`] | the kernel's counts of time slice extensions, and their length |
//! | [`debug`] | the kernel's own checks of rseq users, on and off |
//! | [`generation`] | how this kernel treats short and long registrations |
//! | [`vdso`] | functions of the vDSO |
//! | [`host`] | what a container, a limit or a tracer keeps from the tests |
//! | [`sys`] | system calls, CPUs |

// Assembly for MIPS is unstable Rust.
#![cfg_attr(any(target_arch = "mips64", target_arch = "mips64r6"), feature(asm_experimental_arch))]

pub mod abort_count;
pub mod args;
pub mod debug;
pub mod delayed;
pub mod each_cpu;
pub mod exact;
pub mod forced;
pub mod generation;
pub mod host;
pub mod index;
pub mod ktap;
pub mod kvm;
pub mod linked;
pub mod load;
pub mod options;
pub mod percpu_ops;
pub mod program;
pub mod reexec;
pub mod registration;
pub mod second_thread;
pub mod self_signal;
pub mod slices;
pub mod slots;
pub mod sys;
mod table;
pub mod trial;
pub mod vdso;
pub mod verdict;

pub use protocol::text;
#[doc(hidden)]
pub use rseq_rt::println as __println;
