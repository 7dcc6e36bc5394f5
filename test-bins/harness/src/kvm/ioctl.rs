//! Numbers of ioctls, and the call.

use linux_raw_sys::general::__NR_ioctl;
use rseq_core::sys::Errno;

use crate::sys::call;
use crate::sys::file::File;

/// Which way the argument goes: the top bits of the number.
#[derive(Clone, Copy)]
pub enum Direction {
    /// The argument is a number, or there is none.
    None,
    /// User space writes, the kernel reads.
    Write,
    /// The kernel writes, user space reads.
    Read,
}

/// Three bits for the direction and 13 for the size, each direction its own bit (powerpc's and mips's asm/ioctl.h).
const ONE_BIT_EACH: bool = cfg!(any(target_arch = "powerpc64", target_arch = "mips64", target_arch = "mips64r6"));

/// The number of KVM's ioctl `nr` with an argument of `size` bytes (asm-generic/ioctl.h; KVMIO of linux/kvm.h).
pub const fn kvm(direction: Direction, nr: u32, size: usize) -> u32 {
    const KVMIO: u32 = 0xae;
    let direction = match (direction, ONE_BIT_EACH) {
        (Direction::None, true) => 1 << 29,
        (Direction::Read, true) => 2 << 29,
        (Direction::Write, true) => 4 << 29,
        (Direction::None, false) => 0,
        (Direction::Write, false) => 1 << 30,
        (Direction::Read, false) => 2 << 30,
    };
    assert!(size < 1 << 13);
    direction | (size as u32) << 16 | KVMIO << 8 | nr
}

/// `ioctl(file, request, argument)`
///
/// # Errors
///
/// The kernel's.
///
/// # Safety
///
/// The argument is what the request wants: a number, or the address of memory that the kernel may read or write.
pub unsafe fn ioctl(file: &File, request: u32, argument: usize) -> Result<usize, Errno> {
    // SAFETY: the caller answers for the argument.
    unsafe { call(__NR_ioctl, [file.descriptor() as usize, request as usize, argument]) }
}
