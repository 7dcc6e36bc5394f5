//! Starting this program again.

use core::ffi::CStr;
use core::ptr::null;

use harness::ensure;
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::sys::file::{File, pipe};
use harness::sys::process::{self, Child, Ending};
use harness::sys::time::{self, SECOND};
use linux_raw_sys::auxvec::AT_EXECFN;
use rseq_core::sys::Errno;
use rseq_rt::io::{STDERR, STDOUT};
use rseq_rt::{env, eprintln};

/// How a started copy ended, and the first bytes that it wrote to standard output and standard error.
pub struct Ran {
    pub ending: Ending,
    pub text: [u8; 8192],
    pub length: usize,
    /// All bytes written.
    pub total: usize,
}

impl Ran {
    pub fn output(&self) -> &str {
        core::str::from_utf8(self.text.get(..self.length).unwrap_or(&[])).unwrap_or("?")
    }

    pub fn expect(&self, wanted: Ending) -> Verdict {
        ensure!(
            self.ending == wanted,
            "the copy ended with {}, not {wanted}; it wrote: {}",
            self.ending,
            self.output()
        );
        Ok(())
    }
}

/// A copy of this program to start.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    /// `NAME=value` with [`crate::ROLE`] for a name.
    pub role: &'a CStr,
    pub arguments: &'a [&'a CStr],
    pub variables: &'a [&'a CStr],
    /// What the child does right before it starts the program; its standard output and error are the pipe already.
    pub prepare: &'a dyn Fn() -> Result<(), Errno>,
    /// Pause in nanoseconds before the pipe is read.
    pub pause: u64,
}

impl<'a> Start<'a> {
    pub fn new(role: &'a CStr) -> Self {
        Self { role, arguments: &[c"start_test"], variables: &[], prepare: &|| Ok(()), pause: 0 }
    }

    pub fn run(self) -> Result<Ran, Unmet> {
        let (reading, writing) = pipe().or_fail("pipe2")?;
        let mut child = Child::fork(&mut || self.become_copy(&writing)).or_fail("a child process")?;
        drop(writing);
        time::sleep(self.pause);
        let (mut text, mut more) = ([0; 8192], [0; 8192]);
        let length = reading.read(&mut text).or_fail("read")?.len();
        let mut total = length;
        loop {
            match reading.read(&mut more).or_fail("read")? {
                [] => break,
                bytes => total += bytes.len(),
            }
        }
        let ending = child.wait_for(30 * SECOND).or_fail("wait4")?;
        Ok(Ran { ending, text, length, total })
    }

    fn become_copy(&self, writing: &File) -> u8 {
        let prepared = [STDOUT, STDERR].into_iter().try_for_each(|stream| writing.duplicate_to(stream));
        let prepared = prepared.and_then(|()| (self.prepare)());
        if let Err(errno) = prepared {
            eprintln!("preparing: {errno}");
            return 96;
        }
        let Some(path) = env::auxv(AT_EXECFN as usize) else { return 95 };
        // SAFETY: the kernel keeps the path of this program there, NUL-terminated, for as long as the process lives.
        let path = unsafe { CStr::from_ptr(path as *const core::ffi::c_char) };
        let list = |first: &[&CStr], rest: &[&CStr]| {
            let mut list = [null::<u8>(); 9];
            let strings = first.iter().chain(rest).take(list.len() - 1);
            strings.zip(&mut list).for_each(|(string, entry)| *entry = string.as_ptr().cast());
            list
        };
        let errno = process::execute(path, &list(self.arguments, &[]), &list(&[self.role], self.variables));
        eprintln!("execve {path:?}: {errno}");
        94
    }
}
