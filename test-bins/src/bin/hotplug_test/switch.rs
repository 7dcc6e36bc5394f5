//! One CPU's switch, `/sys/devices/system/cpu/cpuN/online`.

use core::ffi::CStr;

use linux_raw_sys::general::{AT_FDCWD, O_WRONLY};
use rseq_core::sys::Errno;
use test_bins::ktap::{OrFail, Unmet};
use test_bins::sys::cpu;
use test_bins::sys::file::File;
use test_bins::text::Text;
use test_bins::{note, skip};

/// Whether a CPU may be taken offline.
#[derive(Clone, Copy)]
pub enum Unplugging {
    /// Nobody said so.
    NotAsked,
    /// By who runs the whole machine.
    Allowed,
    /// The machine would hang.
    Hangs,
}

/// A CPU that can be taken offline; it is online again when this is dropped.
pub struct Switch {
    /// Its number.
    pub cpu: u32,
    file: File,
}

impl Switch {
    /// The last CPU that has a switch and obeys it; a skip with the reason where there is none, or where it may not be used.
    pub fn open(unplugging: Unplugging) -> Result<Self, Unmet> {
        match unplugging {
            Unplugging::NotAsked => return Err(skip!("takes a CPU from the whole machine: --hotplug allows it")),
            Unplugging::Hangs => return Err(skip!("under this emulator a CPU may not come back")),
            Unplugging::Allowed => {}
        }
        let allowed = cpu::affinity(0).or_fail("sched_getaffinity")?;
        if allowed.count() < 2 {
            return Err(skip!("only one CPU"));
        }
        let mut reason = Errno::ENOENT;
        let mut last = allowed.iter().last();
        while let Some(cpu) = last {
            match Self::of(cpu).and_then(|switch| switch.set(false).map(|()| switch)) {
                Ok(switch) => return switch.set(true).or_fail("bringing a CPU online").map(|()| switch),
                Err(errno) => reason = errno,
            }
            last = allowed.iter().take_while(|before| *before < cpu).last();
        }
        Err(skip!("no CPU can be taken offline: {reason}"))
    }

    fn of(cpu: u32) -> Result<Self, Errno> {
        let path = Text::<80>::of(format_args!("/sys/devices/system/cpu/cpu{cpu}/online\0"));
        let path = CStr::from_bytes_with_nul(path.as_bytes()).map_err(|_| Errno::EINVAL)?;
        Ok(Self { cpu, file: File::open_at(AT_FDCWD, path, O_WRONLY)? })
    }

    /// Takes the CPU offline, or brings it online; done when it returns.
    pub fn set(&self, online: bool) -> Result<(), Errno> {
        self.file.write(if online { b"1" } else { b"0" })
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        if let Err(errno) = self.set(true) {
            note!("CPU {} stays offline: {errno}", self.cpu);
        }
    }
}
