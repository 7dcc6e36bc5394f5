//! What the kernel makes of descriptors that are wrong: a table after `kernel/rseq.c`, checked row by row.
//!
//! Each row runs in a child that spoils the descriptor of a real section, made writable for that, and then stays in
//! that section under a timer signal; and in another one, which enters the kernel by system calls outside of the
//! section.
#![no_std]
#![no_main]

mod fates;

use harness::debug::Debugging;
use harness::delayed::{DELAY, Delay, ROUNDS, delayed_add};
use harness::generation::Generation;
use harness::index::{ByCpu, Choice, Here};
use harness::ktap::{OrFail, Suite, Unmet, Verdict};
use harness::load::{self, signal_period};
use harness::registration::{self, Registered};
use harness::slots::Slots;
use harness::sys::cpu::{self, Set};
use harness::sys::memory;
use harness::sys::process::{self, Ending};
use harness::sys::signal::{self, Action};
use harness::sys::time::{Deadline, MILLISECOND, SECOND, Ticker, sleep_away};
use harness::text::Text;
use harness::{args, fail, group, late, note, program, require, skip, tests};
use linux_raw_sys::general::{self as raw, SIGSEGV, SIGUSR1};
use rseq_core::abi::{self, Rseq, RseqCs};
use rseq_core::sys::{Errno, rseq_raw};
use rseq_core::{Aborted, Committed, arch};
use rseq_rt::process::ExitCode;

use fates::Fate::{Aborts, Clears, Dies, Undefined, Unnoticed, Untouched};
use fates::{Checks, Fate, Fault, INSIDE, Look, ROWS, Row};

rseq_rt::entry!(main);

const USAGE: &str = "bad_descriptors: what the kernel makes of wrong descriptors\n\
usage: bad_descriptors [--short]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let time = if args::short(USAGE) { 150 * MILLISECOND } else { 400 * MILLISECOND };
    require!(registration::token());
    match Debugging::open() {
        Ok(switch) => tests! {
            suite => with_switch(suite, &switch, false, time),
            suite => with_switch(suite, &switch, true, time),
        },
        Err(errno) => tests! {
            "rseq debugging on" => Err(skip!("no switch debugfs rseq/debug: {errno}")),
            suite => without_switch(suite, time, errno),
        },
    }
}

fn with_switch(suite: &mut Suite, switch: &Debugging, on: bool, time: u64) {
    let (name, checks) = if on { ("rseq debugging on", Checks::All) } else { ("rseq debugging off", Checks::Few) };
    match switch.set(on) {
        Ok(()) => table(suite, name, checks, time),
        Err(errno) => suite.report(format_args!("{name}"), Err(skip!("rseq/debug cannot be set: {errno}"))),
    }
}

/// Kernels with extensions of 7.0 have the new checks; others without the switch have the old ones. A kernel that may
/// have either is not tested.
fn without_switch(suite: &mut Suite, time: u64, errno: Errno) {
    if rseq_rt::kernel().active_size() > abi::ORIGINAL_SIZE {
        table(suite, "checks of 7.0 and later", Checks::Few, time);
    } else if errno == Errno::ENOENT || rseq_rt::kernel().active_size() < abi::ORIGINAL_SIZE {
        table(suite, "checks up to 6.18", Checks::Always, time);
    } else {
        suite.report(
            format_args!("checks"),
            Err(skip!("without debugfs this kernel may have the old or the new checks")),
        );
    }
}

fn table(suite: &mut Suite, name: &str, checks: Checks, time: u64) {
    let generation = match checks {
        Checks::All => Ok(Generation::Debugged),
        _ => Generation::probe(),
    };
    let look = match generation {
        Ok(generation) => Look::of(checks, generation),
        Err(unmet) => return suite.report(format_args!("{name}"), Err(unmet)),
    };
    let outside = || ROWS.iter().filter(|row| !matches!(row.fault, Fault::SystemCall));
    group!(suite, name, {
        suite * ROWS.len() as u32 => ROWS.iter().for_each(|row| suite.test(row.name, &mut || row.check(checks, time))),
        suite * outside().count() as u32 => outside().for_each(|row| {
            suite.report(format_args!("{}, system calls outside", row.name), row.check_calls(checks, &look));
        }),
    });
}

