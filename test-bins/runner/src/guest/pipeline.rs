//! From cells to what became of them: those that cannot run are sorted out, programs are built for the others, each of
//! which is booted as soon as its programs are there.

use std::thread;

use super::cell::BootContext;
use super::cell_result::CellResult;
use super::{capacity, schedule};
use crate::build::Builds;
use crate::events::Event;
use crate::kernels::select::Cell;
use crate::verdict::Verdict;

/// Runs all cells, `jobs` at a time; by default as many as memory and CPUs allow.
pub fn run(context: &BootContext, cells: &[Cell], jobs: Option<u32>) -> Vec<CellResult> {
    let unavailable: Vec<_> = cells.iter().map(|cell| context.unavailable_reason(cell)).collect();
    let ready: Vec<_> =
        cells.iter().zip(&unavailable).filter(|(_, reason)| reason.is_none()).map(|(cell, _)| cell).collect();
    let jobs = jobs.map_or_else(|| capacity(context, &ready), |jobs| jobs as usize);
    let mut results = boot(context, &ready, jobs).into_iter();
    let not_run = |cell, reason: &String| context.not_run(cell, Verdict::skipped(reason.clone()));
    let each = cells.iter().zip(&unavailable);
    each.filter_map(|(cell, reason)| {
        reason.as_ref().map_or_else(|| results.next(), |reason| Some(not_run(cell, reason)))
    })
    .collect()
}

fn capacity(context: &BootContext, ready: &[&Cell]) -> usize {
    let largest = ready.iter().map(|cell| cell.on.machine.memory(context.hardware)).max().unwrap_or_default();
    let threads = ready.iter().map(|cell| cell.on.machine.threads(context.hardware)).max().unwrap_or_default();
    capacity::jobs(largest, threads, ready.len())
}

/// Builds for all of these cells, and boots each.
fn boot(context: &BootContext, ready: &[&Cell], jobs: usize) -> Vec<CellResult> {
    let builds = Builds::new(ready);
    // What cannot be shown while guests run changes nothing for them.
    let tell = |event: Event<'_>| drop(context.reporters.tell(event));
    tell(Event::RunBegan(ready.len()));
    let one = |cell: &&Cell| {
        let binaries = builds.of(cell);
        tell(Event::CellBegan(&cell.name()));
        match binaries {
            _ if context.interrupt.requested() => context.not_run(cell, Verdict::skipped("interrupted")),
            Ok(binaries) => context.run(cell, binaries),
            Err(error) => context.not_run(cell, Verdict::failed(format!("{error:#}"))),
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| builds.run(context.programs, context.interrupt, &|text| tell(Event::Note(text))));
        schedule::run(ready, jobs, one, |_, result| tell(Event::CellEnded(result)))
    })
}
