//! Sections that signals interrupt: handlers with sections of their own, nested, on an alternate stack, and within
//! themselves.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use harness::delayed::{DELAY, Delay, ROUNDS, delayed_add};
use harness::exact::exact;
use harness::index::{ByCpu, ByMmCid, Choice, Here};
use harness::ktap::{OrFail, Suite, Verdict};
use harness::load::{self, Load, Worker, signal_period};
use harness::options::PATIENCE;
use harness::slots::Slots;
use harness::sys::memory::Mapping;
use harness::sys::signal::{self, Action};
use harness::sys::time::{self, Deadline, MILLISECOND, Ticker};
use harness::{args, ensure, group, in_time, note, program, registration, require, tests};
use linux_raw_sys::general::{SIGUSR1, SIGUSR2};
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

const USAGE: &str = "signal_test: sections and signal handlers interrupt each other\n\
usage: signal_test [--short]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

const STACK: usize = 128 << 10;

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let time = if args::short(USAGE) { 200 * MILLISECOND } else { 400 * MILLISECOND };
    let token = require!(registration::token());
    tests! {
        suite => by::<ByCpu>(suite, "by cpu_id", token, time),
        suite => by::<ByMmCid>(suite, "by mm_cid", token, time),
        "a load ends whose handler outlasts the time between two signals" => outlasted(),
    }
}

/// Whether a load's worker has begun, and signals are no longer measured.
static BEGUN: AtomicBool = AtomicBool::new(false);

/// Takes longer than the time between two signals can be: the next one is there when it returns.
extern "C" fn outlast(signal: i32) {
    if BEGUN.load(Relaxed) {
        time::sleep(signal_period::LONGEST + 50 * MILLISECOND);
    }
    load::count_signal(signal);
}

fn outlasted() -> Verdict {
    let load = Load { handler: outlast, ..Load::heavy(1, 100 * MILLISECOND, usize::MAX) };
    let work = |worker: &Worker<'_>| {
        BEGUN.store(true, Relaxed);
        while worker.goes_on() {}
    };
    let record = load.run(&work).or_fail("the load")?;
    in_time!(record.signals > signal_period::SAMPLES, "no signal came while the worker ran");
    Ok(())
}

fn by<C: Choice>(suite: &mut Suite, name: &str, token: Here, time: u64) {
    let (plain, slow) = (Action::Handler(handle::<C>), Action::Handler(handle_slowly::<C>));
    group!(suite, name, {
        "a handler's sections" => run::<C>(token, time, [Some(plain), None]),
        "handlers that interrupt handlers" => {
            run::<C>(token, time, [Some(slow), Some(slow)])?;
            in_time!(DEEPEST.load(Relaxed) >= 2, "no handler interrupted another");
            Ok(())
        },
        "a handler that interrupts itself" => {
            run::<C>(token, time, [Some(Action::Nested(handle_slowly::<C>)), None])?;
            in_time!(DEEPEST.load(Relaxed) >= 2, "no handler interrupted itself");
            Ok(())
        },
        "a handler on an alternate stack" => on_alternate_stack::<C>(token, time),
    });
}

fn on_alternate_stack<C: Choice>(token: Here, time: u64) -> Verdict {
    let stack = Mapping::private(STACK).or_fail("memory for a stack")?;
    // SAFETY: forgotten below, so mapped until the process ends.
    unsafe { signal::set_alternate_stack(stack.address(), stack.len()) }.or_fail("sigaltstack")?;
    STACK_START.store(stack.address(), Relaxed);
    core::mem::forget(stack);
    run::<C>(token, time, [Some(Action::OnAlternateStack(handle::<C>)), None])?;
    ensure!(ON_STACK.load(Relaxed) == HANDLED.load(Relaxed), "a handler ran on another stack");
    Ok(())
}

/// The slots that the main program and the handlers add to.
static SLOTS: AtomicUsize = AtomicUsize::new(0);
static ADDED: AtomicUsize = AtomicUsize::new(0);
static HANDLED: AtomicUsize = AtomicUsize::new(0);
static HANDLER_ABORTS: AtomicUsize = AtomicUsize::new(0);
static DEPTH: AtomicUsize = AtomicUsize::new(0);
static DEEPEST: AtomicUsize = AtomicUsize::new(0);
static STACK_START: AtomicUsize = AtomicUsize::new(0);
static ON_STACK: AtomicUsize = AtomicUsize::new(0);
/// Whether a handler has waited for another one in vain.
static GAVE_UP: AtomicUsize = AtomicUsize::new(0);

/// Adds to this thread's slot until that committed; the aborts on the way.
fn add<C: Choice>(token: Here, slots: &Slots, delay: &mut Delay) -> Option<usize> {
    let (from, to) = delay.ends();
    let mut aborts = 0;
    loop {
        let slot = C::value(token);
        // SAFETY: the slot's own word, the delay's ends are the caller's, and a slot number is not -1 or -2.
        match unsafe { delayed_add(C::of(token).ok()?, slot, slots.word(slot)?, 1, from, to, DELAY) } {
            Ok(_) => return Some(aborts),
            Err(_) => aborts += 1,
        }
    }
}

