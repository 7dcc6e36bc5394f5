//! The kernel's release.

use super::syscall;
use linux_raw_sys::general::__NR_uname;
use linux_raw_sys::system::new_utsname;

/// `uname()` - the version and the patch level of the running kernel, such as 6 and 12; None where the kernel, or a
/// sandbox, gives no such numbers.
pub(crate) fn kernel_version() -> Option<(u32, u32)> {
    let mut name = core::mem::MaybeUninit::<new_utsname>::zeroed();
    // SAFETY: the kernel writes one `new_utsname`, whose fields are bytes.
    unsafe { syscall(__NR_uname, [name.as_mut_ptr() as usize, 0, 0, 0, 0, 0]) }.ok()?;
    // SAFETY: all bytes were zeroed, and any bytes are valid in its arrays.
    let release = unsafe { name.assume_init() }.release;
    let mut numbers = release.split(|&byte| !(byte as u8).is_ascii_digit()).map(number);
    Some((numbers.next()??, numbers.next()??))
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
    fn numbers_are_decimal() {
        let digits = |text: &[u8]| number(&std::vec::Vec::from_iter(text.iter().map(|&byte| byte as _)));
        assert_eq!(digits(b"612"), Some(612));
        assert_eq!((digits(b""), digits(b"99999999999")), (None, None));
    }

    extern crate std;
}
