//! riscv64: supervisor mode without paging, from the program counter that is set.

use super::program;
use crate::ktap::{OrFail, Unmet, Verdict};
use crate::kvm::abi::{EXIT_MMIO, OneReg, Run, SET_ONE_REG};
use crate::kvm::ioctl::ioctl;
use crate::kvm::vcpu::{Layout, Machine};
use crate::sys::file::File;

/// No memory there.
const DEVICE: u32 = 0x1000_0000;
/// `KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_CORE` with the index of `regs.pc` (linux/kvm.h, riscv's
/// asm/kvm.h).
const PC: u64 = 0x8000_0000_0000_0000 | 0x0030_0000_0000_0000 | 0x02 << 24;

pub const LAYOUT: Layout = Layout { address: 0x8000_0000, size: 64 << 10, align: 4096, entry: 0 };

program! {
    "lui t0, {high}",
    "2: sw zero, 0(t0)",
    "j 2b",
    high = const DEVICE >> 12,
}

/// The vCPU alone needs preparation.
pub fn prepare_vm(_: &File) -> Result<(), Unmet> {
    Ok(())
}

/// Sets the program counter.
pub fn prepare_vcpu(machine: &mut Machine) -> Verdict {
    let entry = LAYOUT.address + LAYOUT.entry as u64;
    let register = OneReg { id: PC, address: &raw const entry as u64 };
    // SAFETY: the kernel reads the struct and, where it says, eight bytes.
    unsafe { ioctl(machine.vcpu(), SET_ONE_REG, &raw const register as usize) }.or_fail("KVM_SET_ONE_REG")?;
    Ok(())
}

pub fn is_its_exit(state: &Run) -> bool {
    // SAFETY: all of the union is integers.
    let mmio = unsafe { state.exit.mmio };
    state.exit_reason == EXIT_MMIO && mmio.is_write == 1 && mmio.address == DEVICE.into() && mmio.length == 4
}
