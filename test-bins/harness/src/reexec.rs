//! Choosing the registration of a whole program: it starts again with `RSEQ_RT` set.

use core::ffi::CStr;

use linux_raw_sys::auxvec::AT_EXECFN;
use rseq_core::Mode;

use crate::args;
use crate::ktap::Verdict;
use crate::sys::process;

/// How many arguments and variables go along.
const MOST: usize = 128;

/// The mode that the arguments ask for, for programs that register by themselves.
pub fn asked_mode() -> Mode {
    let legacy = rseq_rt::env::args().any(|word| word == args::LEGACY);
    if legacy { Mode::Legacy } else { Mode::Extended }
}

/// Makes sure that the runtime registered in `mode`, by executing this program again if it did not. A program that is
/// not registered at all continues: its tests say why.
pub fn in_mode(mode: Mode) -> Verdict {
    match rseq_rt::registration() {
        Ok(current) if current != mode => again(match mode {
            Mode::Legacy => c"RSEQ_RT=legacy",
            _ => c"RSEQ_RT=extended",
        }),
        _ => Ok(()),
    }
}

/// Makes sure that the runtime leaves registering to the program.
pub fn by_hand() -> Verdict {
    match rseq_rt::registration() {
        Ok(_) => again(c"RSEQ_RT=off"),
        Err(_) => Ok(()),
    }
}

fn again(variable: &'static CStr) -> Verdict {
    Err(crate::fail!("cannot start again with another registration: {}", execute(variable)))
}

fn execute(variable: &'static CStr) -> rseq_core::sys::Errno {
    let others = rseq_rt::env::vars_os().filter(|variable| !variable.to_bytes().starts_with(b"RSEQ_RT="));
    let environment = list(core::iter::once(variable).chain(others));
    let arguments = list(rseq_rt::env::args_os());
    let Some(path) = rseq_rt::env::auxv(AT_EXECFN as usize) else { return rseq_core::sys::Errno::ENOENT };
    // SAFETY: AT_EXECFN is the address of the path that this program was executed by, NUL-terminated, on the initial
    // stack.
    let path = unsafe { CStr::from_ptr(path as *const _) };
    process::execute(path, &arguments, &environment)
}

/// The strings' addresses, and the null pointer that ends them; those beyond [`MOST`] are left out.
fn list(strings: impl Iterator<Item = &'static CStr>) -> [*const u8; MOST + 1] {
    let mut list = [core::ptr::null(); MOST + 1];
    for (entry, string) in list.iter_mut().take(MOST).zip(strings) {
        *entry = string.as_ptr().cast();
    }
    list
}
