//! What belongs to one thread: its thread-locals, its number, its name, its end.
#![no_std]
#![no_main]

mod drops;
mod ends;
mod names;
mod values;

use harness::ktap::{OrFail, Verdict};
use harness::sys::file::pipe;
use harness::sys::process::{self, Child, Ending};
use harness::sys::time::SECOND;
use harness::{args, ensure, program, skip, tests};
use rseq_rt::process::ExitCode;

use drops::{dropped_once, early_end, in_destructors, order};
use ends::{forgotten, main_ends_first};
use names::{cut_names, names, numbers};
use values::{many_keys, own_values, sizes};

rseq_rt::entry!(main);

const USAGE: &str = "local_test: thread-locals, numbers, names and ends of threads
usage: local_test [--short]
  --short  100 threads instead of 10000, for emulated machines; so it is as PID 1
exit codes: 0 pass, 1 fail, 2 expected failure, 3 unexpected pass, 4 skip, 64 usage";

/// The argument of the copy that [`after_main`] starts.
const AFTER_MAIN: &core::ffi::CStr = c"--after-main";

fn main() -> ExitCode {
    if rseq_rt::env::args_os().nth(1) == Some(AFTER_MAIN) {
        SAYS.with(|_| rseq_rt::println!("main"));
        return ExitCode(5);
    }
    program::run(body)
}

struct Says;

impl Drop for Says {
    fn drop(&mut self) {
        rseq_rt::println!("dropped");
    }
}

rseq_rt::thread_local! { static SAYS: Says = Says }

fn body() -> u8 {
    let short = args::short(USAGE) || process::id() == 1;
    let threads = if short { 100 } else { 10_000 };
    tests! {
        "each thread has its own value" => own_values(),
        "values of any size and alignment are kept" => sizes(),
        "many keys are kept apart" => many_keys(),
        "values are dropped once, in each of many threads" => dropped_once(threads),
        "what was initialized last is dropped first" => order(),
        "a destructor may use other values, and not its own" => in_destructors(),
        "the main thread's values are dropped after main" => after_main(),
        "numbers are never used twice" => numbers(),
        "names are the kernel's" => names(),
        "names are cut where a character ends" => cut_names(),
        "a thread can end before its closure" => early_end(),
        "the main thread can end before the others" => main_ends_first(),
        "forgotten handles of a scope leave nothing" => forgotten(),
    }
}

/// Runs this program again.
fn after_main() -> Verdict {
    let (reading, writing) = pipe().or_fail("pipe2")?;
    let mut child = Child::fork(&mut || {
        let _ = writing.duplicate_to(rseq_rt::io::STDOUT);
        let Some(path) = rseq_rt::env::auxv(linux_raw_sys::auxvec::AT_EXECFN as usize) else { return 90 };
        // SAFETY: the kernel keeps the path of this program there, NUL-terminated, for as long as the process lives.
        let path = unsafe { core::ffi::CStr::from_ptr(path as *const core::ffi::c_char) };
        let arguments = [c"local_test".as_ptr().cast(), AFTER_MAIN.as_ptr().cast(), core::ptr::null()];
        process::execute(path, &arguments, &[core::ptr::null()]).0 as u8
    })
    .map_err(|errno| skip!("a child process: {errno}"))?;
    drop(writing);
    let ending = child.wait_for(30 * SECOND).or_fail("wait4")?;
    let mut bytes = [0; 64];
    let text = core::str::from_utf8(reading.read(&mut bytes).or_fail("read")?).unwrap_or("?");
    ensure!(ending == Ending::Exited(5) && text == "main\ndropped\n", "it ended with {ending}, and says: {text}");
    Ok(())
}
