//! What the runtime does before `main`, around it and after it: the program starts itself and looks at what comes out.
#![no_std]
#![no_main]

use core::ffi::CStr;
use core::ptr::null;

use harness::args::Args;
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::sys::call;
use harness::sys::file::{self, File, pipe};
use harness::sys::memory::Mapping;
use harness::sys::process::{self, Child, Ending};
use harness::sys::time::{self, MILLISECOND, SECOND};
use harness::{ensure, fail, program, skip, tests};
use linux_raw_sys::{auxvec::AT_EXECFN, general as raw};
use rseq_core::sys::Errno;
use rseq_core::{Mode, RegisterError, Registration};
use rseq_rt::io::{STDERR, STDOUT, write_all};
use rseq_rt::process::ExitCode;
use rseq_rt::{NotRegistered, env, eprintln, print, println};

rseq_rt::entry!(main);

const USAGE: &str = "start_test: arguments, environment, output, exit codes and registration of a program
usage: start_test
exit codes: 0 pass, 1 fail, 2 expected failure, 3 unexpected pass, 4 skip, 64 usage";

/// The environment variable with the role of a started copy.
const ROLE: &str = "START_TEST_ROLE";

fn main() -> ExitCode {
    match env::var(ROLE) {
        Some(role) => ExitCode(play(role)),
        None => program::run(body),
    }
}

fn body() -> u8 {
    let mut args = Args::new(env::args().skip(1), USAGE);
    while let Some(option) = args.next_option() {
        args.unknown(option);
    }
    tests! {
        "arguments and environment arrive byte for byte" => arguments(),
        "the exit code is main's" => exit_codes(),
        "a panic names file, line and message, and fails" => panics(),
        "a panic whose message panics is heard" => panics_twice(),
        "lines are written whole, long output too" => long_output(),
        "a full pipe that does not block is waited for" => full_pipe(),
        "lost output is no success" => lost_output(),
        "output to a descriptor that cannot be written is no success" => unwritable_output(),
        "a closed standard output is none's fault" => closed_output(),
        "closed standard descriptors are open before main" => closed_descriptors(),
        "RSEQ_RT chooses the registration" => modes(),
        "a wrong RSEQ_RT is an error" => wrong_mode(),
        "a program with more rights than its caller ignores RSEQ_RT" => secure_mode(),
        "an unlimited stack starts, and stays unlimited" => stack_limit(raw::RLIM64_INFINITY as u64),
        "a stack limit beyond the address space starts" => stack_limit(u64::MAX - 4096),
    }
}

/// The parts of started copies; the result is their exit code.
fn play(role: &str) -> u8 {
    match role {
        "arguments" => expect_arguments(),
        "exit" => argument().map_or(99, |code| code as u8),
        "panic" => panic!("the message is {}", 6 * 7),
        "panic-twice" => panic!("the message is {Broken}"),
        "descriptors" => first_free_descriptor(),
        "long" => {
            for _ in 0..LINES {
                print!("{:>width$}\n", "#", width = LINE - 1);
            }
            0
        }
        "bulk" => write_bulk(),
        "print" => {
            println!("a line");
            0
        }
        "secure" => u8::from(env::auxv(linux_raw_sys::auxvec::AT_SECURE as usize) != Some(1)) * 4,
        "registration" => report_registration(),
        "limit" => u8::from(!has_stack_limit()),
        _ => 97,
    }
}

/// What panics while it is printed.
struct Broken;

impl core::fmt::Display for Broken {
    fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        panic!("the message panics")
    }
}

fn first_free_descriptor() -> u8 {
    File::open_at(raw::AT_FDCWD, c"/", raw::O_PATH).map_or(93, |file| file.descriptor() as u8)
}

/// Whether the soft limit is the one that the argument names. A 32-bit kernel takes what it cannot hold for no limit.
fn has_stack_limit() -> bool {
    let Ok([soft, _]) = stack_limits(None) else { return false };
    let wanted: Option<u64> = argument();
    wanted == Some(soft) || (soft == u64::MAX && wanted > Some(u32::MAX.into()))
}

