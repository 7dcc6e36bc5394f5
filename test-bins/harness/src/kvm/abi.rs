//! KVM's interface, as far as it is used here: linux/kvm.h, and asm/kvm.h of the architecture where it says so.

use core::mem::offset_of;

use super::ioctl::{Direction, kvm};

/// The one version there is of the interface.
pub const API_VERSION: usize = 12;

/// `KVM_GET_API_VERSION`
pub const GET_API_VERSION: u32 = kvm(Direction::None, 0x00, 0);
/// `KVM_CREATE_VM`: a descriptor.
pub const CREATE_VM: u32 = kvm(Direction::None, 0x01, 0);
/// `KVM_GET_VCPU_MMAP_SIZE`: the bytes of a vCPU's [`Run`] and what follows it.
pub const GET_VCPU_MMAP_SIZE: u32 = kvm(Direction::None, 0x04, 0);
/// `KVM_CREATE_VCPU`: a descriptor.
pub const CREATE_VCPU: u32 = kvm(Direction::None, 0x41, 0);
/// `KVM_SET_USER_MEMORY_REGION`, with a [`MemoryRegion`].
pub const SET_USER_MEMORY_REGION: u32 = kvm(Direction::Write, 0x46, size_of::<MemoryRegion>());
/// `KVM_SET_TSS_ADDR`, with a guest-physical address (x86).
pub const SET_TSS_ADDR: u32 = kvm(Direction::None, 0x47, 0);
/// `KVM_RUN`
pub const RUN: u32 = kvm(Direction::None, 0x80, 0);
/// `KVM_SET_REGS`, with a [`PowerpcRegs`].
pub const SET_REGS_POWERPC: u32 = kvm(Direction::Write, 0x82, size_of::<PowerpcRegs>());
/// `KVM_ENABLE_CAP`, with an [`EnableCap`].
pub const ENABLE_CAP: u32 = kvm(Direction::Write, 0xa3, size_of::<EnableCap>());
/// `KVM_SET_ONE_REG`, with a [`OneReg`].
pub const SET_ONE_REG: u32 = kvm(Direction::Write, 0xac, size_of::<OneReg>());
/// `KVM_ARM_VCPU_INIT`, with an [`ArmVcpuInit`].
pub const ARM_VCPU_INIT: u32 = kvm(Direction::Write, 0xae, size_of::<ArmVcpuInit>());
/// `KVM_ARM_PREFERRED_TARGET`, with an [`ArmVcpuInit`].
pub const ARM_PREFERRED_TARGET: u32 = kvm(Direction::Read, 0xaf, size_of::<ArmVcpuInit>());

/// `KVM_CAP_PPC_PAPR`
pub const CAP_PPC_PAPR: u32 = 68;

/// `KVM_EXIT_IO`: an access to an I/O port.
pub const EXIT_IO: u32 = 2;
/// `KVM_EXIT_MMIO`: an access to a physical address without memory.
pub const EXIT_MMIO: u32 = 6;
/// `KVM_EXIT_S390_SIEIC`: an instruction that the kernel leaves to user space.
pub const EXIT_S390_SIEIC: u32 = 13;
/// `KVM_EXIT_PAPR_HCALL`: a hypercall that the kernel leaves to user space.
pub const EXIT_PAPR_HCALL: u32 = 19;

/// `KVM_EXIT_IO_OUT`
pub const IO_OUT: u8 = 1;

/// `struct kvm_userspace_memory_region`
#[repr(C)]
pub struct MemoryRegion {
    /// The number of the region.
    pub slot: u32,
    /// None.
    pub flags: u32,
    /// Where the guest sees it.
    pub guest_address: u64,
    /// In bytes.
    pub size: u64,
    /// Where it is in this process.
    pub address: u64,
}

/// `struct kvm_enable_cap`
#[repr(C)]
pub struct EnableCap {
    /// The capability.
    pub cap: u32,
    /// None.
    pub flags: u32,
    /// The capability's own.
    pub args: [u64; 4],
    /// 0.
    pub pad: [u8; 64],
}

/// `struct kvm_one_reg`
#[repr(C)]
pub struct OneReg {
    /// Architecture, size and number of the register.
    pub id: u64,
    /// Where its value is.
    pub address: u64,
}

