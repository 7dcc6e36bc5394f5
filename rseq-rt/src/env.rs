//! Arguments, environment and auxiliary vector, which the kernel writes to the initial stack.

use crate::before_main::BeforeMain;
use core::ffi::{CStr, c_char};
use linux_raw_sys::auxvec::AT_NULL;

/// The string that replaces an argument that is not UTF-8 in [`args`]: the replacement character U+FFFD.
pub const NOT_UTF8: &str = "\u{fffd}";

static INITIAL: BeforeMain<InitialStack> = BeforeMain::new();

/// The three vectors on the initial stack. They are valid until the process ends.
#[derive(Clone, Copy)]
pub(crate) struct InitialStack {
    args: Vector,
    variables: Vector,
    auxiliary: *const [usize; 2],
}

// SAFETY: the vectors are only read. The kernel wrote them before the first instruction, and nothing in this crate
// writes them.
unsafe impl Sync for InitialStack {}
// SAFETY: as for `Sync`. The vectors do not belong to a thread.
unsafe impl Send for InitialStack {}

impl InitialStack {
    /// Finds the vectors.
    ///
    /// # Safety
    ///
    /// `stack` is the stack pointer with which the kernel started the program.
    pub(crate) unsafe fn new(stack: *const usize) -> Self {
        // SAFETY: the caller guarantees the initial stack pointer, from which the kernel writes, at ascending
        // addresses, argc, argv, NULL, envp, NULL and auxv (fs/binfmt_elf.c). `add` stays within these, and they are
        // initialised.
        unsafe {
            let args = Vector(stack.add(1).cast());
            let variables = Vector(args.0.add(*stack + 1));
            let mut end = variables;
            while end.next().is_some() {}
            Self { args, variables, auxiliary: end.0.add(1).cast() }
        }
    }

    /// The arguments of C's `main`: argc, argv, envp.
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
            // SAFETY: `entry` is an entry of the vector, which AT_NULL ends: the loop returns at that.
            let [found, value] = unsafe { *entry };
            if found == key {
                return Some(value);
            }
            if found == AT_NULL as usize {
                return None;
            }
            // SAFETY: this entry was not AT_NULL, so another one follows it.
            entry = unsafe { entry.add(1) };
        }
    }
}

/// An iterator over a NULL-terminated array of C strings.
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
        // SAFETY: the pointer is to an entry of the array: it is not moved beyond the NULL that ends it.
        let string = unsafe { *self.0 };
        if string.is_null() {
            return None;
        }
        // SAFETY: the entry was not NULL, so another one follows it. It points to a 0-terminated string that the kernel
        // wrote to the initial stack, which is not written and stays mapped until the process ends.
        unsafe {
            self.0 = self.0.add(1);
            Some(CStr::from_ptr(string))
        }
    }
}

/// Stores the vectors for the functions of this module.
///
/// # Safety
///
/// The process has one thread, and no function of this module that reads the vectors has been called.
pub(crate) unsafe fn remember(initial: InitialStack) {
    // SAFETY: the caller guarantees that there is one thread and that the cell has not been read.
    unsafe { INITIAL.set(initial) };
}

#[cfg(not(feature = "hosted"))]
fn initial() -> Option<&'static InitialStack> {
    INITIAL.get()
}

#[cfg(feature = "hosted")]
use crate::vectors::initial;

/// The address of the initial stack, from which the main thread's stack grows down.
pub(crate) fn initial_stack() -> Option<usize> {
    initial().map(InitialStack::address)
}

/// The arguments, beginning with the program's name, as bytes.
pub fn args_os() -> impl Iterator<Item = &'static CStr> + Clone {
    initial().map_or(Vector::EMPTY, |initial| initial.args)
}

/// The arguments, beginning with the program's name. One that is not UTF-8 is replaced by [`NOT_UTF8`].
pub fn args() -> impl Iterator<Item = &'static str> + Clone {
    args_os().map(|argument| argument.to_str().unwrap_or(NOT_UTF8))
}

/// The environment: strings of the form `NAME=value`, as bytes.
pub fn vars_os() -> impl Iterator<Item = &'static CStr> + Clone {
    initial().map_or(Vector::EMPTY, |initial| initial.variables)
}

/// The value of an environment variable, as bytes; `None` if it is not set.
pub fn var_bytes(name: &str) -> Option<&'static [u8]> {
    vars_os().find_map(|variable| variable.to_bytes().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

/// The value of an environment variable; `None` if it is not set or is not UTF-8.
pub fn var(name: &str) -> Option<&'static str> {
    core::str::from_utf8(var_bytes(name)?).ok()
}

/// The value of an entry of the auxiliary vector, such as `AT_PAGESZ` (6); `None` if there is no such entry.
pub fn auxv(key: usize) -> Option<usize> {
    initial()?.auxv(key)
}
