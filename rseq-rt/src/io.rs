//! Standard output and standard error, without a heap: text is formatted into a buffer on the stack, and reaches the
//! kernel in one `write(2)` where it fits the buffer, so that lines of several threads do not mix.

use crate::sys;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicI32, Ordering};
use rseq_core::sys::Errno;

/// The file descriptor of standard output.
pub const STDOUT: i32 = 1;

/// The file descriptor of standard error.
pub const STDERR: i32 = 2;

/// Text up to this many bytes is one `write(2)`.
pub const ATOMIC_BYTES: usize = 2048;

static LOST: AtomicI32 = AtomicI32::new(0);

/// The first error that printing to standard output met.
pub(crate) fn lost_output() -> Option<Errno> {
    match LOST.load(Ordering::Relaxed) {
        0 => None,
        errno => Some(Errno(errno)),
    }
}

/// Writes all bytes to a file descriptor: goes on after EINTR and after short writes, and waits where a descriptor is
/// non-blocking and full.
///
/// # Errors
///
/// Those of `write(2)`; some bytes may have been written before.
pub fn write_all(fd: i32, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match sys::write(fd, bytes) {
            Ok(0) => return Err(Errno::EIO),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => sys::wait_writable(fd)?,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Collects formatted text and writes it when it is full or done.
struct Buffer {
    fd: i32,
    used: usize,
    bytes: [u8; ATOMIC_BYTES],
    result: Result<(), Errno>,
}

impl Buffer {
    fn flush(&mut self) {
        let text = self.bytes.get(..self.used).unwrap_or_default();
        if self.result.is_ok() {
            self.result = write_all(self.fd, text);
        }
        self.used = 0;
    }
}

impl Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            if self.used == ATOMIC_BYTES {
                self.flush();
            }
            let room = &mut self.bytes[self.used..];
            let (now, later) = rest.split_at(rest.len().min(room.len()));
            room[..now.len()].copy_from_slice(now);
            self.used += now.len();
            rest = later;
        }
        Ok(())
    }
}

/// Writes formatted text to a file descriptor.
///
/// # Errors
///
/// Those of `write(2)`. What a `Display` implementation reports is no error here.
pub fn write_fmt(fd: i32, text: fmt::Arguments<'_>) -> Result<(), Errno> {
    let mut buffer = Buffer { fd, used: 0, bytes: [0; ATOMIC_BYTES], result: Ok(()) };
    let _ = buffer.write_fmt(text);
    buffer.flush();
    buffer.result
}

/// The print macros end here. An error on standard output is kept until [`exit`](crate::process::exit); one on standard
/// error has nowhere to go.
#[doc(hidden)]
pub fn print(fd: i32, text: fmt::Arguments<'_>) {
    match write_fmt(fd, text) {
        Err(errno) if fd == STDOUT => {
            let _ = LOST.compare_exchange(0, errno.0, Ordering::Relaxed, Ordering::Relaxed);
        }
        _ => {}
    }
}

/// Prints to standard output.
#[macro_export]
macro_rules! print {
    ($($text:tt)*) => { $crate::io::print($crate::io::STDOUT, ::core::format_args!($($text)*)) };
}

/// Prints a line to standard output.
#[macro_export]
macro_rules! println {
    () => { $crate::io::print($crate::io::STDOUT, ::core::format_args!("\n")) };
    ($($text:tt)+) => {
        $crate::io::print($crate::io::STDOUT, ::core::format_args!("{}\n", ::core::format_args!($($text)+)))
    };
}

/// Prints to standard error.
#[macro_export]
macro_rules! eprint {
    ($($text:tt)*) => { $crate::io::print($crate::io::STDERR, ::core::format_args!($($text)*)) };
}

/// Prints a line to standard error.
#[macro_export]
macro_rules! eprintln {
    () => { $crate::io::print($crate::io::STDERR, ::core::format_args!("\n")) };
    ($($text:tt)+) => {
        $crate::io::print($crate::io::STDERR, ::core::format_args!("{}\n", ::core::format_args!($($text)+)))
    };
}
