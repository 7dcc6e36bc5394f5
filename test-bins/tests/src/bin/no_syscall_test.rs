//! Life without rseq(2): filters that refuse it with ENOSYS, with EPERM and by killing, for this program, for threads
//! that start later, and for the other tests of the suite.
#![no_std]
#![no_main]

use core::ffi::CStr;

use harness::args;
use harness::ktap::{self, OrFail, Suite, Unmet, Verdict};
use harness::registration::Registered;
use harness::sys::file;
use harness::sys::process::{self, Child, Ending};
use harness::sys::seccomp::{self, Refusal};
use harness::sys::time::SECOND;
use harness::text::Text;
use harness::{ensure, fail, group, program, skip, tests};
use linux_raw_sys::general::{__NR_rseq, SIGSYS};
use rseq_core::sys::Errno;
use rseq_core::{KernelRseq, Mode, OwnArea, RegisterError, Registration, abi};
use rseq_rt::io::STDOUT;
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

const USAGE: &str = "no_syscall_test: programs say so, and do not crash, where rseq(2) is refused\n\
usage: no_syscall_test [--short]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

/// What the filter could not be installed with: no seccomp in this kernel.
const NO_FILTER: u8 = 98;

/// Programs of this suite that need rseq, and an argument if it is not `--short`: each has to skip as a whole. Those
/// that are not installed are skipped. The runner's `tests/native/tables.rs` lists the others, with the reason.
const PROGRAMS: &[(&str, &CStr)] = &[
    ("basic_test", SHORT),
    ("basic_percpu_ops_test", SHORT),
    ("syscall_errors_test", SHORT),
    ("unregistered_test", SHORT),
    ("fork_test", SHORT),
    ("ptrace_test", SHORT),
    ("thread_test", SHORT),
    ("param_test", c"-M"),
    ("kvm_rseq_test", c"--skip-sanity-check"),
    ("membarrier_test", SHORT),
    ("membarrier_stress", SHORT),
    ("robust_test", SHORT),
    ("signal_test", SHORT),
    ("mm_cid_test", SHORT),
    ("operand_test", SHORT),
    ("step_test", SHORT),
    ("self_test", SHORT),
    ("node_test", SHORT),
    ("slice_test", SHORT),
    ("arch_memory_order", SHORT),
    ("abort_points", c"--legacy"),
    ("percpu_abort_points", c"--legacy"),
    ("hotplug_test", SHORT),
    ("bad_descriptors", SHORT),
    ("readonly_test", SHORT),
    ("far_handler_test", SHORT),
    ("uprobe_test", SHORT),
    ("negative_control", SHORT),
];

const SHORT: &CStr = c"--short";

const EUCLEAN: Errno = Errno(linux_raw_sys::errno::EUCLEAN as i32);

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    args::only_short(USAGE);
    tests! {
        suite => refused(suite, "refused with ENOSYS", Errno::ENOSYS),
        suite => refused(suite, "refused with EPERM", Errno::EPERM),
        suite => refused(suite, "refused with EACCES, which rseq(2) does not document", Errno::EACCES),
        suite => refused(suite, "refused with EUCLEAN, which systemd's filters return", EUCLEAN),
        // A registration that goes wrong must not pass for a kernel without rseq.
        group "refused with EINVAL, which is no absence" {
            suite * PROGRAMS.len() as u32 => all_fail(suite),
        },
        "a filter that kills does" => kills(),
    }
}

fn refused(suite: &mut Suite, name: &str, errno: Errno) {
    group!(suite, name, {
        "registering names the cause" => register(errno),
        "a registration from before goes on" => goes_on(errno),
        "a thread that starts now is not registered" => new_thread(errno),
        "releasing returns the error" => release(errno),
        "probe reports it" => probe(errno),
        suite * PROGRAMS.len() as u32 => PROGRAMS.iter().for_each(|(name, argument)| {
            suite.report(format_args!("{name} skips"), skips(name, argument, errno));
        }),
    });
}

/// Runs `body` in a child under the filter; its code is the verdict, 0 is a pass.
fn under_filter(errno: Errno, body: &mut dyn FnMut() -> u8) -> Result<Ending, Unmet> {
    let ending = process::in_child(20 * SECOND, &mut || match seccomp::refuse(__NR_rseq, Refusal::Error(errno)) {
        Ok(()) => body(),
        Err(_) => NO_FILTER,
    })
    .or_fail("fork")?;
    match ending {
        Ending::Exited(NO_FILTER) => Err(skip!("no seccomp filters here")),
        ending => Ok(ending),
    }
}

