//! Which arguments of `rseq(2)` to try, one after the other.

use super::error::RegisterError;
use super::options::{Fallback, Mode, Options};
use crate::abi::{self, Rseq};
use crate::kernel::KernelRseq;
use core::ptr::NonNull;

/// The arguments of one call, and what they lack of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub len: u32,
    pub flags: u32,
    pub fallback: Option<Fallback>,
}

/// What to register.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    first: Attempt,
}

impl Request {
    /// The request for an area of `size` bytes at `area`: 32 bytes if the area is too small or not sufficiently aligned
    /// for more.
    ///
    /// # Errors
    ///
    /// [`RegisterError::TooSmall`] and [`RegisterError::Misaligned`], for an area that every kernel refuses.
    pub fn new(options: Options, kernel: KernelRseq, area: NonNull<Rseq>, size: usize) -> Result<Self, RegisterError> {
        let is_aligned = |align: u32| area.addr().get().is_multiple_of(align as usize);
        if size < abi::ORIGINAL_SIZE as usize {
            return Err(RegisterError::TooSmall(size));
        }
        if !is_aligned(abi::ORIGINAL_ALIGN) {
            return Err(RegisterError::Misaligned(abi::ORIGINAL_ALIGN));
        }
        let (wanted, align) = match options.mode {
            Mode::Legacy => (abi::ORIGINAL_SIZE, abi::ORIGINAL_ALIGN),
            Mode::Extended => (kernel.registration_len(), kernel.registration_align()),
        };
        let fallback = match wanted {
            wanted if size < wanted as usize => Some(Fallback::TooSmall { wanted, size }),
            _ if !is_aligned(align) => Some(Fallback::Misaligned(align)),
            _ => None,
        };
        let len = if fallback.is_some() { abi::ORIGINAL_SIZE } else { wanted };
        Ok(Self { first: Attempt { len, flags: options.flags, fallback } })
    }

    /// The attempts, each for a kernel that called the previous one invalid: with the flags, without them, and with the
    /// 32 bytes that every kernel accepts from a thread that is not registered.
    pub fn attempts(self) -> impl Iterator<Item = Attempt> {
        let first = self.first;
        let bare = (first.flags != 0).then(|| Attempt {
            flags: 0,
            fallback: first.fallback.or(Some(Fallback::SliceFlagRefused)),
            ..first
        });
        let short = (first.len != abi::ORIGINAL_SIZE).then_some(Attempt {
            len: abi::ORIGINAL_SIZE,
            flags: 0,
            fallback: Some(Fallback::LengthRefused(first.len)),
        });
        [Some(first), bare, short].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec;
    use std::vec::Vec;

    /// The attempts with an area of `size` bytes at `address`, on a kernel with this feature size and alignment.
    fn attempts(
        options: Options,
        kernel: (usize, usize),
        address: usize,
        size: usize,
    ) -> Result<Vec<(u32, u32, Option<Fallback>)>, RegisterError> {
        // SAFETY: nothing is registered with these facts.
        let kernel = unsafe { KernelRseq::from_auxv(Some(kernel.0), Some(kernel.1)) };
        let area = NonNull::new(address as *mut Rseq).unwrap();
        let request = Request::new(options, kernel, area, size)?;
        Ok(request.attempts().map(|attempt| (attempt.len, attempt.flags, attempt.fallback)).collect())
    }

    #[test]
    fn what_fits_is_asked_for_and_then_the_original_32_bytes() {
        let extended = Options::new(Mode::Extended);
        assert_eq!(attempts(extended, (28, 32), 4096, 64), Ok(vec![(32, 0, None)]));
        let refused = Some(Fallback::LengthRefused(33));
        assert_eq!(attempts(extended, (33, 64), 4096, 64), Ok(vec![(33, 0, None), (32, 0, refused)]));
        assert_eq!(attempts(Options::new(Mode::Legacy), (33, 64), 4096, 64), Ok(vec![(32, 0, None)]));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let extended = Options::new(Mode::Extended);
        let small = Some(Fallback::TooSmall { wanted: 100, size: 64 });
        assert_eq!(attempts(extended, (100, 128), 4096, 64), Ok(vec![(32, 0, small)]));
        assert_eq!(attempts(extended, (33, 64), 4096 + 32, 64), Ok(vec![(32, 0, Some(Fallback::Misaligned(64)))]));
        assert_eq!(attempts(extended, (33, 64), 4096, 31), Err(RegisterError::TooSmall(31)));
        assert_eq!(attempts(extended, (33, 64), 4096 + 16, 64), Err(RegisterError::Misaligned(32)));
    }

    #[test]
    fn a_flag_that_the_kernel_does_not_know_is_left_out_and_told() {
        let options = Options::new(Mode::Extended).slice_extension();
        let refused = Some(Fallback::SliceFlagRefused);
        assert_eq!(attempts(options, (28, 32), 4096, 64), Ok(vec![(32, 2, None), (32, 0, refused)]));
        let short = Some(Fallback::LengthRefused(33));
        let all = vec![(33, 2, None), (33, 0, refused), (32, 0, short)];
        assert_eq!(attempts(options, (33, 64), 4096, 64), Ok(all));
    }
}