/// More than a pipe holds, so that one `write(2)` takes a part of it.
const BULK: usize = 300_000;

fn write_bulk() -> u8 {
    let Ok(memory) = Mapping::private(BULK) else { return 98 };
    // SAFETY: the mapping has that many bytes, all 0, which are not written.
    let bytes = unsafe { core::slice::from_raw_parts(memory.address() as *const u8, BULK) };
    u8::from(write_all(STDOUT, bytes).is_err())
}

const LINE: usize = 3000;
const LINES: usize = 100;

fn expect_arguments() -> u8 {
    let wanted: [&[u8]; 4] = [b"start_test", b"", b"a b", b"\xff"];
    let bytes = env::args_os().map(CStr::to_bytes).eq(wanted);
    let text = env::args().eq(["start_test", "", "a b", env::NOT_UTF8]);
    let variables = env::var("EMPTY") == Some("")
        && env::var("NAME") == Some("a=b")
        && env::var("NAM").is_none()
        && env::var("BYTES").is_none()
        && env::var_bytes("BYTES") == Some(b"\xff");
    let auxiliary = env::auxv(linux_raw_sys::auxvec::AT_PAGESZ as usize).is_some_and(usize::is_power_of_two)
        && env::auxv(usize::MAX).is_none();
    u8::from(!bytes) | u8::from(!text) << 1 | u8::from(!variables) << 2 | u8::from(!auxiliary) << 3
}

/// The first argument as a number.
fn argument() -> Option<u64> {
    env::args().nth(1)?.parse().ok()
}

/// 0 extended, 1 legacy, 2 off and free to register itself, 3 refused by the kernel; more says what contradicts itself.
fn report_registration() -> u8 {
    let registered = rseq_rt::current().is_some();
    match rseq_rt::registration() {
        Ok(_) if !registered => 10,
        Err(_) if registered => 11,
        Ok(Mode::Extended) => 0,
        Ok(Mode::Legacy) => 1,
        Ok(_) => 14,
        Err(NotRegistered::Off) => register_alone(),
        Err(error) => {
            println!("{error}");
            3
        }
    }
}

fn register_alone() -> u8 {
    // SAFETY: the main thread, which outlives the registration: it is dropped right here.
    match unsafe { Registration::own(Mode::Extended) } {
        Ok(registration) if registration.token().is_registered() => 2,
        Ok(_) => 12,
        Err(RegisterError::OtherOwner(_)) => 13,
        Err(error) => {
            println!("{error}");
            3
        }
    }
}

/// How a started copy ended, and the first bytes that it wrote to standard output and standard error.
struct Ran {
    ending: Ending,
    text: [u8; 8192],
    length: usize,
    /// All bytes written.
    total: usize,
}

impl Ran {
    fn output(&self) -> &str {
        core::str::from_utf8(self.text.get(..self.length).unwrap_or(&[])).unwrap_or("?")
    }

    fn expect(&self, wanted: Ending) -> Verdict {
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
struct Start<'a> {
    /// `NAME=value` with [`ROLE`] for a name.
    role: &'a CStr,
    arguments: &'a [&'a CStr],
    variables: &'a [&'a CStr],
    /// What the child does right before it starts the program; its standard output and error are the pipe already.
    prepare: &'a dyn Fn() -> Result<(), Errno>,
    /// Pause in nanoseconds before the pipe is read.
    pause: u64,
}

impl<'a> Start<'a> {
    fn new(role: &'a CStr) -> Self {
        Self { role, arguments: &[c"start_test"], variables: &[], prepare: &|| Ok(()), pause: 0 }
    }

