//! The guest: a loop of one instruction that the kernel hands to user space, and a branch back to it.
//!
//! With so little to do between two exits, even a hypervisor that emulates each instruction gets through more KVM_RUNs
//! than there are migrations. An architecture supplies
//!
//! * `LAYOUT`, where its memory is, and `code()`, what stands at its entry;
//! * `prepare_vm`, `prepare_vcpu`: what else a machine needs before it runs;
//! * `is_its_exit`, whether the vCPU came back because of that instruction.

#[cfg_attr(any(target_arch = "x86_64", target_arch = "x86"), path = "x86.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "riscv64", path = "riscv64.rs")]
#[cfg_attr(all(target_arch = "powerpc64", target_endian = "little"), path = "powerpc64le.rs")]
#[cfg_attr(target_arch = "s390x", path = "s390x.rs")]
#[cfg_attr(
    not(any(
        target_arch = "x86_64",
        target_arch = "x86",
        target_arch = "aarch64",
        target_arch = "riscv64",
        all(target_arch = "powerpc64", target_endian = "little"),
        target_arch = "s390x",
    )),
    path = "none.rs"
)]
mod arch;

pub(super) use arch::{LAYOUT, code, is_its_exit, prepare_vcpu, prepare_vm};

/// Assembles a guest's program into read-only data and defines `code()`, its bytes.
#[allow(unused_macros, reason = "an architecture without a guest has no program")]
macro_rules! program {
    ($($line:literal),+ $(, $name:ident = const $value:expr)* $(,)?) => {
        core::arch::global_asm!(
            ".pushsection .rodata.test_bins_kvm_guest,\"a\",@progbits",
            ".balign 8",
            ".globl __test_bins_kvm_guest, __test_bins_kvm_guest_end",
            ".hidden __test_bins_kvm_guest, __test_bins_kvm_guest_end",
            "__test_bins_kvm_guest:",
            $($line,)+
            "__test_bins_kvm_guest_end:",
            ".popsection",
            $($name = const $value,)*
        );

        /// The program.
        pub fn code() -> &'static [u8] {
            unsafe extern "C" {
                #[link_name = "__test_bins_kvm_guest"]
                static START: u8;
                #[link_name = "__test_bins_kvm_guest_end"]
                static END: u8;
            }
            let (start, end) = (&raw const START, &raw const END);
            // SAFETY: both symbols are ends of the same piece of read-only data, above.
            unsafe { core::slice::from_raw_parts(start, end as usize - start as usize) }
        }
    };
}
#[allow(unused_imports)]
use program;
