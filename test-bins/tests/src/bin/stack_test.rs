//! What the runtime says of a stack that is used up, and what it leaves alone.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::mem::MaybeUninit;

use harness::args;
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::sys::call;
use harness::sys::file::pipe;
use harness::sys::process::{self, Child, Ending};
use harness::sys::seccomp::{self, Refusal};
use harness::sys::signal::{self, Action};
use harness::sys::time::SECOND;
use harness::text::Text;
use harness::{ensure, program, skip, tests};
use linux_raw_sys::general as raw;
use rseq_core::sys::Errno;
use rseq_rt::io::STDERR;
use rseq_rt::process::ExitCode;
use rseq_rt::thread::Builder;

rseq_rt::entry!(main);

const USAGE: &str = "stack_test: stacks that are used up, and other faults
usage: stack_test [--short]
exit codes: 0 pass, 1 fail, 2 expected failure, 3 unexpected pass, 4 skip, 64 usage";

/// What the runtime says.
const LINE: &str = "has overflowed its stack";

/// How a child ends that has no seccomp filters.
const NO_FILTER: u8 = 4;

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    args::only_short(USAGE);
    tests! {
        "the main thread's stack is used up" => expect(main_overflows, Some("(")),
        "a thread's stack is used up" => expect(|| in_thread(small_frames), Some("(deep)")),
        "a frame of many pages is beyond a thread's stack" => expect(|| in_thread(large_frame), Some("(deep)")),
        "a thread's stack is used up after a fork" => expect(|| in_thread(forked), Some("(deep)")),
        "without an alternate stack, the process ends alike" => {
            expect(|| refused(raw::__NR_sigaltstack, || in_thread(small_frames)), None)
        },
        "a null pointer is no overflow" => expect(null_pointer, None),
        "nor is one in a thread" => expect(|| in_thread(touch_null), None),
        "nor is a write to a page of the stack that is read-only" => expect(write_read_only, None),
        "nor is a SIGSEGV that was sent" => expect(send_to_self, None),
        "it ends a process that may not send signals, too" => {
            let ending = run(|| refused(raw::__NR_tgkill, send_by_kill))?.0;
            ensure!(matches!(ending, Ending::Exited(139 | NO_FILTER)), "the child ended with {ending}");
            Ok(())
        },
        "a handler of the program comes first" => {
            let (ending, text) = run(own_handler)?;
            ensure!(ending == Ending::Exited(42) && text.as_str().is_empty(), "{ending}: {}", text.as_str());
            Ok(())
        },
    }
}

/// Runs `child`, whose standard error is a pipe; returns its end and what it wrote.
fn run(child: fn() -> u8) -> Result<(Ending, Text<512>), Unmet> {
    let (reading, writing) = pipe().or_fail("pipe2")?;
    let mut started = Child::fork(&mut || {
        // A core file of each of them is of no use.
        let _ = limit(raw::RLIMIT_CORE, 0);
        writing.duplicate_to(STDERR).map_or(90, |()| child())
    })
    .map_err(no_child)?;
    drop(writing);
    let ending = started.wait_for(30 * SECOND).or_fail("wait4")?;
    let (mut text, mut bytes) = (Text::new(), [0; 512]);
    let read = reading.read(&mut bytes).or_fail("read")?;
    text.push(format_args!("{}", core::str::from_utf8(read).unwrap_or("?")));
    Ok((ending, text))
}

fn no_child(errno: Errno) -> Unmet {
    skip!("a child process: {errno}")
}

/// Expects that SIGSEGV ends `child`, after a line with `name`, or with nothing said.
fn expect(child: fn() -> u8, name: Option<&str>) -> Verdict {
    let (ending, text) = run(child)?;
    if ending == Ending::Exited(NO_FILTER) {
        return Err(skip!("no seccomp filters here"));
    }
    ensure!(ending == Ending::Killed(raw::SIGSEGV), "it ended with {ending}: {}", text.as_str());
    let text = text.as_str();
    match name {
        Some(name) => ensure!(text.contains(LINE) && text.contains(name), "it says: {text}"),
        None => ensure!(text.is_empty(), "it says: {text}"),
    }
    Ok(())
}

