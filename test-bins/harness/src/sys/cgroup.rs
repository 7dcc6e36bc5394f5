//! Control groups of the cpu controller, version 2 or 1, for single threads.
//!
//! Groups of version 2 are made threaded, so that each thread can be in one of its own. Source: the kernel's
//! `Documentation/admin-guide/cgroup-v2.rst` and `Documentation/scheduler/sched-bwc.rst`.

use core::ffi::CStr;

use linux_raw_sys::general as raw;
use rseq_core::sys::Errno;

use super::call;
use super::file::File;
use super::filesystem::Filesystem;
use super::time::{self, Deadline, MILLISECOND, SECOND};
use crate::text::Text;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// The hierarchy that has the cpu controller, opened without a mount point.
pub struct Hierarchy {
    filesystem: Filesystem,
    version: Version,
    /// Whether the root did not hand the controller to its groups before.
    enabled: bool,
}

impl Hierarchy {
    /// The hierarchy of version 2, or where that lacks the controller, of version 1.
    ///
    /// With version 2, the process is in the root group from now on: its threads can only be in groups below its own.
    ///
    /// # Errors
    ///
    /// ENODEV without control groups, EPERM without CAP_SYS_ADMIN, EBUSY where version 1 has the controller beside
    /// others, and what the kernel answers where the controller is switched off.
    pub fn of_cpu() -> Result<Self, Errno> {
        let second = Filesystem::of_type(c"cgroup2")?;
        if !lists_cpu(second.root(), c"cgroup.controllers")? {
            let filesystem = Filesystem::with_option(c"cgroup", Some(c"cpu"))?;
            return Ok(Self { filesystem, version: Version::One, enabled: false });
        }
        let enabled = !lists_cpu(second.root(), CONTROL)?;
        write(second.root(), CONTROL, b"+cpu")?;
        write(second.root(), c"cgroup.procs", b"0")?;
        Ok(Self { filesystem: second, version: Version::Two, enabled })
    }

    /// 1 or 2.
    pub fn version(&self) -> u32 {
        if self.version == Version::One { 1 } else { 2 }
    }

    /// The group `name` below the root, made if it is not there.
    pub fn group(&self, name: &CStr) -> Result<Group, Errno> {
        Group::make(self.filesystem.root(), name, self.version)
    }

    /// Removes the group `name`, and in it groups as [`Group::numbered`] makes them, up to the first missing number.
    pub fn remove(&self, name: &CStr) -> Result<(), Errno> {
        remove(self.filesystem.root(), name)
    }
}

impl Drop for Hierarchy {
    fn drop(&mut self) {
        if self.enabled && write(self.filesystem.root(), CONTROL, b"-cpu").is_err() {
            crate::note!("the root group could not be put back");
        }
    }
}

/// A group, which stays when this is dropped.
pub struct Group {
    directory: File,
    version: Version,
}

impl Group {
    fn make(parent: &File, name: &CStr, version: Version) -> Result<Self, Errno> {
        // SAFETY: the name is a NUL-terminated string that lives across the call.
        let made = unsafe { call(raw::__NR_mkdirat, [parent.descriptor() as usize, name.as_ptr() as usize, 0o755]) };
        made.map(drop).or_else(|errno| if errno == Errno::EEXIST { Ok(()) } else { Err(errno) })?;
        let directory = open(parent, name)?;
        if version == Version::Two {
            write(&directory, c"cgroup.type", b"threaded")?;
        }
        Ok(Self { directory, version })
    }

    /// The group of this number below this one, made if it is not there, with the controller.
    pub fn numbered(&self, number: u32) -> Result<Self, Errno> {
        if self.version == Version::Two {
            write(&self.directory, CONTROL, b"+cpu")?;
        }
        Self::make(&self.directory, Name::of(number).as_c_str(), self.version)
    }

    /// Puts the calling thread into the group.
    pub fn enter(&self) -> Result<(), Errno> {
        let list = if self.version == Version::One { c"tasks" } else { c"cgroup.threads" };
        write(&self.directory, list, b"0")
    }

    /// Lets the group's threads run for `quota` microseconds of each `period`, all together.
    pub fn limit(&self, quota: u32, period: u32) -> Result<(), Errno> {
        if self.version == Version::Two {
            return write(&self.directory, c"cpu.max", Text::<32>::of(format_args!("{quota} {period}")).as_bytes());
        }
        write(&self.directory, c"cpu.cfs_period_us", Text::<16>::of(format_args!("{period}")).as_bytes())?;
        write(&self.directory, c"cpu.cfs_quota_us", Text::<16>::of(format_args!("{quota}")).as_bytes())
    }

    /// Lifts the limit.
    pub fn unlimited(&self) -> Result<(), Errno> {
        match self.version {
            Version::One => write(&self.directory, c"cpu.cfs_quota_us", b"-1"),
            Version::Two => write(&self.directory, c"cpu.max", b"max"),
        }
    }

    /// In how many periods the group's threads were throttled.
    ///
    /// # Errors
    ///
    /// The file's; EINVAL where the kernel does not count them.
    pub fn throttled(&self) -> Result<u64, Errno> {
        let mut text = [0; 1024];
        let text = File::open_at(self.directory.descriptor(), c"cpu.stat", raw::O_RDONLY)?.read(&mut text)?;
        let text = core::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
        let count = text.lines().find_map(|line| line.strip_prefix("nr_throttled "));
        count.and_then(|count| count.trim_ascii().parse().ok()).ok_or(Errno::EINVAL)
    }
}

/// Which controllers the groups below a group have.
const CONTROL: &CStr = c"cgroup.subtree_control";

/// A number as a directory's name.
struct Name(Text<16>);

impl Name {
    fn of(number: u32) -> Self {
        Self(Text::of(format_args!("{number}\0")))
    }

    fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_with_nul(self.0.as_bytes()).unwrap_or(c"0")
    }
}

fn open(parent: &File, name: &CStr) -> Result<File, Errno> {
    File::open_at(parent.descriptor(), name, raw::O_PATH | raw::O_DIRECTORY)
}

fn write(directory: &File, name: &CStr, text: &[u8]) -> Result<(), Errno> {
    File::open_at(directory.descriptor(), name, raw::O_WRONLY)?.write(text)
}

fn lists_cpu(directory: &File, name: &CStr) -> Result<bool, Errno> {
    let mut text = [0; 256];
    let text = File::open_at(directory.descriptor(), name, raw::O_RDONLY)?.read(&mut text)?;
    Ok(text.split(u8::is_ascii_whitespace).any(|word| word == b"cpu"))
}

fn remove(parent: &File, name: &CStr) -> Result<(), Errno> {
    let directory = open(parent, name)?;
    (0..).take_while(|number| remove(&directory, Name::of(*number).as_c_str()).is_ok()).for_each(drop);
    let deadline = Deadline::after(15 * SECOND);
    loop {
        let args = [parent.descriptor() as usize, name.as_ptr() as usize, raw::AT_REMOVEDIR as usize];
        // SAFETY: the name is a NUL-terminated string that lives across the call.
        match unsafe { call(raw::__NR_unlinkat, args) } {
            // Threads that have just ended still count.
            Err(Errno::EBUSY) if !deadline.is_past() => time::sleep(MILLISECOND),
            other => return other.map(drop),
        }
    }
}
