//! The per-CPU test: threads add to their CPU's slot while timer signals interrupt them and add there too.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rseq_core::percpu::{PossibleCpus, SlotCounter, SlotStorage, Slots};
use rseq_core::{Aborted, Area, ByCpu, Committed, Token};

use crate::held_open::{armed, unarmed};
use crate::source::Source;
use crate::storm::{self, Storm};

/// Bytes from one CPU's slot to the next.
const STRIDE: usize = 64;
/// The most CPUs that the storage is for.
const MAX_CPUS: usize = 1024;
/// Bytes that a section copies, to stay open for a while.
const DELAY: usize = 2048;
/// Between two signals to a thread.
const PERIOD: Duration = Duration::from_micros(100);

static STORAGE: SlotStorage<MAX_CPUS, ByCpu, STRIDE> = SlotStorage::new();
/// Its slots, for signal handlers.
static SLOTS: OnceLock<Slots<'static, ByCpu, STRIDE>> = OnceLock::new();
/// What signal handlers added.
static HANDLED: AtomicUsize = AtomicUsize::new(0);

/// What a trial ran with.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Threads that count.
    pub threads: usize,
    /// The aborts (or losses, of unarmed sections) that are enough.
    pub enough: usize,
    /// The end at the latest.
    pub deadline: Duration,
    /// Whether sections are armed.
    pub armed: bool,
}

/// What a trial found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trial {
    /// What threads and handlers added.
    pub added: usize,
    /// What handlers added.
    pub handled: usize,
    /// What the slots hold.
    pub found: usize,
    /// Aborts that the threads saw.
    pub aborts: usize,
}

/// The counter over the slots, and the check that this machine's CPUs fit.
pub fn counter() -> Result<SlotCounter<'static>> {
    let cpus = PossibleCpus::read().context("possible CPUs")?;
    let slots = STORAGE.slots(&cpus)?;
    Ok(SlotCounter::new(*SLOTS.get_or_init(|| slots)))
}

/// Runs the load over threads that register through `S`.
pub fn run<S: Source>(load: Load) -> Result<Trial> {
    let counter = counter()?;
    let before = counter.sum();
    HANDLED.store(0, Relaxed);
    storm::handle(add_in_handler::<S>).context("sigaction")?;
    let shared = Shared { stop: AtomicBool::new(false), added: AtomicUsize::new(0), aborts: AtomicUsize::new(0) };
    let results: Vec<Result<()>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..load.threads).map(|_| scope.spawn(|| work::<S>(load, &shared))).collect();
        let added = || shared.added.load(Relaxed) + HANDLED.load(Relaxed);
        wait(load, &shared, || added().saturating_sub(counter.sum().wrapping_sub(before)));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a thread panicked")))).collect()
    });
    results.into_iter().collect::<Result<()>>()?;
    let handled = HANDLED.load(Relaxed);
    let (added, aborts) = (shared.added.load(Relaxed) + handled, shared.aborts.load(Relaxed));
    Ok(Trial { added, handled, found: counter.sum().wrapping_sub(before), aborts })
}

struct Shared {
    stop: AtomicBool,
    added: AtomicUsize,
    aborts: AtomicUsize,
}

/// Stops the threads when they have seen enough, or at the deadline.
fn wait(load: Load, shared: &Shared, lost: impl Fn() -> usize) {
    let end = Instant::now() + load.deadline;
    let events = || if load.armed { shared.aborts.load(Relaxed) } else { lost() };
    while events() < load.enough && Instant::now() < end && !shared.stop.load(Relaxed) {
        thread::sleep(Duration::from_millis(5));
    }
    shared.stop.store(true, Relaxed);
}

fn work<S: Source>(load: Load, shared: &Shared) -> Result<()> {
    let registration = S::register().inspect_err(|_| shared.stop.store(true, Relaxed)).context("in a thread")?;
    let _storm = Storm::start(PERIOD).context("timer")?;
    count(registration.token(), load.armed, shared)
}

fn count<A: Area>(token: Token<'_, A>, armed: bool, shared: &Shared) -> Result<()> {
    let (from, mut to) = ([1u8; DELAY], [0u8; DELAY]);
    let (from, to) = (from.as_ptr(), to.as_mut_ptr());
    let slots = *SLOTS.get().context("no slots")?;
    while !shared.stop.load(Relaxed) {
        let cpu = token.cpu_id_start() as usize;
        ensure!(cpu < slots.len(), "a CPU beyond the possible ones");
        let word = slots.as_ptr().wrapping_byte_add(cpu * STRIDE);
        // SAFETY: `word` is the word of the CPU's slot in a static, which sections by CPU alone write; `from` and `to`
        // are DELAY bytes of two locals, and cpu_id_start is a possible CPU.
        let outcome = unsafe {
            match armed {
                true => armed::delayed_add(token, cpu, word, 1, from, to, DELAY),
                false => unarmed::delayed_add(token, cpu, word, 1, from, to, DELAY),
            }
        };
        match outcome {
            Ok(Committed) => shared.added.fetch_add(1, Relaxed),
            Err(Aborted) => shared.aborts.fetch_add(1, Relaxed),
        };
    }
    Ok(())
}

/// Adds on top of whatever it interrupts, in threads that are registered.
extern "C" fn add_in_handler<S: Source>(_: libc::c_int) {
    let (Some(slots), Some(token)) = (SLOTS.get(), S::current()) else { return };
    if SlotCounter::new(*slots).add(token, 1).is_ok() {
        HANDLED.fetch_add(1, Relaxed);
    }
}
