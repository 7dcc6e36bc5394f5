//! The kernel's own count of aborted sections: the tracepoint `rseq:rseq_ip_fixup`, read through perf_event_open.

use core::fmt;

use rseq_core::sys::Errno;

use crate::sys::file::File;
use crate::sys::filesystem::Filesystem;
use crate::sys::perf::Counter;
use crate::sys::time::SECOND;

/// Counts the aborts of this thread and of the threads and children that it starts later.
pub struct AbortCount(Result<Counter, Absence>);

/// Why there is no count.
#[derive(Clone, Copy)]
pub enum Absence {
    /// tracefs cannot be opened: no privilege, or not built into the kernel.
    Tracefs(Errno),
    /// The kernel has tracefs but not this tracepoint.
    Tracepoint(Errno),
    /// perf_event_open refuses.
    Perf(Errno),
    /// The counter cannot be read.
    Read(Errno),
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tracefs(errno) => write!(f, "no tracefs: {errno}"),
            Self::Tracepoint(errno) => write!(f, "no tracepoint rseq:rseq_ip_fixup: {errno}"),
            Self::Perf(errno) => write!(f, "no perf_event_open: {errno}"),
            Self::Read(errno) => write!(f, "unreadable counter: {errno}"),
        }
    }
}

/// How long sections that report their aborts wait for the kernel to count one: riscv64 7.2 once counted hardly any for
/// two minutes.
const COUNTING: u64 = 3 * SECOND;

impl AbortCount {
    /// Starts counting, if the kernel permits it.
    pub fn start() -> Self {
        Self(tracepoint().and_then(|id| Counter::start(id).map_err(Absence::Perf)))
    }

    /// The aborts so far, or why there is no count.
    pub fn aborts(&self) -> Result<u64, Absence> {
        match &self.0 {
            Ok(counter) => counter.read().map_err(Absence::Read),
            Err(absence) => Err(*absence),
        }
    }

    /// Whether there is no reason to wait any longer, after a load of this many nanoseconds with aborts: the kernel has
    /// counted one, does not count, or has had enough time.
    pub fn has_counted(&self, nanoseconds: u64) -> bool {
        self.aborts().map_or(true, |count| count > 0 || nanoseconds >= COUNTING)
    }

    /// Prints the count as a diagnostic line.
    pub fn report(&self) {
        match self.aborts() {
            Ok(aborts) => crate::note!("aborts by the kernel's count: {aborts}"),
            Err(absence) => crate::note!("aborts by the kernel's count: unknown ({absence})"),
        }
    }
}

fn tracepoint() -> Result<u64, Absence> {
    const ID: &core::ffi::CStr = c"events/rseq/rseq_ip_fixup/id";
    const MOUNTED: &core::ffi::CStr = c"/sys/kernel/tracing/events/rseq/rseq_ip_fixup/id";
    let file = match File::open(MOUNTED) {
        Ok(file) => file,
        Err(_) => {
            let tracefs = Filesystem::of_type(c"tracefs").map_err(Absence::Tracefs)?;
            tracefs.open(ID, 0).map_err(Absence::Tracepoint)?
        }
    };
    let mut text = [0; 24];
    let digits = file.read(&mut text).map_err(Absence::Tracepoint)?;
    let digits = core::str::from_utf8(digits).unwrap_or("").trim_ascii();
    digits.parse().map_err(|_| Absence::Tracepoint(Errno::EINVAL))
}
