//! What the runtime does before `main`, around it and after it: the program starts itself and looks at what comes out.
#![no_std]
#![no_main]

mod copy;
mod roles;

use core::ffi::CStr;

use harness::args::Args;
use harness::ktap::{OrFail, Verdict};
use harness::sys::call;
use harness::sys::file::{self, File};
use harness::sys::process::Ending;
use harness::sys::signal::{self, Action};
use harness::sys::time::MILLISECOND;
use harness::{ensure, fail, program, skip, tests};
use linux_raw_sys::general as raw;
use rseq_core::sys::Errno;
use rseq_rt::env;
use rseq_rt::io::STDOUT;
use rseq_rt::process::ExitCode;

use copy::Start;
use roles::{BULK, LINE, LINES, play};

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
        "where SIGSEGV is ignored, handlers have their alternate stack" => ignored_fault(),
        "an unlimited stack starts, and stays unlimited" => stack_limit(raw::RLIM64_INFINITY as u64),
        "a stack limit beyond the address space starts" => stack_limit(u64::MAX - 4096),
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
    let named = output.contains("start_test/roles.rs:") && output.contains("the message is 42");
    ensure!(named, "the panic's text is: {output}");
    Ok(())
}

fn panics_twice() -> Verdict {
    let copy = Start::new(c"START_TEST_ROLE=panic-twice").run()?;
    copy.expect(Ending::Exited(101))?;
    ensure!(copy.output().contains("start_test/roles.rs:"), "the panic's text is: {}", copy.output());
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

/// The runtime's handler is not installed then; the program's run where the runtime has made a place for them.
fn ignored_fault() -> Verdict {
    let prepare = || signal::set(raw::SIGSEGV, Action::Ignore);
    Start { prepare: &prepare, ..Start::new(c"START_TEST_ROLE=alternate") }.run()?.expect(Ending::Exited(0))
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
