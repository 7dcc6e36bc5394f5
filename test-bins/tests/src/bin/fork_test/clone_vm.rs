//! Processes that share this one's memory: `clone(CLONE_VM)` without `CLONE_THREAD`, on stacks and thread-local storage
//! of their own.

use harness::exact::exact;
use harness::index::ByCpu;
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::slots::Slots;
use harness::sys::process::{self, Ending};
use harness::{ensure, in_time, note, reexec, self_signal};
use rseq_core::sys::{Errno, rseq_raw};
use rseq_core::{OwnArea, Registration, abi, arch};
use rseq_rt::thread::{Builder, JoinHandle};

use crate::shared::{Totals, until_aborted};

/// What a process of this kind returns, with its number for the reaper.
struct Returned<T> {
    pid: u32,
    value: T,
}

fn start<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<Returned<T>>, Errno> {
    Builder::new().process().spawn(move || Returned { value: body(), pid: process::id() })
}

/// Joins and reaps; the process is another one than this, and ended well.
fn end<T>(handle: JoinHandle<Returned<T>>) -> Result<T, u8> {
    let Returned { pid, value } = handle.join();
    if pid == process::id() {
        return Err(20);
    }
    match process::wait_thread(pid) {
        Ok(Ending::Exited(0)) => Ok(value),
        _ => Err(21),
    }
}

/// In an image whose runtime registers no thread: main and the process register and release themselves.
pub fn by_hand() -> u8 {
    if rseq_rt::current().is_some() {
        return 1;
    }
    // SAFETY: the main thread's own area, whose memory outlives the process's one registration.
    let Ok(main) = (unsafe { Registration::<OwnArea>::own(reexec::asked_mode()) }) else { return 2 };
    let code = match start(registers_and_releases).map(end) {
        Ok(Ok(code)) => code,
        Ok(Err(code)) => code,
        Err(_) => 3,
    };
    let untouched = rseq_core::sys::getcpu().is_ok() && main.token().is_registered();
    if code == 0 && !untouched { 4 } else { code }
}

fn registers_and_releases() -> u8 {
    let (address, length) = (arch::own_area().as_ptr() as usize, rseq_rt::kernel().registration_len());
    // SAFETY: asks to release what this process should not have; the memory is its own.
    let inherited = unsafe { rseq_raw(address, length, abi::FLAG_UNREGISTER, arch::SIGNATURE) };
    if rseq_rt::current().is_some() || inherited != Err(Errno::EINVAL) {
        return 10;
    }
    // SAFETY: the area is in this process's thread-local storage, which lasts longer than this function.
    let Ok(own) = (unsafe { Registration::<OwnArea>::own(reexec::asked_mode()) }) else { return 11 };
    let Some(token) = rseq_rt::current() else { return 12 };
    if self_signal::test::<ByCpu>(token, false, 5).is_err() {
        return 13;
    }
    if own.release().is_err() || rseq_rt::current().is_some() {
        return 14;
    }
    0
}

/// As many as are to run at once.
const PROCESSES: usize = 4;

/// With the runtime: each has its own area, and a counter by cpu_id that they all add to is exact.
pub fn counter(short: bool) -> Verdict {
    let slots = Slots::new().or_fail("memory for the slots")?;
    let Totals { added, aborts } = until_aborted(|| count_together(&slots, short))?;
    note!("{PROCESSES} processes with one memory: {added} added, {} found, {aborts} aborts", slots.sum());
    exact(added as u64, slots.sum() as u64)?;
    in_time!(aborts > 0, "no section was aborted before the deadline");
    Ok(())
}

/// All processes add once; each has to have its own area.
fn count_together(slots: &Slots, short: bool) -> Result<Totals, Unmet> {
    let base = slots as *const Slots as usize;
    let mut handles = [const { None }; PROCESSES];
    for handle in &mut handles {
        let started = start(move || {
            // SAFETY: every process is joined below, while the slots are borrowed.
            let slots = unsafe { &*(base as *const Slots) };
            (arch::own_area().as_ptr() as usize, crate::shared::add(slots, short))
        });
        *handle = Some(started);
    }
    let (mut totals, mut areas, mut failed) = (Totals::default(), [0; PROCESSES], None);
    for (handle, area) in handles.into_iter().flatten().zip(&mut areas) {
        match handle.map(end) {
            Ok(Ok((address, Ok((added, aborts))))) => {
                *area = address;
                totals += Totals { added, aborts };
            }
            Ok(Ok((_, Err(code))) | Err(code)) => failed = Some(code),
            Err(errno) => return Err(harness::fail!("clone(CLONE_VM): {errno}")),
        }
    }
    ensure!(failed.is_none(), "a process failed at step {}", failed.unwrap_or(0));
    let own = arch::own_area().as_ptr() as usize;
    ensure!(!areas.contains(&own), "a process has its parent's area");
    Ok(totals)
}

/// A process of this kind starts another one.
pub fn nested() -> Verdict {
    let outer = start(|| {
        let own = arch::own_area().as_ptr() as usize;
        let inner = start(|| (rseq_rt::current().is_some(), arch::own_area().as_ptr() as usize)).map(end);
        matches!(inner, Ok(Ok((true, area))) if area != own) && rseq_rt::current().is_some()
    });
    match outer.map(end).or_fail("clone(CLONE_VM)")? {
        Ok(true) => Ok(()),
        Ok(false) => Err(harness::fail!("the inner process was not registered in an area of its own")),
        Err(code) => Err(harness::fail!("a process failed at step {code}")),
    }
}
