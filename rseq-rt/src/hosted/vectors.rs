//! The vectors that the kernel left on the initial stack, made again of what std and procfs have.

use crate::env::InitialStack;
use core::ffi::c_char;
use linux_raw_sys::auxvec::AT_NULL;
use std::boxed::Box;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt;
use std::sync::OnceLock;
use std::vec::Vec;

/// The vectors as they were at the first call.
pub fn initial() -> Option<&'static InitialStack> {
    static INITIAL: OnceLock<InitialStack> = OnceLock::new();
    Some(INITIAL.get_or_init(|| {
        let stack = Box::leak(words().into_boxed_slice());
        // SAFETY: the words are laid out as the kernel does it, and live for ever, as do the strings.
        unsafe { InitialStack::new(stack.as_ptr()) }
    }))
}

/// argc, argv, NULL, envp, NULL, auxv.
fn words() -> Vec<usize> {
    let arguments: Vec<_> = std::env::args_os().map(string).collect();
    let variables = std::env::vars_os().map(|(name, value)| {
        let mut variable = name;
        variable.push("=");
        variable.push(value);
        string(variable)
    });
    let mut words = Vec::from([arguments.len()]);
    words.extend(arguments.into_iter().chain([0]).chain(variables).chain([0]));
    let auxiliary = std::fs::read("/proc/self/auxv").unwrap_or_default();
    let entries = auxiliary.chunks_exact(size_of::<usize>());
    words.extend(entries.filter_map(|entry| entry.try_into().ok()).map(usize::from_ne_bytes));
    words.extend([AT_NULL as usize, 0]);
    words
}

/// The address of a string that is never freed.
fn string(text: OsString) -> usize {
    CString::new(text.into_vec()).unwrap_or_default().into_raw().cast::<c_char>() as usize
}