    fn run(self) -> Result<Ran, Unmet> {
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

fn arguments() -> Verdict {
    let arguments = &[c"start_test", c"", c"a b", c"\xff"];
    let variables = &[c"EMPTY=", c"NAME=a=b", c"BYTES=\xff"];
    Start { arguments, variables, ..Start::new(c"START_TEST_ROLE=arguments") }.run()?.expect(Ending::Exited(0))
}

fn exit_codes() -> Verdict {
    for (text, code) in [(c"0", 0), (c"1", 1), (c"77", 77), (c"255", 255)] {
        let arguments = &[c"start_test", text];
        Start { arguments, ..Start::new(c"START_TEST_ROLE=exit") }.run()?.expect(Ending::Exited(code))?;
    }
    Ok(())
}

fn panics() -> Verdict {
    let copy = Start::new(c"START_TEST_ROLE=panic").run()?;
    copy.expect(Ending::Exited(101))?;
    let output = copy.output();
    let named = output.contains("start_test.rs:") && output.contains("the message is 42");
    ensure!(named, "the panic's text is: {output}");
    Ok(())
}

fn panics_twice() -> Verdict {
    let copy = Start::new(c"START_TEST_ROLE=panic-twice").run()?;
    copy.expect(Ending::Exited(101))?;
    ensure!(copy.output().contains("start_test.rs:"), "the panic's text is: {}", copy.output());
    Ok(())
}

fn long_output() -> Verdict {
    let copy = Start::new(c"START_TEST_ROLE=long").run()?;
    copy.expect(Ending::Exited(0))?;
    ensure!(copy.total == LINES * LINE, "{} bytes came, not {}", copy.total, LINES * LINE);
    let whole = copy.output().lines().take(2).all(|line| line.len() == LINE - 1 && line.ends_with('#'));
    ensure!(whole, "a line is damaged");
    Ok(())
}

fn full_pipe() -> Verdict {
    let prepare = || {
        // SAFETY: the call changes a flag of a file that this program made.
        unsafe { call(raw::__NR_fcntl, [1, raw::F_SETFL as usize, raw::O_NONBLOCK as usize]) }.map(drop)
    };
    for (role, bytes) in [(c"START_TEST_ROLE=long", LINES * LINE), (c"START_TEST_ROLE=bulk", BULK)] {
        let ran = Start { prepare: &prepare, pause: 100 * MILLISECOND, ..Start::new(role) }.run()?;
        ran.expect(Ending::Exited(0))?;
        ensure!(ran.total == bytes, "{} bytes came, not {bytes}", ran.total);
    }
    Ok(())
}

fn lost_output() -> Verdict {
    File::open(c"/dev/full").map_err(|errno| skip!("/dev/full: {errno}"))?;
    let prepare = || File::open_at(raw::AT_FDCWD, c"/dev/full", raw::O_WRONLY)?.duplicate_to(STDOUT);
    let copy = Start { prepare: &prepare, ..Start::new(c"START_TEST_ROLE=print") }.run()?;
    copy.expect(Ending::Exited(1))?;
    ensure!(copy.output().contains("ENOSPC"), "the error is not named: {}", copy.output());
    Ok(())
}

fn unwritable_output() -> Verdict {
    let prepare = || File::open_at(raw::AT_FDCWD, c"/", raw::O_RDONLY)?.duplicate_to(STDOUT);
    let copy = Start { prepare: &prepare, ..Start::new(c"START_TEST_ROLE=print") }.run()?;
    copy.expect(Ending::Exited(1))?;
    ensure!(copy.output().contains("EBADF"), "the error is not named: {}", copy.output());
    Ok(())
}

fn close(descriptor: usize) -> Result<(), Errno> {
    // SAFETY: nothing in the child uses this descriptor but the program that it becomes.
    unsafe { call(raw::__NR_close, [descriptor]) }.map(drop)
}

/// Whatever is closed, the first file that the program opens has another number than 0, 1 and 2.
fn closed_descriptors() -> Verdict {
    for closed in 1..8_usize {
        // Whichever of them are open at all, from here on.
        let prepare = || {
            file::duplicate_output_to_input()?;
            (0..3).filter(|descriptor| closed >> descriptor & 1 == 1).try_for_each(close)
        };
        let copy = Start { prepare: &prepare, ..Start::new(c"START_TEST_ROLE=descriptors") }.run()?;
        match copy.ending {
            Ending::Exited(3..90) => {}
            other => return Err(fail!("with {closed:#b} closed, the program ended with {other}: {}", copy.output())),
        }
    }
    Ok(())
}

fn closed_output() -> Verdict {
    File::open(c"/dev/null").map_err(|errno| skip!("/dev/null: {errno}"))?;
    let prepare = || close(1);
    Start { prepare: &prepare, ..Start::new(c"START_TEST_ROLE=print") }.run()?.expect(Ending::Exited(0))
}

fn modes() -> Verdict {
    let role = c"START_TEST_ROLE=registration";
    let default = Start::new(role).run()?;
    if default.ending == Ending::Exited(3) {
        return Err(skip!("not registered: {}", default.output()));
    }
    default.expect(Ending::Exited(0))?;
    let modes = [(c"RSEQ_RT=extended", 0), (c"RSEQ_RT=", 0), (c"RSEQ_RT=legacy", 1), (c"RSEQ_RT=off", 2)];
    for (variable, code) in modes {
        let copy = Start { variables: &[variable], ..Start::new(role) }.run()?;
        copy.expect(Ending::Exited(code)).map_err(|_| fail!("{variable:?}: {}, not {code}", copy.ending))?;
    }
    Ok(())
}

fn wrong_mode() -> Verdict {
    let copy = Start { variables: &[c"RSEQ_RT=maybe"], ..Start::new(c"START_TEST_ROLE=print") }.run()?;
    copy.expect(Ending::Exited(2))?;
    let output = copy.output();
    ensure!(output.contains("RSEQ_RT=maybe") && !output.contains("a line"), "its text is: {output}");
    Ok(())
}

/// A real user that is not the effective one is what a setuid program has.
fn secure_mode() -> Verdict {
    const NOBODY: usize = 65534;
    let prepare = || {
        // SAFETY: the call takes numbers and changes the child's credentials only.
        unsafe { call(raw::__NR_setresuid, [NOBODY, 0, 0]) }.map(drop)
    };
    let role = c"START_TEST_ROLE=secure";
    let copy = Start { variables: &[c"RSEQ_RT=maybe"], prepare: &prepare, ..Start::new(role) }.run()?;
    match copy.ending {
        Ending::Exited(96) => Err(skip!("only root can run a program for another user: {}", copy.output())),
        Ending::Exited(4) => Err(skip!("the kernel does not set AT_SECURE")),
        _ => copy.expect(Ending::Exited(0)),
    }
}

/// The stack's limits (soft, hard), and new ones.
fn stack_limits(new: Option<[u64; 2]>) -> Result<[u64; 2], Errno> {
    let mut old = [0_u64; 2];
    let new = new.as_ref().map_or(0, |limits| limits.as_ptr() as usize);
    // SAFETY: the kernel reads two 64-bit words at `new`, if it is not null, and writes two at `old`.
    unsafe { call(raw::__NR_prlimit64, [0, raw::RLIMIT_STACK as usize, new, old.as_mut_ptr() as usize]) }.map(|_| old)
}

fn stack_limit(soft: u64) -> Verdict {
    let [_, hard] = stack_limits(None).or_fail("prlimit64")?;
    if hard < soft {
        return Err(skip!("the hard limit of the stack is {hard}"));
    }
    let text = harness::text::Text::<32>::of(format_args!("{soft}\0"));
    let text = CStr::from_bytes_with_nul(text.as_bytes()).map_err(|error| fail!("{error}"))?;
    let prepare = || stack_limits(Some([soft, hard])).map(drop);
    let start = Start { arguments: &[c"start_test", text], prepare: &prepare, ..Start::new(c"START_TEST_ROLE=limit") };
    start.run()?.expect(Ending::Exited(0))
}
