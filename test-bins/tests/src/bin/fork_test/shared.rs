//! Counters in memory that processes share (`MAP_SHARED`).

use core::ops::AddAssign;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use harness::delayed::{DELAY, Delay, ROUNDS, delayed_add};
use harness::exact::exact;
use harness::index::{ByCpu, ByMmCid, Choice, Here};
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::load::{self, signal_period};
use harness::options::PATIENCE;
use harness::slots::{STRIDE, Slots};
use harness::sys::cpu::{self, Set};
use harness::sys::memory::Mapping;
use harness::sys::process::{Child, Ending};
use harness::sys::signal::{self, Action};
use harness::sys::time::{Deadline, MILLISECOND, SECOND, Ticker};
use harness::{ensure, in_time, note, skip};
use linux_raw_sys::general::SIGUSR1;
use rseq_core::percpu::{self, PossibleCpus, SlotCounter};

/// What a process did.
#[repr(C)]
struct Account {
    added: AtomicUsize,
    aborts: AtomicUsize,
}

/// What all of them did.
#[derive(Default)]
pub struct Totals {
    pub added: usize,
    pub aborts: usize,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.added += other.added;
        self.aborts += other.aborts;
    }
}

/// Repeats `round` until a section was aborted, up to [`PATIENCE`]: a busy host may hold a guest's interrupts back.
pub fn until_aborted(round: impl Fn() -> Result<Totals, Unmet>) -> Result<Totals, Unmet> {
    let patience = Deadline::after(PATIENCE);
    let mut totals = Totals::default();
    while totals.aborts == 0 && !patience.is_past() {
        totals += round()?;
    }
    Ok(totals)
}

/// Adds for so many nanoseconds: how often, and how many sections were aborted. None if it cannot.
type Add<'a> = &'a dyn Fn(Here, u64) -> Option<(usize, usize)>;

pub fn by_cpu_id(short: bool) -> Verdict {
    let slots = Slots::shared().or_fail("shared slots")?;
    let totals = until_aborted(|| in_processes(short, &|token, time| count::<ByCpu>(token, &slots, time)))?;
    let found = slots.sum();
    note!("{} added, {found} found, {} aborts", totals.added, totals.aborts);
    exact(totals.added as u64, found as u64)?;
    in_time!(totals.aborts > 0, "no section was aborted before the deadline");
    Ok(())
}

/// [`SlotCounter`] over [`percpu::Slots::shared`]: by concurrency ID it does not compile.
pub fn by_the_core(short: bool) -> Verdict {
    let memory = Slots::shared().or_fail("shared slots")?;
    let words = memory.count() * STRIDE / size_of::<usize>();
    // SAFETY: the words of the mapping, zeroed and aligned to a page, which outlives the slice; they are changed by
    // sections and atomics only.
    let words = unsafe { core::slice::from_raw_parts(memory.base().cast::<AtomicUsize>(), words) };
    let cpus = PossibleCpus::read().or_fail("the possible CPUs")?;
    // SAFETY: these processes alone have the mapping, and use it through this counter.
    let slots = unsafe { percpu::Slots::<ByCpu, STRIDE>::shared(words, &cpus) }.ok().or_fail("slots for each CPU")?;
    let counter = SlotCounter::new(slots);
    let totals = in_processes(short, &|token, time| add_by_core(&counter, token, time))?;
    note!("{} added, {} found", totals.added, counter.sum());
    exact(totals.added as u64, counter.sum() as u64)?;
    Ok(())
}

fn add_by_core(counter: &SlotCounter<'_, ByCpu, STRIDE>, token: Here, time: u64) -> Option<(usize, usize)> {
    let mut added = 0;
    let deadline = Deadline::after(time);
    while !deadline.is_past() {
        for _ in 0..1000 {
            counter.add(token, 1).ok()?;
        }
        added += 1000;
    }
    Some((added, 0))
}

/// The control that shows why: two processes on two CPUs have the same concurrency ID, and no section is aborted for
/// it. That they do have the same is the kernel's choice, and measured.
pub fn by_mm_cid(token: Here, short: bool) -> Verdict {
    ByMmCid::of(token)?;
    if cpu::affinity(0).or_fail("sched_getaffinity")?.count() < 2 {
        return Err(skip!("only one CPU"));
    }
    let slots = Slots::shared().or_fail("shared slots")?;
    let patience = Deadline::after(PATIENCE);
    let (mut added, mut found, mut met, mut alike) = (0, 0, 0, 0);
    while found == added && !patience.is_past() {
        let meeting = Meeting::new()?;
        let totals = in_processes(short, &|token, time| {
            meeting.attend(token)?;
            count::<ByMmCid>(token, &slots, time)
        })?;
        added += totals.added;
        found = slots.sum();
        if let Some(same) = meeting.same_mm_cid()? {
            met += 1;
            alike += u32::from(same);
        }
    }
    note!("{added} added, {found} found; in {alike} of {met} meetings two CPUs had the same mm_cid");
    if found == added && met > 0 && alike == 0 {
        return Err(skip!("processes on different CPUs had different mm_cids in each of {met} meetings"));
    }
    in_time!(found < added, "nothing was lost: this control has to lose counts");
    Ok(())
}

/// Where as many processes as CPUs wait for each other, each on another CPU.
struct Meeting {
    memory: Mapping,
    cpus: Set,
    members: usize,
}