/// Whether the kernel is from before the change that kills a thread for each flag of a descriptor
/// (`rseq_need_restart`).
fn is_before_6_0() -> bool {
    let major = |name: process::KernelName| name.release().split('.').next()?.parse::<u32>().ok();
    process::kernel_name().and_then(major).is_some_and(|major| major < 6)
}

const NO_ABORT: u8 = 10;
const UNPREPARED: u8 = 11;
const UNDISTURBED: u8 = 12;
const CLEARED: u8 = 13;
const UNTOUCHED: u8 = 14;

impl Row {
    fn check(&self, checks: Checks, time: u64) -> Verdict {
        let expected = match self.before_6_0 {
            Some(fate) if checks == Checks::Always && is_before_6_0() => fate,
            _ => self.fates[checks as usize],
        };
        if let Undefined(why) = expected {
            return Err(skip!("{why}"));
        }
        let registered = Registered::by_runtime()?;
        let astray = self.goes_astray();
        let found =
            settled(expected, if astray { 5 } else { 1 }, astray, &mut || victim(self.fault, registered, time))?;
        judge(found, expected, self.source[usize::from(checks != Checks::Always)])
    }

    /// If an interrupt hits a child that is about to make its system call, the abort may send it anywhere, so any exit
    /// is legal. The kernel's check kills it each time.
    fn goes_astray(&self) -> bool {
        matches!(self.fault, Fault::SystemCall)
    }

    /// The child is in user mode for a few instructions only. Where an interrupt takes the CPU from it just then, the
    /// kernel looks, so that another is tried.
    fn check_calls(&self, checks: Checks, look: &Look) -> Verdict {
        let era = usize::from(checks != Checks::Always);
        let (expected, source) = match (look, self.outside[checks as usize]) {
            (Look::Unknown(why), _) => return Err(skip!("{why}")),
            (Look::Interrupted, _) => (Untouched, "rseq_update_usr"),
            (Look::Called, outside) => (outside, "rseq_debug_syscall_return"),
            (Look::Switched, Clears) => (Clears, INSIDE[era]),
            (Look::Switched, outside) => (outside, self.source[era]),
        };
        if let Undefined(why) = expected {
            return Err(skip!("{why}"));
        }
        let registered = Registered::by_runtime()?;
        let found = settled(expected, 5, false, &mut || caller(self.fault, registered))?;
        judge(found, expected, source)
    }
}

/// Runs up to `tries` children and returns the first expected fate, else the last. An unclassifiable exit fails at
/// once, except from children whose exit may be any.
fn settled(expected: Fate, tries: u32, astray: bool, child: &mut dyn FnMut() -> Option<u8>) -> Result<Fate, Unmet> {
    let mut found = fate(expected, child);
    for _ in 1..tries {
        if found.as_ref().map_or(!astray, |found| *found == expected) {
            break;
        }
        found = fate(expected, child);
    }
    found
}

fn judge(found: Fate, expected: Fate, source: &str) -> Verdict {
    let why = Text::of(format_args!("{found}, expected by {source}: {expected}"));
    match found {
        _ if found == expected => Ok(()),
        // The kernel has not looked.
        Unnoticed | Untouched => Err(Unmet::TimedOut(why)),
        Dies | Aborts | Clears | Undefined(_) => Err(Unmet::Fail(why)),
    }
}

