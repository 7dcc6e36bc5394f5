//! Per-CPU counts in every situation that a thread may be in: `ambient MODE`.
//!
//! A mode prints what it found and ends with 0 if all counts were exact, with 1 and the reason if not.

mod ends;
mod filters;
mod forks;
mod handlers;
mod owners;
mod plugin;

use anyhow::{Result, anyhow, ensure};
use rseq_core::percpu::Counter;
use rseq_core::{ByMmCid, status};
use std::process::ExitCode;
use std::thread;

static BY_CPU: Counter = Counter::new();
static BY_MM_CID: Counter<ByMmCid> = Counter::new();

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args[..] {
        ["count"] => count(),
        ["detached"] => ends::detached(),
        ["destructors"] => ends::destructors(),
        ["late-filter", errno] => filters::late(errno),
        ["fork"] => forks::fork(),
        ["vfork"] => forks::vfork(),
        ["storm"] => handlers::storm(),
        ["first-in-handler"] => handlers::first(),
        ["released"] => owners::released(),
        ["plugin-first", path] => plugin::first(path),
        ["program-first", path] => plugin::second(path),
        _ => Err(anyhow!("unknown mode")),
    };
    if let Err(why) = &outcome {
        eprintln!("{}: {why:#}", args.join(" "));
    }
    ExitCode::from(u8::from(outcome.is_err()))
}

/// Counts in this thread by both indexes.
fn add(times: u64) {
    for _ in 0..times {
        BY_CPU.inc();
        BY_MM_CID.add(3);
    }
}

/// Compares the counts with so many calls of [`add`]'s loop.
fn is_exact(times: u64) -> Result<()> {
    let (by_cpu, by_mm_cid) = (BY_CPU.sum(), BY_MM_CID.sum());
    ensure!(by_cpu == times, "{times} added but {by_cpu} found by CPU");
    ensure!(by_mm_cid == 3 * times, "{} added but {by_mm_cid} found by concurrency ID", 3 * times);
    Ok(())
}

fn count() -> Result<()> {
    const THREADS: u64 = 8;
    const TIMES: u64 = 100_000;
    println!("status: {}", status());
    thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(|| add(TIMES)))));
    is_exact(THREADS * TIMES)
}