/// Sets both limits.
fn limit(resource: u32, value: u64) -> Result<(), Errno> {
    let new = [value, value];
    // SAFETY: the kernel reads two 64-bit words and is given nowhere to write.
    unsafe { call(raw::__NR_prlimit64, [0, resource as usize, new.as_ptr() as usize, 0]) }.map(drop)
}

fn refused(nr: u32, child: fn() -> u8) -> u8 {
    match seccomp::refuse(nr, Refusal::Error(Errno::EPERM)) {
        Ok(()) => child(),
        Err(_) => NO_FILTER,
    }
}

#[inline(never)]
fn descend<const FRAME: usize>(depth: usize) -> usize {
    let mut frame = MaybeUninit::<[u8; FRAME]>::uninit();
    let lowest = black_box(frame.as_mut_ptr().cast::<u8>());
    // SAFETY: the array begins there.
    unsafe { lowest.write_volatile(1) };
    if depth == 0 { 0 } else { black_box(descend::<FRAME>(depth - 1)) + 1 }
}

fn main_overflows() -> u8 {
    if limit(raw::RLIMIT_STACK, 1 << 20).is_err() {
        return 91;
    }
    descend::<512>(usize::MAX) as u8
}

fn in_thread(work: fn()) -> u8 {
    match Builder::new().name("deep").stack_size(64 << 10).spawn(work) {
        Ok(thread) => thread.join(),
        Err(_) => return 92,
    }
    93
}

fn small_frames() {
    descend::<512>(usize::MAX);
}

fn large_frame() {
    descend::<{ 150 << 10 }>(1);
}

/// The child has the one thread, with the alternate stack of its parent's.
fn forked() {
    let ending = process::in_child(10 * SECOND, &mut || {
        small_frames();
        0
    });
    let code = match ending {
        Ok(Ending::Killed(raw::SIGSEGV)) => return end_by_default(),
        Ok(_) => 94,
        Err(_) => 95,
    };
    process::exit(code)
}

fn end_by_default() {
    let _ = signal::set(raw::SIGSEGV, Action::Default);
    send_to_self();
}

fn null_pointer() -> u8 {
    // SAFETY: not at all: the access fails, which is what the test is about.
    unsafe { black_box(core::ptr::without_provenance_mut::<u8>(8)).write_volatile(1) };
    96
}

/// A page of the main thread's stack, which is not used up.
fn write_read_only() -> u8 {
    const LARGEST_PAGE: usize = 64 << 10;
    let mut frame = MaybeUninit::<[u8; 3 * LARGEST_PAGE]>::uninit();
    let start = black_box(frame.as_mut_ptr().cast::<u8>());
    let page = start.wrapping_add(start.align_offset(LARGEST_PAGE));
    // SAFETY: the page is within the array. The last access fails, which is what the test is about.
    unsafe {
        page.write_volatile(1);
        let protected = call(raw::__NR_mprotect, [page as usize, LARGEST_PAGE, raw::PROT_READ as usize]);
        if protected.is_ok() {
            page.write_volatile(2);
        }
    }
    89
}

fn touch_null() {
    null_pointer();
}

fn send_to_self() -> u8 {
    let _ = signal::send(process::id(), process::thread_id(), raw::SIGSEGV);
    97
}

fn send_by_kill() -> u8 {
    // SAFETY: the call takes numbers.
    let _ = unsafe { call(raw::__NR_kill, [process::id() as usize, raw::SIGSEGV as usize]) };
    98
}

extern "C" fn leave(_: i32) {
    process::exit(42)
}

fn own_handler() -> u8 {
    if signal::set(raw::SIGSEGV, Action::OnAlternateStack(leave)).is_err() {
        return 99;
    }
    // The handler runs on the alternate stack that the runtime gave the main thread.
    main_overflows()
}