/// The fate of one child.
fn fate(expected: Fate, child: &mut dyn FnMut() -> Option<u8>) -> Result<Fate, Unmet> {
    match process::in_child(20 * SECOND, &mut || child().unwrap_or(UNPREPARED)).or_fail("fork")? {
        Ending::Killed(SIGSEGV) => Ok(Dies),
        Ending::Exited(0) => Ok(Aborts),
        Ending::Exited(NO_ABORT) => Ok(Unnoticed),
        Ending::Exited(CLEARED) => Ok(Clears),
        Ending::Exited(UNTOUCHED) => Ok(Untouched),
        Ending::Exited(UNPREPARED) => Err(fail!("the child could not prepare its section")),
        Ending::Exited(UNDISTURBED) => Err(late!("the child's section was hardly interrupted")),
        other => Err(fail!("{other}, expected: {expected}")),
    }
}

/// The child: 0 if its section was aborted.
fn victim(fault: Fault, registered: Registered, time: u64) -> Option<u8> {
    let token = rseq_rt::current()?;
    let slots = Slots::new().ok()?;
    let mut delay = Delay::new();
    signal::set(SIGUSR1, Action::Handler(load::count_signal)).ok()?;
    let period = signal_period::measured().ok()?;
    let descriptor = writable(token, &slots, &mut delay)?;
    let address = spoilt(fault, registered, descriptor)?;
    match fault {
        Fault::Address(_) => return Some(spin_with(address, period, time)),
        Fault::SystemCall => return call_inside(descriptor),
        _ => {}
    }
    let _ticker = Ticker::start(SIGUSR1, period).ok()?;
    let watch = Watch::start(time);
    let mut aborts = 0;
    while aborts < 3 && watch.goes_on() {
        for _ in 0..ROUNDS {
            aborts += usize::from(once(token, &slots, &mut delay)?.is_err());
        }
    }
    note!("{aborts} aborts, {} signals", watch.signals());
    Some(match aborts {
        0 if watch.signals() < 3 => UNDISTURBED,
        0 => NO_ABORT,
        _ => 0,
    })
}

/// The child that has a descriptor armed and its IP outside of it: it sleeps in a system call, so that another thread
/// runs.
fn caller(fault: Fault, registered: Registered) -> Option<u8> {
    let descriptor = writable(rseq_rt::current()?, &Slots::new().ok()?, &mut Delay::new())?;
    let address = spoilt(fault, registered, descriptor)?;
    // SAFETY: this thread's own area; no section runs, and a wrong descriptor concerns the kernel alone.
    unsafe { armed_word().write_volatile(address as usize) };
    sleep_away();
    // SAFETY: as above; volatile, as the kernel clears the word.
    Some(if unsafe { armed_word().read_volatile() } == 0 { CLEARED } else { UNTOUCHED })
}

/// The descriptor of this program's section, writable, in a thread that stays on its CPU: a section that finds itself
/// on another one than it was meant for ends like one that the kernel has aborted.
fn writable(token: Here, slots: &Slots, delay: &mut Delay) -> Option<*mut RseqCs> {
    cpu::set_affinity(0, &Set::only(token.cpu_id())).ok()?;
    let descriptor = armed(token, slots, delay)?;
    let ends = [descriptor as usize, descriptor as usize + size_of::<RseqCs>()];
    // SAFETY: adds a permission; nothing relies on a write to a descriptor being fatal.
    unsafe { memory::protect(ends[0], ends[1], raw::PROT_READ | raw::PROT_WRITE) }.ok()?;
    Some(descriptor)
}

/// Makes the fault: what to arm is at the address that this returns.
fn spoilt(fault: Fault, registered: Registered, descriptor: *mut RseqCs) -> Option<u64> {
    match fault {
        Fault::None | Fault::SystemCall => {}
        Fault::Signature => register_with_signature(registered, !arch::SIGNATURE)?,
        // SAFETY: the descriptor of this program's section, writable since just now; no section runs now.
        Fault::Field(spoil) => spoil(unsafe { &mut *descriptor }),
        Fault::Address(address) => return Some(address()),
    }
    Some(descriptor as u64)
}

