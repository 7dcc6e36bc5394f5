//! arm64: a vCPU that was initialised has 0 in its program counter, and its MMU is off (`KVM_ARM_VCPU_INIT` in the
//! kernel's Documentation/virt/kvm/api.rst).

use super::program;
use crate::ktap::{OrFail, Unmet, Verdict};
use crate::kvm::abi::{ARM_PREFERRED_TARGET, ARM_VCPU_INIT, ArmVcpuInit, EXIT_MMIO, Run};
use crate::kvm::ioctl::ioctl;
use crate::kvm::vcpu::{Layout, Machine};
use crate::sys::file::File;

/// No memory there.
const DEVICE: u32 = 0x1000_0000;

/// As large as the largest page.
pub const LAYOUT: Layout = Layout { address: 0, size: 64 << 10, align: 64 << 10, entry: 0 };

program! {
    "movz x1, #{high}, lsl #16",
    "2: str wzr, [x1]",
    "b 2b",
    high = const DEVICE >> 16,
}

/// The vCPU alone needs preparation.
pub fn prepare_vm(_: &File) -> Result<(), Unmet> {
    Ok(())
}

/// The kind of CPU that the host prefers, without optional features.
pub fn prepare_vcpu(machine: &mut Machine) -> Verdict {
    let mut init = ArmVcpuInit { target: 0, features: [0; 7] };
    let argument = &raw mut init as usize;
    // SAFETY: the kernel fills the struct in.
    unsafe { ioctl(machine.vm(), ARM_PREFERRED_TARGET, argument) }.or_fail("KVM_ARM_PREFERRED_TARGET")?;
    init.features = [0; 7];
    // SAFETY: the kernel reads the struct.
    unsafe { ioctl(machine.vcpu(), ARM_VCPU_INIT, &raw const init as usize) }.or_fail("KVM_ARM_VCPU_INIT")?;
    Ok(())
}

pub fn is_its_exit(state: &Run) -> bool {
    // SAFETY: all of the union is integers.
    let mmio = unsafe { state.exit.mmio };
    state.exit_reason == EXIT_MMIO && mmio.is_write == 1 && mmio.address == DEVICE.into() && mmio.length == 4
}