fn passes(ending: Ending, steps: &[&str]) -> Verdict {
    match ending {
        Ending::Exited(0) => Ok(()),
        Ending::Exited(step) => match steps.get(step as usize - 1) {
            Some(what) => Err(fail!("{what}")),
            None => Err(fail!("exit code {step}")),
        },
        other => Err(fail!("{other}")),
    }
}

/// The error that an attempt to register must return.
fn cause(errno: Errno, kernel: KernelRseq) -> RegisterError {
    if errno == Errno::ENOSYS && !kernel.has_feature_size() {
        RegisterError::NoSyscall
    } else {
        RegisterError::Blocked(errno)
    }
}

fn register(errno: Errno) -> Verdict {
    let inherited = Registered::by_runtime();
    let kernel = rseq_rt::kernel();
    let ending = process::in_child(20 * SECOND, &mut || {
        // SAFETY: the child registers below or exits; no section relies on what is released.
        let released = inherited.as_ref().is_ok_and(|registered| unsafe { registered.release() }.is_ok());
        if inherited.is_ok() && !released {
            return 1;
        }
        if seccomp::refuse(__NR_rseq, Refusal::Error(errno)).is_err() {
            return NO_FILTER;
        }
        // SAFETY: a forked child of one thread, which exits before its memory goes.
        let refused = unsafe { Registration::<OwnArea>::runtime(Mode::Extended) };
        match refused {
            Ok(_) => 2,
            Err(error) if error == cause(errno, kernel) => 0,
            Err(_) => 3,
        }
    })
    .or_fail("fork")?;
    match ending {
        Ending::Exited(NO_FILTER) => Err(skip!("no seccomp filters here")),
        ending => {
            passes(ending, &["releasing failed before the filter", "registering succeeded", "the cause is another"])
        }
    }
}

fn goes_on(errno: Errno) -> Verdict {
    if rseq_rt::current().is_none() {
        return Err(skip!("there is no registration"));
    }
    let ending = under_filter(errno, &mut || {
        let Some(token) = rseq_rt::current() else { return 1 };
        let mut word = 0usize;
        for _ in 0..1000 {
            let (cpu, v) = (token.cpu_id() as usize, &raw mut word);
            // SAFETY: `v` is a local of this thread, and the CPU is a registered area's.
            let _ = unsafe { rseq_core::ops::librseq::load_add_store(token, cpu, v, 1) };
        }
        // SAFETY: the local; volatile, for the sections wrote it.
        if unsafe { (&raw const word).read_volatile() } > 900 { 0 } else { 2 }
    })?;
    passes(ending, &["the registration is gone", "sections no longer commit"])
}

fn new_thread(errno: Errno) -> Verdict {
    let ending = under_filter(errno, &mut || match rseq_rt::thread::spawn(in_new_thread) {
        Ok(handle) => handle.join(),
        Err(_) => 3,
    })?;
    passes(ending, &["the thread believes it is registered", "a section ran without a registration", "no thread"])
}

fn in_new_thread() -> u8 {
    if rseq_rt::current().is_some() {
        return 1;
    }
    // SAFETY: a read of this thread's own area.
    let cpu_id = unsafe { (&raw const (*rseq_core::arch::own_area().as_ptr()).cpu_id).read_volatile() };
    if cpu_id >= abi::CPU_ID_REGISTRATION_FAILED { 0 } else { 2 }
}

fn release(errno: Errno) -> Verdict {
    let Ok(registered) = Registered::by_runtime() else { return Err(skip!("there is no registration")) };
    let ending = under_filter(errno, &mut || {
        // SAFETY: the filter refuses the call, so that nothing is released.
        match unsafe { registered.release() } {
            Ok(()) => 1,
            Err(found) if found == errno => 0,
            Err(_) => 2,
        }
    })?;
    passes(ending, &["the release succeeded", "the error is another"])
}

