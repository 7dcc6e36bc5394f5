//! x86, 32 and 64 bits: a vCPU after reset is in real mode, 16 bytes below 4 GiB. The program stands just there.

use super::program;
use crate::ktap::{OrFail, Unmet, Verdict};
use crate::kvm::abi::{EXIT_IO, IO_OUT, Io, Run, SET_TSS_ADDR};
use crate::kvm::ioctl::ioctl;
use crate::kvm::vcpu::{Layout, Machine};
use crate::sys::file::File;

const SIZE: usize = 64 << 10;
/// The port that firmware writes its progress to.
const PORT: u16 = 0x80;

pub const LAYOUT: Layout = Layout { address: (1 << 32) - SIZE as u64, size: SIZE, align: 4096, entry: SIZE - 16 };

program! {
    ".code16",
    "2: out {port}, al",
    "jmp 2b",
    ".code{bits}",
    port = const PORT,
    bits = const usize::BITS,
}

/// Intel CPUs without unrestricted guests want three pages for real mode: the ones below the firmware, as everywhere.
pub fn prepare_vm(vm: &File) -> Result<(), Unmet> {
    // SAFETY: the argument is an address of the guest, where it has no memory.
    unsafe { ioctl(vm, SET_TSS_ADDR, 0xfffb_d000) }.or_fail("KVM_SET_TSS_ADDR").map(|_| ())
}

/// The state after reset is the one that the program wants.
pub fn prepare_vcpu(_: &mut Machine) -> Verdict {
    Ok(())
}

pub fn is_its_exit(state: &Run) -> bool {
    // SAFETY: all of the union is integers.
    let io = unsafe { state.exit.io };
    state.exit_reason == EXIT_IO && io == Io { direction: IO_OUT, size: 1, port: PORT, count: 1 }
}
