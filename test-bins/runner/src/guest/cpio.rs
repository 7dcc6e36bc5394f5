//! An initramfs: a `newc` archive, written in memory.
//!
//! Format: the kernel's `Documentation/driver-api/early-userspace/buffer-format.rst`.

use std::ffi::CStr;

const DIRECTORY: u32 = 0o040_755;
const FILE: u32 = 0o100_644;
const PROGRAM: u32 = 0o100_755;
const SYMBOLIC_LINK: u32 = 0o120_777;
const CHARACTER_DEVICE: u32 = 0o020_600;
const END: &str = "TRAILER!!!";

/// An archive that grows.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// Adds a directory.
    pub fn directory(&mut self, path: &str) {
        self.entry(path, DIRECTORY, &[], (0, 0));
    }

    /// Adds a file.
    pub fn file(&mut self, path: &str, content: &[u8]) {
        self.entry(path, FILE, content, (0, 0));
    }

    /// Adds a file that can be executed.
    pub fn program(&mut self, path: &str, content: &[u8]) {
        self.entry(path, PROGRAM, content, (0, 0));
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, target: &[u8]) {
        self.entry(path, SYMBOLIC_LINK, target, (0, 0));
    }

    /// Adds a character device.
    pub fn device(&mut self, path: &str, major: u32, minor: u32) {
        self.entry(path, CHARACTER_DEVICE, &[], (major, minor));
    }

    /// The finished archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry(END, 0, &[], (0, 0));
        self.align(512);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8], device: (u32, u32)) {
        self.entries += 1;
        let size = u32::try_from(content.len()).expect("files of an initramfs are small");
        let name = path.len() as u32 + 1;
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, device.0, device.1, name, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.align(4);
        self.bytes.extend_from_slice(content);
        self.align(4);
    }

    fn align(&mut self, to: usize) {
        let length = self.bytes.len().next_multiple_of(to);
        self.bytes.resize(length, 0);
    }
}

/// A path of a guest as archives have it: without the slash that it begins with.
pub fn in_archive(path: &CStr) -> &str {
    path.to_str().unwrap_or_default().trim_start_matches('/')
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    fn sample() -> Vec<u8> {
        let mut archive = Archive::default();
        archive.directory("dev");
        archive.device("dev/console", 5, 1);
        archive.program("init", b"12345");
        archive.file("suite", b"");
        archive.finish()
    }

    #[test]
    fn headers_and_contents_are_aligned() {
        let bytes = sample();
        assert_eq!(bytes.len() % 512, 0);
        let starts: Vec<_> =
            bytes.windows(6).enumerate().filter(|(_, six)| six == b"070701").map(|(at, _)| at).collect();
        assert_eq!(starts.len(), 5);
        assert!(starts.iter().all(|start| start % 4 == 0), "{starts:?}");
        assert_eq!(&bytes[starts[2] + 110..][..5], b"init\0");
        assert_eq!(&bytes[starts[2] + 116..][..5], b"12345");
    }

    #[test]
    fn a_device_has_its_numbers_and_a_file_its_size() {
        let bytes = sample();
        let field = |path: &str, number: usize| {
            let path = [path.as_bytes(), b"\0"].concat();
            let name = bytes.windows(path.len()).position(|window| window == path).unwrap();
            let text = std::str::from_utf8(&bytes[name - 104 + 8 * number..][..8]).unwrap();
            u32::from_str_radix(text, 16).unwrap()
        };
        assert_eq!((field("dev/console", 9), field("dev/console", 10)), (5, 1));
        assert_eq!((field("init", 1), field("init", 6)), (0o100_755, 5));
        assert_eq!(field("init", 11), 5);
    }

    /// The system's own reader agrees, where there is one.
    #[test]
    fn cpio_lists_the_same() {
        let mut cpio = Command::new("cpio");
        cpio.arg("-t").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut child) = cpio.spawn() else {
            return crate::skipped("no cpio program here: the format was checked by offsets only");
        };
        child.stdin.take().unwrap().write_all(&sample()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "dev\ndev/console\ninit\nsuite\n");
    }
}
