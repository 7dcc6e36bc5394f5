//! One CPU's switch, `/sys/devices/system/cpu/cpuN/online`.

use core::ffi::CStr;

use harness::ktap::{OrFail, Unmet};
use harness::options::PATIENCE;
use harness::sys::cpu;
use harness::sys::file::File;
use harness::sys::time::{self, Deadline, MILLISECOND};
use harness::text::Text;
use harness::{fail, note, skip};
use linux_raw_sys::general::{AT_FDCWD, O_WRONLY};
use rseq_core::sys::Errno;

/// Whether a CPU may be taken offline.
#[derive(Clone, Copy)]
pub enum Unplugging {
    /// The switch was not used.
    NotAsked,
    /// By who runs the whole machine.
    Allowed,
    /// The machine would hang.
    Hangs,
}

/// The error for a CPU without a switch, or with one that this program may not use; the first CPU cannot go offline on
/// most machines.
const ABSENT: &[Errno] = &[Errno::ENOENT, Errno::EACCES, Errno::EPERM, Errno::EOPNOTSUPP, Errno::EINVAL];

/// A CPU that can be taken offline; it is online again when this is dropped.
pub struct Switch {
    /// Its number.
    pub cpu: u32,
    file: File,
}

impl Switch {
    /// The last CPU that has a switch and obeys it; a skip with the reason where there is none, or where it may not be
    /// used.
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
            match Self::of(cpu).and_then(|switch| switch.offline().map(|()| switch)) {
                Ok(switch) => return switch.online().or_fail("bringing a CPU online").map(|()| switch),
                Err(errno) if ABSENT.contains(&errno) => reason = errno,
                Err(errno) => return Err(fail!("taking CPU {cpu} offline: {errno}")),
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

    /// Takes the CPU offline; done when it returns. It waits while something else holds on to the CPUs (EBUSY).
    pub fn offline(&self) -> Result<(), Errno> {
        match self.file.write(b"0") {
            Err(Errno::EBUSY) => self.patiently(b"0"),
            done => done,
        }
    }

    /// Brings the CPU online; done when it returns. A refusal is noted and waited out: riscv's firmware does not start
    /// a CPU that has not quite stopped (ENOTSUPP), and the kernel only warns of such a one
    /// (arch/riscv/kernel/cpu-hotplug.c).
    pub fn online(&self) -> Result<(), Errno> {
        let Err(refusal) = self.file.write(b"1") else { return Ok(()) };
        note!("CPU {} does not come online yet: {refusal}", self.cpu);
        self.patiently(b"1")
    }

    fn patiently(&self, state: &[u8]) -> Result<(), Errno> {
        let deadline = Deadline::after(PATIENCE);
        loop {
            time::sleep(MILLISECOND);
            match self.file.write(state) {
                Err(errno) if deadline.is_past() => return Err(errno),
                Err(_) => {}
                Ok(()) => return Ok(()),
            }
        }
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        if let Err(errno) = self.online() {
            note!("CPU {} stays offline: {errno}", self.cpu);
        }
    }
}