impl Meeting {
    fn new() -> Result<Self, Unmet> {
        let memory = Mapping::shared(4096).or_fail("shared memory")?;
        let cpus = cpu::affinity(0).or_fail("sched_getaffinity")?;
        Ok(Self { memory, cpus, members: (cpus.count() as usize).clamp(1, MOST) })
    }

    /// Word 0 counts the arrivals; after it, each member leaves its concurrency ID plus 1.
    fn word(&self, number: usize) -> Result<&AtomicUsize, Unmet> {
        let word = self.memory.slot::<AtomicUsize>(number).or_fail("a word")?;
        // SAFETY: aligned, in the mapping, a zeroed atomic.
        Ok(unsafe { &*word })
    }

    /// Goes on when all members are there, or after [`WAIT`]; those who come later at once.
    fn attend(&self, token: Here) -> Option<()> {
        let deadline = Deadline::after(WAIT);
        let arrived = self.word(0).ok()?;
        let number = arrived.fetch_add(1, Relaxed);
        let cpu = self.cpus.iter().nth(number % self.members)?;
        cpu::set_affinity(0, &Set::only(cpu)).ok()?;
        while arrived.load(Relaxed) < self.members {
            if deadline.is_past() {
                return Some(());
            }
        }
        if number < self.members {
            self.word(1 + number).ok()?.store(1 + ByMmCid::value(token), Relaxed);
        }
        Some(())
    }

    /// Whether two members had the same concurrency ID; None if they have not met.
    fn same_mm_cid(&self) -> Result<Option<bool>, Unmet> {
        let mut left = [0; MOST];
        for (number, left) in left.iter_mut().enumerate().take(self.members) {
            *left = self.word(1 + number)?.load(Relaxed);
        }
        let left = &left[..self.members];
        let same = left.iter().enumerate().any(|(number, mm_cid)| left[..number].contains(mm_cid));
        Ok((!left.contains(&0)).then_some(same))
    }
}

/// How long members wait for the last one.
const WAIT: u64 = 2 * SECOND;

/// The most processes that count together.
const MOST: usize = 8;

/// Twice as many processes as CPUs, each under its own timer signal.
fn in_processes(short: bool, add: Add<'_>) -> Result<Totals, Unmet> {
    let accounts = Mapping::shared(4096).or_fail("shared memory")?;
    let processes = (2 * cpu::affinity(0).or_fail("sched_getaffinity")?.count()).clamp(2, MOST as u32) as usize;
    let mut children = [const { None::<Child> }; MOST];
    for (number, child) in children.iter_mut().enumerate().take(processes) {
        let account = account(&accounts, number)?;
        *child = Some(Child::fork(&mut || in_process(account, short, add)).or_fail("fork")?);
    }
    for child in children.iter_mut().flatten() {
        let ending = child.wait_for(60 * SECOND).or_fail("wait")?;
        ensure!(ending == Ending::Exited(0), "a process: {ending}");
    }
    let mut totals = Totals::default();
    for number in 0..processes {
        let account = account(&accounts, number)?;
        totals += Totals { added: account.added.load(Relaxed), aborts: account.aborts.load(Relaxed) };
    }
    Ok(totals)
}

fn account(accounts: &Mapping, number: usize) -> Result<&Account, Unmet> {
    let account = accounts.slot::<Account>(number).or_fail("an account")?;
    // SAFETY: aligned, in the mapping, zeroed atomics.
    Ok(unsafe { &*account })
}

fn in_process(account: &Account, short: bool, add: Add<'_>) -> u8 {
    match interrupted(short, add) {
        Ok((added, aborts)) => {
            account.added.store(added, Relaxed);
            account.aborts.store(aborts, Relaxed);
            0
        }
        Err(code) => code,
    }
}

/// Adds to the slots by CPU, as one of several processes.
pub fn add(slots: &Slots, short: bool) -> Result<(usize, usize), u8> {
    interrupted(short, &|token, time| count::<ByCpu>(token, slots, time))
}

/// Adds under this thread's own timer signal; an exit code if it cannot.
fn interrupted(short: bool, add: Add<'_>) -> Result<(usize, usize), u8> {
    let token = rseq_rt::current().ok_or(1)?;
    signal::set(SIGUSR1, Action::Handler(load::count_signal)).map_err(|_| 2)?;
    let period = signal_period::measured().map_err(|_| 3)?;
    let _ticker = Ticker::start(SIGUSR1, period).map_err(|_| 4)?;
    add(token, if short { 200 * MILLISECOND } else { 400 * MILLISECOND }).ok_or(5)
}

fn count<C: Choice>(token: Here, slots: &Slots, time: u64) -> Option<(usize, usize)> {
    let deadline = Deadline::after(time);
    let token = C::of(token).ok()?;
    let (mut added, mut aborts) = (0, 0);
    let mut delay = Delay::new();
    let (from, to) = delay.ends();
    while !deadline.is_past() {
        for _ in 0..ROUNDS {
            let slot = token.slot() as usize;
            // SAFETY: the slot's own word, the delay's ends are locals, and a slot number is not -1 or -2.
            match unsafe { delayed_add(token, slot, slots.word(slot)?, 1, from, to, DELAY) } {
                Ok(_) => added += 1,
                Err(_) => aborts += 1,
            }
        }
    }
    Some((added, aborts))
}
