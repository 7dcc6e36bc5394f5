//! Whether this kernel has oopsed since it booted.

use linux_raw_sys::general::O_RDONLY;

use crate::sys::filesystem::Filesystem;

/// `TAINT_DIE` of `/proc/sys/kernel/tainted` (Documentation/admin-guide/tainted-kernels.rst).
const DIED: u64 = 1 << 7;

/// Whether it has; `false` if that cannot be known.
pub fn has_oopsed() -> bool {
    let mut text = [0; 24];
    let proc = Filesystem::of_type(c"proc").and_then(|proc| proc.open(c"sys/kernel/tainted", O_RDONLY));
    let read = proc.and_then(|file| file.read(&mut text).map(<[u8]>::len)).unwrap_or(0);
    let digits = core::str::from_utf8(&text[..read]).unwrap_or_default();
    digits.trim_ascii().parse::<u64>().is_ok_and(|flags| flags & DIED != 0)
}
