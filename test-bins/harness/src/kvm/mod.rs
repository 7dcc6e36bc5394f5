//! A virtual machine whose only vCPU leaves for user space in a loop, and a thread that moves the vCPU's thread about.
//!
//! | module | for |
//! |---|---|
//! | [`abi`], [`ioctl`] | the part of the kernel's interface that is used, and its numbers |
//! | [`guest`] | the program of the guest, an architecture a file |
//! | [`vcpu`] | a machine that runs it |
//! | [`migration`], [`trial`] | the vCPU's thread on the move, and what its cpu_id said after each `KVM_RUN` |
//!
//! Neither `linux-raw-sys` nor `kvm-bindings` has these definitions for all architectures here: the former leaves KVM
//! out, the latter has no 32-bit x86 and no powerpc.

pub mod abi;
pub mod guest;
pub mod ioctl;
pub mod migration;
pub mod trial;
pub mod vcpu;
