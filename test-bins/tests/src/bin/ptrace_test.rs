//! What a tracer sees by PTRACE_GET_RSEQ_CONFIGURATION: the address, length and signature that the traced thread
//! reports.
#![no_std]
#![no_main]

use core::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Release},
};

use harness::args;
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::registration::{self, Registered};
use harness::sys::memory::Mapping;
use harness::sys::process::{self, Child, Ending};
use harness::sys::ptrace::{self, RseqConfiguration};
use harness::sys::signal;
use harness::{ensure, fail, in_time, program, require, skip, tests};
use linux_raw_sys::general::{SIGKILL, SIGSTOP};
use rseq_core::abi::ORIGINAL_SIZE;
use rseq_core::arch;
use rseq_core::sys::Errno;
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

const USAGE: &str = "ptrace_test: a tracer sees the registration that the thread reports\n\
usage: ptrace_test [--short]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    args::only_short(USAGE);
    require!(registration::token());
    tests! {
        "a traced process shows its registration" => main_thread(),
        "a traced thread shows its own" => other_thread(),
        "without a registration there is nothing to show" => released(),
    }
}

/// Where a traced child writes down what it believes; shared with its tracer.
#[repr(C)]
struct Report {
    address: usize,
    length: u32,
    /// Written last: the rest is there once it is not 0.
    tid: AtomicU32,
}

fn write_report(at: *mut Report) -> bool {
    let Ok(registered) = Registered::by_runtime() else { return false };
    // SAFETY: a zeroed page that parent and child share; the parent reads these fields after the tid, written below.
    unsafe {
        (&raw mut (*at).address).write_volatile(registered.address);
        (&raw mut (*at).length).write_volatile(registered.length);
        (*at).tid.store(process::thread_id(), Release);
    }
    true
}

/// Stops the calling thread until its tracer resumes it.
fn stop() {
    let _ = signal::send(process::id(), process::thread_id(), SIGSTOP);
}

fn traced(body: &mut dyn FnMut(*mut Report) -> u8) -> Result<(Report, RseqConfiguration), Unmet> {
    let memory = Mapping::shared(4096).or_fail("shared memory")?;
    let report = memory.address() as *mut Report;
    let mut child = Child::fork(&mut || match ptrace::trace_me() {
        Ok(()) => body(report),
        Err(_) => 99,
    })
    .or_fail("fork")?;
    match child.wait().or_fail("wait")? {
        Ending::Stopped(SIGSTOP) => {}
        Ending::Exited(99) => return Err(skip!("ptrace is not allowed here")),
        other => return Err(fail!("the traced child did not stop: {other}")),
    }
    // SAFETY: the child has stopped after its last write to the page.
    let report = unsafe { report.read_volatile() };
    let seen = match ptrace::rseq_configuration(child.pid) {
        Err(Errno::EIO) => return Err(skip!("no PTRACE_GET_RSEQ_CONFIGURATION (Linux 5.13)")),
        result => result.or_fail("PTRACE_GET_RSEQ_CONFIGURATION")?,
    };
    child.kill(SIGKILL).or_fail("kill")?;
    Ok((report, seen))
}

fn agrees(report: &Report, seen: &RseqConfiguration) -> Verdict {
    let (address, length, signature) = (seen.rseq_abi_pointer, seen.rseq_abi_size, seen.signature);
    ensure!(report.address != 0, "the child reported no address");
    ensure!(address == report.address as u64, "address {address:#x}, reported {:#x}", report.address);
    ensure!(length == report.length, "length {length}, reported {}", report.length);
    ensure!(signature == arch::SIGNATURE, "signature {signature:#x}, reported {:#x}", arch::SIGNATURE);
    ensure!(seen.flags == 0, "flags {:#x}", seen.flags);
    Ok(())
}

fn main_thread() -> Verdict {
    let (report, seen) = traced(&mut |report| {
        let written = write_report(report);
        stop();
        u8::from(!written)
    })?;
    agrees(&report, &seen)
}

/// The main thread is the one that stops first; its tracer then attaches to the other by its number.
fn other_thread() -> Verdict {
    let memory = Mapping::shared(4096).or_fail("shared memory")?;
    let report = memory.address() as *mut Report;
    let mut child = Child::fork(&mut || {
        let report = report as usize;
        let thread = rseq_rt::thread::spawn(move || {
            if !write_report(report as *mut Report) {
                return;
            }
            loop {
                harness::sys::time::sleep(harness::sys::time::SECOND);
            }
        });
        match thread {
            Ok(handle) => {
                handle.join();
                1
            }
            Err(_) => 98,
        }
    })
    .or_fail("fork")?;
    let tid = wait_for_report(report)?;
    match ptrace::attach(tid) {
        Err(Errno::EPERM) => return Err(skip!("ptrace is not allowed here")),
        result => result.or_fail("PTRACE_ATTACH")?,
    }
    wait_for_stop(tid)?;
    let seen = ptrace::rseq_configuration(tid);
    // A traced thread that is killed waits for its tracer, and the process for that thread.
    ptrace::detach(tid).or_fail("PTRACE_DETACH")?;
    let seen = match seen {
        Err(Errno::EIO) => return Err(skip!("no PTRACE_GET_RSEQ_CONFIGURATION (Linux 5.13)")),
        result => result.or_fail("PTRACE_GET_RSEQ_CONFIGURATION")?,
    };
    child.kill(SIGKILL).or_fail("kill")?;
    while matches!(child.wait().or_fail("wait")?, Ending::Stopped(_)) {}
    // SAFETY: the writer is dead.
    let report = unsafe { report.read_volatile() };
    ensure!(report.address != Registered::by_runtime()?.address, "the thread uses the main thread's area");
    agrees(&report, &seen)
}

fn wait_for_report(report: *mut Report) -> Result<u32, Unmet> {
    use harness::sys::time::{Deadline, MILLISECOND, SECOND, sleep};
    let deadline = Deadline::after(10 * SECOND);
    loop {
        // SAFETY: a mapped page, and the field is an atomic.
        let tid = unsafe { (*report).tid.load(Acquire) };
        if tid != 0 {
            return Ok(tid);
        }
        in_time!(!deadline.is_past(), "the child's thread never reported");
        sleep(MILLISECOND);
    }
}

fn wait_for_stop(tid: u32) -> Verdict {
    let ending = process::wait_thread(tid).or_fail("waiting for the thread to stop")?;
    ensure!(ending == Ending::Stopped(SIGSTOP), "the thread: {ending}");
    Ok(())
}

fn released() -> Verdict {
    let (_, seen) = traced(&mut |report| {
        let written = write_report(report);
        // SAFETY: this child stops and is killed; no section runs in it.
        let gone = Registered::by_runtime().is_ok_and(|registered| unsafe { registered.release() }.is_ok());
        stop();
        u8::from(!(written && gone))
    })?;
    ensure!(seen.rseq_abi_pointer == 0, "address {:#x} after the release", seen.rseq_abi_pointer);
    // Up to Linux 6.2 there is one length, which the kernel gives whether or not there is a registration.
    let silent = !rseq_rt::kernel().has_feature_size() && seen.rseq_abi_size == ORIGINAL_SIZE;
    ensure!(silent || seen.rseq_abi_size == 0, "length {} after the release", seen.rseq_abi_size);
    Ok(())
}
