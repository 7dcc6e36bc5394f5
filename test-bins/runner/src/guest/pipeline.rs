//! From cells to what became of them: those that cannot run are sorted out, programs are built for the others, each of
//! which is booted as soon as its programs are there.

use std::thread;

use super::cell::Setting;
use super::ran::Ran;
use super::{capacity, schedule};
use crate::build::Builds;
use crate::events::Event;
use crate::kernels::select::Cell;
use crate::verdict::Verdict;

/// Runs all cells, `jobs` at a time; by default as many as there is room for.
pub fn run(setting: &Setting, cells: &[Cell], jobs: Option<u32>) -> Vec<Ran> {
    let lacking: Vec<_> = cells.iter().map(|cell| setting.lacks(cell)).collect();
    let ready: Vec<_> = cells.iter().zip(&lacking).filter(|(_, lacks)| lacks.is_none()).map(|(cell, _)| cell).collect();
    let jobs = jobs.map_or_else(|| room(setting, &ready), |jobs| jobs as usize);
    let mut ran = boot(setting, &ready, jobs).into_iter();
    let not_run = |cell, lacks: &String| setting.not_run(cell, Verdict::skipped(lacks.clone()));
    let each = cells.iter().zip(&lacking);
    each.filter_map(|(cell, lacks)| lacks.as_ref().map_or_else(|| ran.next(), |lacks| Some(not_run(cell, lacks))))
        .collect()
}

fn room(setting: &Setting, ready: &[&Cell]) -> usize {
    let largest = ready.iter().map(|cell| cell.on.machine.memory(setting.hardware)).max().unwrap_or_default();
    let threads = ready.iter().map(|cell| cell.on.machine.threads(setting.hardware)).max().unwrap_or_default();
    capacity::jobs(largest, threads, ready.len())
}

/// Builds for all of these cells, and boots each.
fn boot(setting: &Setting, ready: &[&Cell], jobs: usize) -> Vec<Ran> {
    let builds = Builds::new(ready);
    // What cannot be shown while guests run changes nothing for them.
    let tell = |event: Event<'_>| drop(setting.reporters.tell(event));
    tell(Event::RunBegan(ready.len()));
    let one = |cell: &&Cell| {
        let binaries = builds.of(cell);
        tell(Event::CellBegan(&cell.name()));
        match binaries {
            _ if setting.interrupt.requested() => setting.not_run(cell, Verdict::skipped("interrupted")),
            Ok(binaries) => setting.run(cell, binaries),
            Err(error) => setting.not_run(cell, Verdict::failed(format!("{error:#}"))),
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| builds.run(setting.programs, setting.interrupt, &|text| tell(Event::Note(text))));
        schedule::run(ready, jobs, one, |_, ran| tell(Event::CellEnded(ran)))
    })
}
