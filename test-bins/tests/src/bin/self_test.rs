//! What rseq-core's self-test says of this kernel, next to what sections do here.
#![no_std]
#![no_main]

use harness::index::{ByCpu, Here};
use harness::ktap::{OrFail, Verdict};
use harness::load::{self, signal_period};
use harness::sys::signal::{self, Action};
use harness::sys::time::Ticker;
use harness::{args, ensure, expected, fail, program, registration, require, self_signal, skip, tests};
use rseq_core::{SelfTestError, ThreadArea};
use rseq_rt::process::ExitCode;

use linux_raw_sys::general::{SIGALRM, SIGUSR1};

rseq_rt::entry!(main);

const USAGE: &str = "self_test: whether this kernel restarts sections, as rseq-core's self-test finds out\n\
usage: self_test [--short]\n\
exit codes: 0 pass, 1 fail, 2 expected failure, 4 skip, 64 usage";

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    args::only_short(USAGE);
    let token = require!(registration::token());
    tests! {
        "the self-test agrees with sections under signals" => agrees(token),
        "so it does over the adopted registration" => adopted(),
        "and in a thread with the smallest stack" => in_thread(),
        "it leaves disposition, mask and timer as they are" => leaves_no_trace(token),
    }
}

/// A kernel that fails the self-test must lose the aborts of other sections too.
fn agrees(token: Here) -> Verdict {
    match rseq_core::self_test(token) {
        Ok(()) => self_signal::test::<ByCpu>(token, false, 1),
        Err(SelfTestError::NotRestarted) => match self_signal::test::<ByCpu>(token, false, 1) {
            Ok(()) => Err(fail!("the self-test finds no restart, but other sections are aborted")),
            Err(_) => Err(broken()),
        },
        Err(error) => Err(unanswered(error)),
    }
}

fn broken() -> harness::ktap::Unmet {
    expected!("{}: arm64's entry code of Linux 6.19 and 7.0 does not", SelfTestError::NotRestarted)
}

fn unanswered(error: SelfTestError) -> harness::ktap::Unmet {
    match error {
        SelfTestError::NoChild(_) => skip!("{error}"),
        _ => fail!("{error}"),
    }
}

/// The same answer for every way to the area.
fn same(answer: Result<(), SelfTestError>) -> Verdict {
    let token = registration::token()?;
    match (answer, rseq_core::self_test(token)) {
        (Ok(()), Ok(())) => Ok(()),
        (Err(SelfTestError::NotRestarted), Err(SelfTestError::NotRestarted)) => Err(broken()),
        (Err(error @ SelfTestError::NoChild(_)), _) => Err(unanswered(error)),
        (answer, other) => Err(fail!("{answer:?} and {other:?}")),
    }
}

fn adopted() -> Verdict {
    let token = ThreadArea::current().or_fail("nothing to adopt")?;
    same(rseq_core::self_test(token))
}

fn in_thread() -> Verdict {
    let builder = rseq_rt::thread::Builder::new().stack_size(rseq_rt::thread::MIN_STACK_SIZE);
    let thread = builder.spawn(|| registration::token().map(rseq_core::self_test));
    same(thread.or_fail("spawn")?.join()?)
}

fn leaves_no_trace(token: Here) -> Verdict {
    // A handler and a running timer for the very signal that the test uses.
    signal::set(SIGALRM, Action::Handler(load::count_signal)).or_fail("rt_sigaction")?;
    // What the period is measured with.
    signal::set(SIGUSR1, Action::Handler(load::count_signal)).or_fail("rt_sigaction")?;
    let ticker = Ticker::start(SIGALRM, signal_period::measured().or_fail("a signal")?).or_fail("timer_create")?;
    let answer = rseq_core::self_test(token);
    let blocked = signal::is_blocked(SIGALRM).or_fail("rt_sigprocmask")?;
    ensure!(!blocked, "SIGALRM is blocked");
    // The handler that was there is asked again: with another one, the process would end here.
    harness::sys::time::sleep(harness::sys::time::MILLISECOND * 20);
    drop(ticker);
    same(answer)
}
