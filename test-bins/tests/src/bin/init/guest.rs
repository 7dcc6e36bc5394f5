//! The machine around the programs: console, filesystems, modules, the kernel's checks, the end.

use core::ffi::CStr;

use harness::sys::call;
use harness::sys::file::File;
use harness::sys::process;
use harness::sys::time::{self, SECOND};
use harness::text::Text;
use linux_raw_sys::general as raw;
use protocol::list::{Fields, MODULES};
use protocol::mark::Mark;
use rseq_core::sys::Errno;
use rseq_rt::println;

/// `SYSLOG_ACTION_CONSOLE_LEVEL` of the kernel's include/linux/syslog.h.
const CONSOLE_LEVEL: usize = 8;
/// Only what precedes a panic: the kernel's lines would break into the results.
const EMERGENCIES: usize = 1;

/// The switch of the kernel's checks of sections and areas (since Linux 6.19).
const CHECKS: &CStr = c"/sys/kernel/debug/rseq/debug";

/// The word of the kernel's command line with CPUs to take offline.
const OFFLINE: &str = "rseq_offline=";

/// `TCSBRK` of asm/ioctls.h, which with an argument other than 0 waits until all output is sent.
const DRAIN: usize = if cfg!(any(target_arch = "mips64", target_arch = "mips64r6")) {
    0x5405
} else if cfg!(target_arch = "powerpc64") {
    0x2000_741d
} else {
    0x5409
};

/// Keeps the kernel's messages, all but emergencies, from the console, and starts a new line there.
pub fn quiet_console() {
    // SAFETY: this action takes a number and touches no memory.
    let quiet = unsafe { call(raw::__NR_syslog, [CONSOLE_LEVEL, 0, EMERGENCIES]) };
    println!();
    if let Err(errno) = quiet {
        note(format_args!("kernel messages stay on the console: {errno}"));
    }
}

/// Mounts what tests look into; what this kernel lacks is noted.
pub fn mount_all() {
    mount(c"devtmpfs", c"/dev");
    mount(c"proc", c"/proc");
    mount(c"sysfs", c"/sys");
    mount(c"debugfs", c"/sys/kernel/debug");
    mount(c"tracefs", c"/sys/kernel/tracing");
    mount(c"cgroup2", c"/sys/fs/cgroup");
    mount(c"tmpfs", c"/tmp");
}

fn mount(kind: &CStr, place: &CStr) {
    let args = [kind.as_ptr() as usize, place.as_ptr() as usize, kind.as_ptr() as usize, 0, 0];
    // SAFETY: the kernel reads three NUL-terminated strings; it is given no options.
    let mounted = unsafe { call(raw::__NR_mount, args) };
    if let Err(errno) = mounted {
        note(format_args!("no {} at {}: {errno}", text(kind), text(place)));
    }
}

/// Tells the runner which kernel this is.
pub fn say_release() {
    if let Some(name) = process::kernel_name() {
        println!("{}", Mark::Release(name.release()));
    }
}

/// Takes the CPUs offline that the kernel's command line names after `rseq_offline=`, with commas between them.
pub fn take_offline() {
    let mut bytes = [0; 4096];
    let Ok(words) = File::open(c"/proc/cmdline").and_then(|file| file.read(&mut bytes)) else { return };
    let words = core::str::from_utf8(words).unwrap_or("").split_whitespace();
    for cpu in words.filter_map(|word| word.strip_prefix(OFFLINE)).flat_map(|list| list.split(',')) {
        let path = Text::<64>::of(format_args!("/sys/devices/system/cpu/cpu{cpu}/online\0"));
        let path = CStr::from_bytes_until_nul(path.as_str().as_bytes()).unwrap_or(c"");
        let written = File::open_at(raw::AT_FDCWD, path, raw::O_WRONLY).and_then(|file| file.write(b"0"));
        if let Err(errno) = written {
            note(format_args!("CPU {cpu} stays online: {errno}"));
        }
    }
}

/// Loads the modules that `/modules` names, in its order.
pub fn load_modules() {
    let mut room = [0; 4096];
    let Ok(names) = File::open(MODULES).and_then(|file| file.read(&mut room)) else { return };
    for name in Fields(names) {
        if let Err(errno) = load(name) {
            note(format_args!("module {}: {errno}", text(name)));
        }
    }
}

fn load(path: &CStr) -> Result<(), Errno> {
    let file = File::open(path)?;
    // SAFETY: the kernel reads the open file and an empty string of parameters.
    unsafe { call(raw::__NR_finit_module, [file.descriptor() as usize, c"".as_ptr() as usize, 0]) }.map(drop)
}

/// Switches the kernel's rseq checks; `false` where it has no such switch.
pub fn switch_checks(on: bool) -> bool {
    let Ok(file) = File::open_at(raw::AT_FDCWD, CHECKS, raw::O_WRONLY) else { return false };
    let written = file.write(if on { b"1" } else { b"0" });
    if let Err(errno) = written {
        note(format_args!("{} does not take {}: {errno}", text(CHECKS), u8::from(on)));
    }
    written.is_ok()
}

/// Tells the runner that all is done, and ends the machine. Some boards cannot; the runner ends those.
pub fn power_off() -> ! {
    println!("{}", Mark::<&str>::Done);
    // SAFETY: waiting for a terminal's output takes numbers only.
    let _ = unsafe { call(raw::__NR_ioctl, [1, DRAIN, 1]) };
    // SAFETY: the call takes no argument.
    let _ = unsafe { call(raw::__NR_sync, []) };
    let words = [raw::LINUX_REBOOT_MAGIC1, raw::LINUX_REBOOT_MAGIC2, raw::LINUX_REBOOT_CMD_POWER_OFF, 0];
    loop {
        // SAFETY: ends the machine, which is what the first process is for once the list is done.
        let _ = unsafe { call(raw::__NR_reboot, words.map(|word| word as usize)) };
        time::sleep(SECOND);
    }
}

/// Tells the runner something about this guest.
pub fn note(what: core::fmt::Arguments<'_>) {
    println!("{}", Mark::Note(what));
}

fn text(string: &CStr) -> &str {
    string.to_str().unwrap_or("?")
}