fn kills() -> Verdict {
    let Ok(registered) = Registered::by_runtime() else { return Err(skip!("there is no registration")) };
    let ending = process::in_child(20 * SECOND, &mut || {
        if seccomp::refuse(__NR_rseq, Refusal::Kill).is_err() {
            return NO_FILTER;
        }
        // SAFETY: the filter kills the child here.
        let _ = unsafe { registered.release() };
        1
    })
    .or_fail("fork")?;
    match ending {
        Ending::Exited(NO_FILTER) => Err(skip!("no seccomp filters here")),
        Ending::Killed(SIGSYS) => Ok(()),
        other => Err(fail!("{other}, expected SIGSYS")),
    }
}

fn probe(errno: Errno) -> Verdict {
    let (ending, output) = run("probe", SHORT, errno)?;
    ensure!(ending == Ending::Exited(0), "{ending}");
    let says = output.as_str().lines().any(|line| line.starts_with("registration") && line.contains("- "));
    ensure!(says, "no line of the report says that there is no registration");
    Ok(())
}

fn skips(name: &str, argument: &CStr, errno: Errno) -> Verdict {
    let (ending, output) = run(name, argument, errno)?;
    ensure!(ending == Ending::Exited(ktap::SKIP), "{ending}, expected exit code 4");
    ensure!(output.as_str().contains("1..0 # SKIP not registered: "), "no reason in the output");
    Ok(())
}

/// Side by side: a program that fails looks for what may hinder it here, which takes 0.2 s.
fn all_fail(suite: &mut Suite) {
    let mut programs = PROGRAMS.iter();
    let all: [_; PROGRAMS.len()] = core::array::from_fn(|_| {
        let (name, argument) = programs.next()?;
        Some((name, start(name, argument, Errno::EINVAL)))
    });
    for (name, started) in all.into_iter().flatten() {
        suite.report(format_args!("{name} fails"), started.and_then(fails));
    }
}

fn fails(started: Started) -> Verdict {
    let (ending, output) = started.end()?;
    ensure!(ending == Ending::Exited(ktap::FAIL), "{ending}, expected exit code 1");
    ensure!(output.as_str().contains("not registered: "), "no reason in the output");
    Ok(())
}

/// What a program printed, as far as it matters here.
type Output = Text<1024>;

/// A program of the suite under the filter, and the pipe that it prints to.
struct Started {
    child: Child,
    output: file::File,
}

/// Runs the suite's program `name` under the filter, to its end.
fn run(name: &str, argument: &CStr, errno: Errno) -> Result<(Ending, Output), Unmet> {
    start(name, argument, errno)?.end()
}

fn start(name: &str, argument: &CStr, errno: Errno) -> Result<Started, Unmet> {
    let path = sibling(name)?;
    let path = CStr::from_bytes_until_nul(path.as_bytes()).map_err(|_| fail!("the path of {name}"))?;
    let file = file::File::open(path).map_err(|errno| skip!("{name} is not installed: {errno}"))?;
    drop(file);
    let (output, input) = file::pipe().or_fail("pipe")?;
    let child = Child::fork(&mut || {
        if input.duplicate_to(STDOUT).is_err() {
            return 97;
        }
        if seccomp::refuse(__NR_rseq, Refusal::Error(errno)).is_err() {
            return NO_FILTER;
        }
        let arguments = [path.as_ptr().cast(), argument.as_ptr().cast(), core::ptr::null()];
        process::execute(path, &arguments, &[core::ptr::null()]);
        97
    })
    .or_fail("fork")?;
    Ok(Started { child, output })
}

impl Started {
    fn end(mut self) -> Result<(Ending, Output), Unmet> {
        // First, for a program that does not end is killed here; the pipe holds what it prints. Nearly thirty of them
        // may have started at once.
        let ending = self.child.wait_for(60 * SECOND).or_fail("wait")?;
        let mut bytes = [0; 1000];
        let text = self.output.read(&mut bytes).or_fail("read")?;
        let text = core::str::from_utf8(text).unwrap_or("?");
        match ending {
            Ending::Exited(NO_FILTER) => Err(skip!("no seccomp filters here")),
            ending => Ok((ending, Output::of(format_args!("{text}")))),
        }
    }
}

/// The path of another program in this one's directory, with a NUL at its end.
fn sibling(name: &str) -> Result<Text<512>, Unmet> {
    let own = program::path().ok_or_else(|| skip!("the kernel does not tell this program's path"))?;
    let directory = own.rsplit_once('/').map_or(".", |(directory, _)| directory);
    let path = Text::of(format_args!("{directory}/{name}\0"));
    ensure!(!path.is_cut(), "the path of {name} is too long");
    Ok(path)
}
