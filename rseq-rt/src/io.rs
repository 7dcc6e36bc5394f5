//! Standard output and standard error, without a heap: text is formatted into a buffer on the stack, and reaches the
//! kernel in one `write(2)` where it fits the buffer, so that lines of several threads do not mix.

use crate::sys;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicI32, Ordering};
use rseq_core::sys::Errno;

/// A standard stream. It belongs to the whole program, and is open: start-up opens those that the caller has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

impl Stream {
    /// Its file descriptor.
    pub const fn descriptor(self) -> i32 {
        match self {
            Self::Output => 1,
            Self::Error => 2,
        }
    }
}

/// Standard output.
pub const STDOUT: Stream = Stream::Output;

/// Standard error.
pub const STDERR: Stream = Stream::Error;

/// Text up to this many bytes is one `write(2)`.
pub const ATOMIC_BYTES: usize = 2048;

static LOST: AtomicI32 = AtomicI32::new(0);

/// The first error of printing to standard output.
pub(crate) fn lost_output() -> Option<Errno> {
    match LOST.load(Ordering::Relaxed) {
        0 => None,
        errno => Some(Errno(errno)),
    }
}

/// Writes all bytes to a stream: continues after EINTR and after short writes, and waits while a non-blocking stream is
/// full.
///
/// # Errors
///
/// Those of `write(2)`; some bytes may have been written before.
pub fn write_all(stream: Stream, mut bytes: &[u8]) -> Result<(), Errno> {
    let fd = stream.descriptor();
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
    stream: Stream,
    used: usize,
    bytes: [u8; ATOMIC_BYTES],
    result: Result<(), Errno>,
}

impl Buffer {
    fn flush(&mut self) {
        let text = self.bytes.get(..self.used).unwrap_or_default();
        if self.result.is_ok() {
            self.result = write_all(self.stream, text);
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

/// Writes formatted text to a stream.
///
/// # Errors
///
/// Those of `write(2)`. An error of a `Display` implementation is ignored.
pub fn write_fmt(stream: Stream, text: fmt::Arguments<'_>) -> Result<(), Errno> {
    let mut buffer = Buffer { stream, used: 0, bytes: [0; ATOMIC_BYTES], result: Ok(()) };
    let _ = buffer.write_fmt(text);
    buffer.flush();
    buffer.result
}

/// What the print macros call. An error on standard output is kept until [`exit`](crate::process::exit); one on
/// standard error cannot be reported.
#[doc(hidden)]
pub fn print(stream: Stream, text: fmt::Arguments<'_>) {
    match write_fmt(stream, text) {
        Err(errno) if stream == STDOUT => {
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
