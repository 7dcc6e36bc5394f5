//! Arguments, environment and auxiliary vector, as the kernel left them on the initial stack.

use crate::before_main::BeforeMain;
use core::ffi::{CStr, c_char};
use linux_raw_sys::auxvec::AT_NULL;

/// What stands for an argument that is not UTF-8 in [`args`]: a string that is the name of nothing.
pub const NOT_UTF8: &str = "\u{fffd}";

static INITIAL: BeforeMain<InitialStack> = BeforeMain::new();

/// The three vectors on the initial stack. They live as long as the process.
#[derive(Clone, Copy)]
pub(crate) struct InitialStack {
    args: Vector,
    variables: Vector,
    auxiliary: *const [usize; 2],
}

// SAFETY: the kernel wrote the vectors before the first instruction, and nothing in this crate writes them.
unsafe impl Sync for InitialStack {}
// SAFETY: as above.
unsafe impl Send for InitialStack {}

impl InitialStack {
    /// Finds the vectors.
    ///
    /// # Safety
    ///
    /// `stack` is the stack pointer with which the kernel started the program.
    pub(crate) unsafe fn new(stack: *const usize) -> Self {
        // SAFETY: the kernel lays out argc, argv, NULL, envp, NULL, auxv from `stack` up (binfmt_elf).
        unsafe {
            let args = Vector(stack.add(1).cast());
            let variables = Vector(args.0.add(*stack + 1));
            let mut end = variables;
            while end.next().is_some() {}
            Self { args, variables, auxiliary: end.0.add(1).cast() }
        }
    }

    /// What C's `main` gets: argc, argv, envp.
    pub(crate) fn main_arguments(&self) -> (usize, *const *const c_char, *const *const c_char) {
        (self.args.count(), self.args.0, self.variables.0)
    }

    /// The address of the first vector.
    pub(crate) fn address(&self) -> usize {
        self.args.0 as usize
    }

    /// The value of an auxiliary-vector entry.
    pub(crate) fn auxv(&self, key: usize) -> Option<usize> {
        let mut entry = self.auxiliary;
        loop {
            // SAFETY: AT_NULL ends the vector, and the loop never goes beyond it.
            let [found, value] = unsafe { *entry };
            if found == key {
                return Some(value);
            }
            if found == AT_NULL as usize {
                return None;
            }
            // SAFETY: this entry was not the last.
            entry = unsafe { entry.add(1) };
        }
    }
}

/// A NULL-terminated array of C strings, and an iterator over the rest of it.
#[derive(Clone, Copy)]
struct Vector(*const *const c_char);

impl Vector {
    /// One without a string.
    const EMPTY: Self = Self((&raw const NULL).cast());
}

/// The entry that ends a vector.
static NULL: usize = 0;

impl Iterator for Vector {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<&'static CStr> {
        // SAFETY: the array ends with NULL, and `self` stays on that entry once it is there.
        let string = unsafe { *self.0 };
        if string.is_null() {
            return None;
        }
        // SAFETY: the entry just read was not the last; the kernel terminates every string, and keeps them mapped.
        unsafe {
            self.0 = self.0.add(1);
            Some(CStr::from_ptr(string))
        }
    }
}

/// Remembers the vectors for the program.
///
/// # Safety
///
/// The process has one thread, and nobody has asked for an argument yet.
pub(crate) unsafe fn remember(initial: InitialStack) {
    // SAFETY: the caller's promise is the cell's.
    unsafe { INITIAL.set(initial) };
}

#[cfg(not(feature = "hosted"))]
fn initial() -> Option<&'static InitialStack> {
    INITIAL.get()
}

#[cfg(feature = "hosted")]
use crate::vectors::initial;

/// Where the main thread's stack began.
pub(crate) fn initial_stack() -> Option<usize> {
    initial().map(InitialStack::address)
}

/// The arguments, the program's name first, byte for byte.
pub fn args_os() -> impl Iterator<Item = &'static CStr> + Clone {
    initial().map_or(Vector::EMPTY, |initial| initial.args)
}

/// The arguments, the program's name first. One that is not UTF-8 becomes [`NOT_UTF8`].
pub fn args() -> impl Iterator<Item = &'static str> + Clone {
    args_os().map(|argument| argument.to_str().unwrap_or(NOT_UTF8))
}

/// The environment, as `NAME=value` strings, byte for byte.
pub fn vars_os() -> impl Iterator<Item = &'static CStr> + Clone {
    initial().map_or(Vector::EMPTY, |initial| initial.variables)
}

/// The value of an environment variable, byte for byte.
pub fn var_bytes(name: &str) -> Option<&'static [u8]> {
    vars_os().find_map(|variable| variable.to_bytes().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

/// The value of an environment variable; `None` if it is not set, or not UTF-8.
pub fn var(name: &str) -> Option<&'static str> {
    core::str::from_utf8(var_bytes(name)?).ok()
}

/// The value of an auxiliary-vector entry, such as `AT_PAGESZ` (6); `None` where the kernel gave none.
pub fn auxv(key: usize) -> Option<usize> {
    initial()?.auxv(key)
}