/// `struct kvm_vcpu_init` (arm64's asm/kvm.h)
#[repr(C)]
pub struct ArmVcpuInit {
    /// The kind of CPU.
    pub target: u32,
    /// Its optional features, a bit each.
    pub features: [u32; 7],
}

/// `struct kvm_regs` (powerpc's asm/kvm.h)
#[repr(C)]
pub struct PowerpcRegs {
    /// The program counter.
    pub pc: u64,
    /// cr, ctr, lr, xer.
    pub cr_ctr_lr_xer: [u64; 4],
    /// The machine state.
    pub msr: u64,
    /// srr0, srr1, pid, sprg0 to sprg7.
    pub special: [u64; 11],
    /// r0 to r31.
    pub gpr: [u64; 32],
}

/// The beginning of `struct kvm_run`.
#[repr(C)]
pub struct Run {
    /// request_interrupt_window, immediate_exit, padding.
    pub requests: [u8; 8],
    /// One of the `EXIT_` constants.
    pub exit_reason: u32,
    /// ready_for_interrupt_injection, if_flag, flags.
    pub state: [u8; 4],
    /// cr8, apic_base.
    pub x86: [u64; 2],
    /// The mask half of the guest's program status word (`__KVM_S390`).
    #[cfg(target_arch = "s390x")]
    pub psw_mask: u64,
    /// The address half of the guest's program status word.
    #[cfg(target_arch = "s390x")]
    pub psw_addr: u64,
    /// What there is to know about the exit.
    pub exit: Exit,
}

/// The union in `struct kvm_run`: `exit_reason` says which.
#[repr(C)]
#[derive(Clone, Copy)]
pub union Exit {
    /// Of [`EXIT_IO`].
    pub io: Io,
    /// Of [`EXIT_MMIO`].
    pub mmio: Mmio,
    /// Of [`EXIT_S390_SIEIC`].
    pub s390_sieic: Sieic,
    /// Of [`EXIT_PAPR_HCALL`].
    pub papr_hcall: PaprHcall,
}

/// An access to an I/O port.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Io {
    /// In or out.
    pub direction: u8,
    /// In bytes.
    pub size: u8,
    /// The port.
    pub port: u16,
    /// How many times.
    pub count: u32,
}

/// An access to a physical address without memory.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Mmio {
    /// The address.
    pub address: u64,
    /// What is written.
    pub data: [u8; 8],
    /// In bytes.
    pub length: u32,
    /// 1 for a store.
    pub is_write: u8,
}

/// An intercepted instruction.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sieic {
    /// Why.
    pub code: u8,
    /// Its first two bytes.
    pub ipa: u16,
    /// The rest, from the top.
    pub ipb: u32,
}

/// A hypercall.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PaprHcall {
    /// Which one.
    pub number: u64,
    /// What it returns, for user space to fill in.
    pub result: u64,
    /// r4 to r12.
    pub args: [u64; 9],
}

const _: () = assert!(size_of::<MemoryRegion>() == 32);
const _: () = assert!(size_of::<EnableCap>() == 104 && offset_of!(EnableCap, args) == 8);
const _: () = assert!(size_of::<OneReg>() == 16);
const _: () = assert!(size_of::<ArmVcpuInit>() == 32);
const _: () = assert!(size_of::<PowerpcRegs>() == 49 * 8 && offset_of!(PowerpcRegs, msr) == 5 * 8);
const _: () = assert!(offset_of!(PowerpcRegs, gpr) == 17 * 8);
const _: () = assert!(offset_of!(Run, exit_reason) == 8 && offset_of!(Run, x86) == 16);
const _: () = assert!(offset_of!(Run, exit) == if cfg!(target_arch = "s390x") { 48 } else { 32 });
const _: () = assert!(size_of::<Io>() == 8 && offset_of!(Io, port) == 2);
const _: () = assert!(offset_of!(Mmio, length) == 16 && offset_of!(Mmio, is_write) == 20);
const _: () = assert!(size_of::<Sieic>() == 8 && offset_of!(Sieic, ipa) == 2);
const _: () = assert!(size_of::<PaprHcall>() == 88);
