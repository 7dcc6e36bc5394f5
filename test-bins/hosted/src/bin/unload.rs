//! Unloading a library with critical sections: `unload storm|once|forget PLUGIN`.
//!
//! `storm` loads and unloads it many times while signals interrupt the threads that use it. `once` does so a single
//! time, and interrupts right afterwards; `forget` too, but leaves out the preparation, and so the kernel kills it.

use std::io::{Write, stdout};
use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Barrier, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use hosted::plugin::Plugin;
use hosted::report;
use hosted::source::{Adopted, Source};
use hosted::storm::{self, Storm};
use rseq_core::percpu::{PossibleCpus, SlotStorage, Slots};
use rseq_core::{Area, ThreadArea, Token};

const THREADS: usize = 4;
const ROUNDS: usize = 200;
const ADDS: usize = 2000;
const PERIOD: Duration = Duration::from_micros(100);

static STORAGE: SlotStorage<1024> = SlotStorage::new();
static SIGNALS: AtomicUsize = AtomicUsize::new(0);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let registration = match Adopted::register() {
        Ok(registration) => registration,
        Err(error) => return report::skip(&error.to_string()),
    };
    let result = match args[..] {
        ["storm", path] => storm(path),
        ["once", path] => once(path, registration.token(), true),
        ["forget", path] => once(path, registration.token(), false),
        _ => Err(anyhow!("usage: unload storm|once|forget PLUGIN")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

extern "C" fn count_signal(_: libc::c_int) {
    SIGNALS.fetch_add(1, Relaxed);
}

fn slots() -> Result<Slots<'static>> {
    let cpus = PossibleCpus::read()?;
    Ok(STORAGE.slots(&cpus)?)
}

fn sum(slots: Slots<'_>) -> usize {
    slots.values().sum()
}

/// The same threads use the library in every round and outlive it every time.
fn storm(path: &str) -> Result<()> {
    let slots = slots()?;
    storm::handle(count_signal)?;
    let gate = Barrier::new(THREADS + 1);
    let plugin = RwLock::new(None);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| or_exit(use_each_round(&gate, &plugin, slots)));
        }
        or_exit(load_each_round(&gate, &plugin, path));
    });
    let (expected, found, signals) = (THREADS * ROUNDS * ADDS, sum(slots), SIGNALS.load(Relaxed));
    println!("{ROUNDS} rounds, added {expected}, found {found}, {signals} signals");
    ensure!(found == expected && signals > 0, "the counts are wrong, or nothing was interrupted");
    Ok(())
}

/// Ends the process on an error: other threads may be waiting at the gate.
fn or_exit(result: Result<()>) {
    if let Err(error) = result {
        eprintln!("error: {error:#}");
        std::process::exit(1);
    }
}

/// Without the guard that a [`PoisonError`] holds: it borrows the lock, which an error may outlive.
fn poisoned<T>(_: PoisonError<T>) -> Error {
    anyhow!("poisoned")
}

fn load_each_round(gate: &Barrier, plugin: &RwLock<Option<Plugin>>, path: &str) -> Result<()> {
    for _ in 0..ROUNDS {
        *plugin.write().map_err(poisoned)? = Some(Plugin::load(path)?);
        gate.wait();
        gate.wait();
        let loaded = plugin.write().map_err(poisoned)?.take();
        loaded.context("no library")?.unload()?;
    }
    Ok(())
}

fn use_each_round(gate: &Barrier, plugin: &RwLock<Option<Plugin>>, slots: Slots<'_>) -> Result<()> {
    let _storm = Storm::start(PERIOD)?;
    for _ in 0..ROUNDS {
        gate.wait();
        let guard = plugin.read().map_err(poisoned)?;
        let loaded = guard.as_ref().context("no library")?;
        loaded.add(slots, ADDS)?;
        loaded.prepare_unload();
        drop(guard);
        gate.wait();
    }
    Ok(())
}

/// The descriptor that this thread has armed; 0 is none.
fn armed(token: Token<'_, ThreadArea>) -> usize {
    // SAFETY: the area is this thread's as long as it runs, and rseq_cs is a word of it; volatile, as the kernel writes
    // it.
    let descriptor = unsafe { (&raw const (*token.area().pointer().as_ptr()).rseq_cs).read_volatile() };
    descriptor as usize
}

/// How often it is tried to get from a section to the unloading without being interrupted.
const TRIES: usize = 1000;

fn once(path: &str, token: Token<'_, ThreadArea>, prepared: bool) -> Result<()> {
    let slots = slots()?;
    storm::handle(count_signal)?;
    for _ in 0..TRIES {
        // A thread that has slept keeps the CPU for a while, also beside others.
        thread::sleep(Duration::from_millis(1));
        let plugin = Plugin::load(path)?;
        let ranges: Vec<Range<usize>> = plugin.mapped();
        plugin.add(slots, 1)?;
        // Zero if the kernel has had a look already.
        let descriptor = armed(token);
        let was_armed = ranges.iter().any(|range| range.contains(&descriptor));
        if prepared {
            plugin.prepare_unload();
        }
        let now = armed(token);
        plugin.unload()?;
        // Otherwise the kernel had a look at the descriptor while it was still there, which says nothing.
        if prepared && was_armed || armed(token) != 0 {
            // Not before, as whoever reads this may take the CPU, and the kernel has a look then.
            say(&format!("the library's descriptor {descriptor:#x} was armed; now {now:#x} is"))?;
            // SAFETY: a signal with a handler that only counts.
            unsafe { libc::raise(storm::SIGNAL) };
            return say(&format!("survived {} signal", SIGNALS.load(Relaxed)));
        }
    }
    bail!("interrupted before the unloading in all of {TRIES} tries")
}

fn say(text: &str) -> Result<()> {
    println!("{text}");
    Ok(stdout().flush()?)
}