/// Turns between two looks at the clock of a child that has no section to run.
const TURNS: usize = 20_000;

/// How long a child waits to be interrupted.
struct Watch {
    deadline: Deadline,
    patience: Deadline,
    /// Signals before it.
    before: u32,
}

impl Watch {
    fn start(time: u64) -> Self {
        Self { deadline: Deadline::after(time), patience: Deadline::after(10 * SECOND), before: load::signals() }
    }

    fn signals(&self) -> u32 {
        load::signals() - self.before
    }

    /// For the time, and on slow machines until there were enough signals for one to have hit the section.
    fn goes_on(&self) -> bool {
        !self.deadline.is_past() || (self.signals() < 100 && !self.patience.is_past())
    }
}

/// The one copy of the section that this program runs.
#[inline(never)]
fn once(token: Here, slots: &Slots, delay: &mut Delay) -> Option<Result<Committed, Aborted>> {
    let slot = ByCpu::value(token);
    let (from, to) = delay.ends();
    // SAFETY: the slot's own word, the delay's ends are the caller's, and a slot number is not -1 or -2.
    Some(unsafe { delayed_add(token, slot, slots.word(slot)?, 1, from, to, DELAY) })
}

/// The word of this thread's area that holds the armed descriptor's address.
fn armed_word() -> *mut usize {
    let area: *mut Rseq = arch::own_area().as_ptr();
    area.cast::<usize>().wrapping_byte_add(abi::RSEQ_CS_LOW)
}

/// Runs the section until the kernel has left its descriptor's address in the area.
fn armed(token: Here, slots: &Slots, delay: &mut Delay) -> Option<*mut RseqCs> {
    for _ in 0..1000 {
        once(token, slots, delay)?.ok();
        // SAFETY: this thread's own area; volatile, as the kernel clears the word.
        let address = unsafe { armed_word().read_volatile() };
        if address != 0 {
            return Some(address as *mut RseqCs);
        }
    }
    None
}

fn register_with_signature(registered: Registered, signature: u32) -> Option<()> {
    // SAFETY: the child runs its one section and exits; the effect of the descriptor is the test.
    unsafe { registered.release() }.ok()?;
    // SAFETY: the area that was registered until the line before.
    unsafe { rseq_raw(registered.address, registered.length, 0, signature) }.ok()
}

/// Points the area at an address that is no descriptor, and waits to be interrupted.
fn spin_with(address: u64, period: u64, time: u64) -> u8 {
    let Ok(_ticker) = Ticker::start(SIGUSR1, period) else { return UNPREPARED };
    // SAFETY: this thread's own area; a wrong address there concerns the kernel alone.
    unsafe { armed_word().write_volatile(address as usize) };
    let watch = Watch::start(time);
    while watch.goes_on() {
        // The kernel looks at the descriptor after a signal in user mode, and a look at the clock is a system call.
        for _ in 0..TURNS {
            core::hint::spin_loop();
        }
    }
    if watch.signals() < 3 { UNDISTURBED } else { NO_ABORT }
}

/// Calls the kernel once while a descriptor says that everything below the abort handler is inside.
fn call_inside(descriptor: *mut RseqCs) -> Option<u8> {
    // SAFETY: the descriptor of this program's section; no section runs now.
    let cs = unsafe { &mut *descriptor };
    cs.start_ip = 4096;
    cs.post_commit_offset = cs.abort_ip - 4 - cs.start_ip;
    // SAFETY: this thread's own area. Should an interrupt come before the word is cleared again, the child goes astray
    // and most likely dies; it has nothing to lose, and another one is tried.
    unsafe { armed_word().write_volatile(descriptor as usize) };
    process::id();
    // SAFETY: as above.
    unsafe { armed_word().write_volatile(0) };
    Some(NO_ABORT)
}
