//! The architectures without a guest: armv7 has lost KVM (Linux 5.7), and no machine at hand runs it on the others.

use crate::ktap::{Unmet, Verdict};
use crate::kvm::abi::Run;
use crate::kvm::vcpu::{Layout, Machine};
use crate::skip;
use crate::sys::file::File;

pub const LAYOUT: Layout = Layout { address: 0, size: 0, align: 1, entry: 0 };

/// No program.
pub fn code() -> &'static [u8] {
    &[]
}

pub fn prepare_vm(_: &File) -> Result<(), Unmet> {
    Err(skip!("no guest program for this architecture"))
}

pub fn prepare_vcpu(_: &mut Machine) -> Verdict {
    Err(skip!("no guest program for this architecture"))
}

pub fn is_its_exit(_: &Run) -> bool {
    false
}
