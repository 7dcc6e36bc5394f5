//! s390x: a program status word, and a DIAGNOSE that the kernel does not know.
//!
//! From the kernel's headers alone: QEMU emulates no machine that has KVM, so this guest has been assembled but never
//! run.

use super::program;
use crate::ktap::{Unmet, Verdict};
use crate::kvm::abi::{EXIT_S390_SIEIC, Run};
use crate::kvm::vcpu::{Layout, Machine};
use crate::sys::file::File;

/// Of DIAGNOSE: just above KVM's own, 0x500.
const FUNCTION: u16 = 0x501;
/// `ICPT_INST` of the kernel's arch/s390/include/asm/kvm_host.h.
const INSTRUCTION: u8 = 4;
/// The opcode, and registers 0 and 0.
const DIAGNOSE: u16 = 0x8300;
/// 64-bit addresses.
const MASK: u64 = 0x1_8000_0000;

/// Segments are 1 MiB; the first two pages are the CPU's prefix area.
pub const LAYOUT: Layout = Layout { address: 0, size: 1 << 20, align: 1 << 20, entry: 0x4000 };

program! {
    "2: diag %r0, %r0, {function}",
    "j 2b",
    function = const FUNCTION,
}

/// The vCPU alone needs preparation.
pub fn prepare_vm(_: &File) -> Result<(), Unmet> {
    Ok(())
}

/// Sets the program status word, which each KVM_RUN takes from the vCPU's state.
pub fn prepare_vcpu(machine: &mut Machine) -> Verdict {
    let state = machine.state();
    state.psw_mask = MASK;
    state.psw_addr = LAYOUT.address + LAYOUT.entry as u64;
    Ok(())
}

pub fn is_its_exit(state: &Run) -> bool {
    // SAFETY: all of the union is integers.
    let sieic = unsafe { state.exit.s390_sieic };
    let expected = (INSTRUCTION, DIAGNOSE, u32::from(FUNCTION) << 16);
    state.exit_reason == EXIT_S390_SIEIC && (sieic.code, sieic.ipa, sieic.ipb) == expected
}
