//! powerpc64le (Book3S): 64-bit real mode, and a hypercall that the kernel does not know.

use super::program;
use crate::ktap::{OrFail, Unmet, Verdict};
use crate::kvm::abi::{CAP_PPC_PAPR, ENABLE_CAP, EXIT_PAPR_HCALL, EnableCap, PowerpcRegs, Run, SET_REGS_POWERPC};
use crate::kvm::ioctl::ioctl;
use crate::kvm::vcpu::{Layout, Machine};
use crate::sys::file::File;

/// Beyond those of the platform (`MAX_HCALL_OPCODE`) and below those of KVM (0xf000), of which the kernel knows some.
const HYPERCALL: u16 = 0x7ffc;
/// MSR: 64-bit (SF), machine checks (ME), little-endian (LE).
const MSR: u64 = 1 << 63 | 1 << 12 | 1;

/// As large as the largest page; interrupt vectors are below the entry.
pub const LAYOUT: Layout = Layout { address: 0, size: 64 << 10, align: 64 << 10, entry: 0x4000 };

// The hypercall's result comes back in the register of its number.
program! {
    "2: li 3, {number}",
    "sc 1",
    "b 2b",
    number = const HYPERCALL,
}

/// The vCPU alone needs preparation.
pub fn prepare_vm(_: &File) -> Result<(), Unmet> {
    Ok(())
}

/// Turns hypercalls on, without which KVM on Book3S does not run a vCPU, and sets the program counter.
pub fn prepare_vcpu(machine: &mut Machine) -> Verdict {
    let papr = EnableCap { cap: CAP_PPC_PAPR, flags: 0, args: [0; 4], pad: [0; 64] };
    // SAFETY: the kernel reads the struct.
    unsafe { ioctl(machine.vcpu(), ENABLE_CAP, &raw const papr as usize) }.or_fail("KVM_CAP_PPC_PAPR")?;
    let registers = PowerpcRegs {
        pc: LAYOUT.address + LAYOUT.entry as u64,
        cr_ctr_lr_xer: [0; 4],
        msr: MSR,
        special: [0; 11],
        gpr: [0; 32],
    };
    // SAFETY: the kernel reads the struct.
    unsafe { ioctl(machine.vcpu(), SET_REGS_POWERPC, &raw const registers as usize) }.or_fail("KVM_SET_REGS")?;
    Ok(())
}

pub fn is_its_exit(state: &Run) -> bool {
    // SAFETY: all of the union is integers.
    let call = unsafe { state.exit.papr_hcall };
    state.exit_reason == EXIT_PAPR_HCALL && call.number == HYPERCALL.into()
}