extern "C" fn handle<C: Choice>(_: i32) {
    let _ = handled::<C>(|| false);
}

/// Goes on until another handler has interrupted one, however slow the machine is.
extern "C" fn handle_slowly<C: Choice>(_: i32) {
    // On top of a handler that has not begun, which counts as no depth yet, no signal is left that could interrupt.
    let last = [SIGUSR1, SIGUSR2].into_iter().all(|signal| signal::is_blocked(signal) == Ok(true));
    let patience = Deadline::after(if last { 0 } else { PATIENCE });
    let _ = handled::<C>(|| DEEPEST.load(Relaxed) < 2 && GAVE_UP.load(Relaxed) == 0 && !patience.is_past());
    if DEEPEST.load(Relaxed) < 2 && !last {
        GAVE_UP.store(1, Relaxed);
    }
}

/// Adds once, and again for as long as `more` says so.
fn handled<C: Choice>(more: impl Fn() -> bool) -> Option<()> {
    HANDLED.fetch_add(1, Relaxed);
    let mut delay = Delay::new();
    let here = &raw const delay as usize;
    let stack = STACK_START.load(Relaxed);
    ON_STACK.fetch_add(usize::from((stack..stack + STACK).contains(&here)), Relaxed);
    let depth = DEPTH.fetch_add(1, Relaxed) + 1;
    DEEPEST.fetch_max(depth, Relaxed);
    // SAFETY: set by `run` to slots that it keeps for as long as there are signals.
    let slots = unsafe { (SLOTS.load(Relaxed) as *const Slots).as_ref()? };
    let token = rseq_rt::current()?;
    loop {
        HANDLER_ABORTS.fetch_add(add::<C>(token, slots, &mut delay)?, Relaxed);
        ADDED.fetch_add(1, Relaxed);
        if !more() {
            break;
        }
    }
    DEPTH.fetch_sub(1, Relaxed);
    Some(())
}

fn reset(slots: &Slots) {
    for counter in [&ADDED, &HANDLED, &HANDLER_ABORTS, &DEPTH, &DEEPEST, &ON_STACK, &GAVE_UP] {
        counter.store(0, Relaxed);
    }
    SLOTS.store(slots as *const Slots as usize, Relaxed);
}

fn run<C: Choice>(token: Here, time: u64, actions: [Option<Action>; 2]) -> Verdict {
    C::of(token)?;
    let slots = Slots::new().or_fail("memory for the slots")?;
    reset(&slots);
    signal::set(SIGUSR1, Action::Handler(harness::load::count_signal)).or_fail("rt_sigaction")?;
    let period = signal_period::measured().or_fail("a signal")?;
    // A handler that waits for the other signal must not run before that one has a timer.
    signal::block(SIGUSR1, true).or_fail("rt_sigprocmask")?;
    let mut tickers = [None, None];
    for (number, signal) in [SIGUSR1, SIGUSR2].into_iter().enumerate() {
        if let (Some(action), Some(ticker)) = (actions[number], tickers.get_mut(number)) {
            signal::set(signal, action).or_fail("rt_sigaction")?;
            // Periods without a common measure let one signal come at every point of the other's handler.
            *ticker = Some(Ticker::start(signal, period * (7 + 4 * number as u64) / 7).or_fail("timer_create")?);
        }
    }
    signal::block(SIGUSR1, false).or_fail("rt_sigprocmask")?;
    let counted = main_program::<C>(token, &slots, Deadline::after(time));
    drop(tickers);
    let (added, aborts) = counted.or_fail("the thread's slot is out of bounds")?;
    judge(added, aborts, &slots)
}

fn main_program<C: Choice>(token: Here, slots: &Slots, deadline: Deadline) -> Option<(usize, usize)> {
    let (mut added, mut aborts) = (0, 0);
    let mut delay = Delay::new();
    let patience = Deadline::after(PATIENCE);
    while !deadline.is_past() || (aborts == 0 && !patience.is_past()) {
        for _ in 0..ROUNDS {
            aborts += add::<C>(token, slots, &mut delay)?;
        }
        added += ROUNDS;
    }
    Some((added, aborts))
}

fn judge(added: usize, aborts: usize, slots: &Slots) -> Verdict {
    let (handled, inner, deepest) = (HANDLED.load(Relaxed), HANDLER_ABORTS.load(Relaxed), DEEPEST.load(Relaxed));
    let (total, found) = (added + ADDED.load(Relaxed), slots.sum());
    note!("{total} added, {found} found, {aborts} aborts, {inner} in {handled} handlers, {deepest} deep");
    exact(total as u64, found as u64)?;
    ensure!(DEPTH.load(Relaxed) == 0, "a handler did not come back");
    in_time!(handled > 0, "no signal was handled");
    in_time!(aborts > 0, "no section was aborted before the deadline");
    Ok(())
}
