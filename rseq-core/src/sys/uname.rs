//! The kernel's release.

use super::syscall;
use linux_raw_sys::general::__NR_uname;
use linux_raw_sys::system::new_utsname;

/// `uname()` - None where a filter refuses it.
fn uname() -> Option<new_utsname> {
    let mut name = core::mem::MaybeUninit::<new_utsname>::zeroed();
    // SAFETY: the kernel writes one `new_utsname`, whose fields are bytes.
    unsafe { syscall(__NR_uname, [name.as_mut_ptr() as usize, 0, 0, 0, 0, 0]) }.ok()?;
    // SAFETY: all bytes were zeroed, and any bytes are valid in its arrays.
    Some(unsafe { name.assume_init() })
}

/// The version and the patch level of the running kernel, such as 6 and 12; None if the kernel, or a sandbox, does not
/// provide such numbers.
pub(crate) fn kernel_version() -> Option<(u32, u32)> {
    let release = uname()?.release;
    let mut numbers = release.split(|&byte| !(byte as u8).is_ascii_digit()).map(number);
    Some((numbers.next()??, numbers.next()??))
}

/// Whether a 32-bit arm program runs on a 64-bit kernel, which names the machine aarch64, or armv8l where the program
/// asked for the personality of 32 bits. A 32-bit kernel says armv7l.
pub(crate) fn is_arm64_kernel() -> bool {
    let is_named = |name: &[core::ffi::c_char], start: &[u8]| {
        name.iter().zip(start).all(|(&letter, &wanted)| letter as u8 == wanted) && name.len() >= start.len()
    };
    uname().is_some_and(|name| is_named(&name.machine, b"aarch64") || is_named(&name.machine, b"armv8"))
}

fn number(digits: &[core::ffi::c_char]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u32, |number, &digit| number.checked_mul(10)?.checked_add((digit as u8 - b'0').into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_kernel_has_a_version() {
        assert!(kernel_version().is_some_and(|version| version >= (3, 0)), "{:?}", kernel_version());
    }

    #[test]
    #[cfg(not(miri))]
    fn the_machine_is_this_one() {
        assert_eq!(is_arm64_kernel(), cfg!(target_arch = "aarch64"));
    }

    #[test]
    fn numbers_are_decimal() {
        let digits = |text: &[u8]| number(&std::vec::Vec::from_iter(text.iter().map(|&byte| byte as _)));
        assert_eq!(digits(b"612"), Some(612));
        assert_eq!((digits(b""), digits(b"99999999999")), (None, None));
    }

    extern crate std;
}
