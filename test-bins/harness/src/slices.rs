//! The kernel's statistics and setting of time slice extensions: debugfs `rseq/stats` and `rseq/slice_ext_nsec`.

use linux_raw_sys::general::{O_RDONLY, O_WRONLY};
use rseq_core::sys::Errno;

use crate::sys::filesystem::Filesystem;
use crate::text::Text;

/// The longest extension that the kernel accepts, in nanoseconds.
pub const LONGEST: u32 = 50_000;

/// The length of extensions on this machine, restored when dropped.
pub struct Length {
    debugfs: Filesystem,
    before: u32,
}

impl Length {
    /// The setting.
    ///
    /// # Errors
    ///
    /// ENOENT where the kernel has none, EPERM without privilege, ENODEV without debugfs.
    pub fn open() -> Result<Self, Errno> {
        let debugfs = Filesystem::of_type(c"debugfs")?;
        let before = read_length(&debugfs)?;
        Ok(Self { debugfs, before })
    }

    /// What it was before.
    pub fn before(&self) -> u32 {
        self.before
    }

    /// What it is, in nanoseconds.
    pub fn get(&self) -> Result<u32, Errno> {
        read_length(&self.debugfs)
    }

    /// Sets it, for every process of this machine: 5,000 to 50,000 nanoseconds, else ERANGE.
    pub fn set(&self, nanoseconds: u32) -> Result<(), Errno> {
        let text = Text::<16>::of(format_args!("{nanoseconds}"));
        self.debugfs.open(c"rseq/slice_ext_nsec", O_WRONLY)?.write(text.as_bytes())
    }
}

impl Drop for Length {
    fn drop(&mut self) {
        if self.set(self.before).is_err() {
            crate::note!("rseq/slice_ext_nsec could not be put back to {}", self.before);
        }
    }
}

fn read_length(debugfs: &Filesystem) -> Result<u32, Errno> {
    let mut text = [0; 16];
    let digits = debugfs.open(c"rseq/slice_ext_nsec", O_RDONLY)?.read(&mut text)?;
    number(digits).and_then(|number| u32::try_from(number).ok()).ok_or(Errno::EINVAL)
}

/// How often each thing happened on this machine since it booted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Extensions granted.
    pub granted: u64,
    /// Extensions whose time ran out.
    pub expired: u64,
    /// Grants that ended by being scheduled away.
    pub revoked: u64,
    /// Grants given back by `rseq_slice_yield`.
    pub yielded: u64,
    /// Grants given up by another system call.
    pub aborted: u64,
}

impl Counts {
    /// The kernel's counts.
    ///
    /// # Errors
    ///
    /// ENOENT where the kernel keeps none (`CONFIG_RSEQ_STATS`), EPERM without privilege, ENODEV without debugfs,
    /// EINVAL where a line is missing.
    pub fn read() -> Result<Self, Errno> {
        let mut text = [0; 1024];
        let text = Filesystem::of_type(c"debugfs")?.open(c"rseq/stats", O_RDONLY)?.read(&mut text)?;
        let of = |name: &[u8]| line(text, name).ok_or(Errno::EINVAL);
        Ok(Self {
            granted: of(b"sgrant:")?,
            expired: of(b"sexpir:")?,
            revoked: of(b"srevok:")?,
            yielded: of(b"syield:")?,
            aborted: of(b"sabort:")?,
        })
    }

    /// What happened since `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            granted: self.granted.saturating_sub(before.granted),
            expired: self.expired.saturating_sub(before.expired),
            revoked: self.revoked.saturating_sub(before.revoked),
            yielded: self.yielded.saturating_sub(before.yielded),
            aborted: self.aborted.saturating_sub(before.aborted),
        }
    }
}

impl core::fmt::Display for Counts {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { granted, expired, revoked, yielded, aborted } = self;
        write!(f, "{granted} granted, {expired} expired, {revoked} revoked, {yielded} yielded, {aborted} aborted")
    }
}

/// The number in the line that begins with `name`.
fn line(text: &[u8], name: &[u8]) -> Option<u64> {
    text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(name)).and_then(number)
}

fn number(text: &[u8]) -> Option<u64> {
    core::str::from_utf8(text).ok()?.trim_ascii().parse().ok()
}
