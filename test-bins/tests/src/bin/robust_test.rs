//! The vDSO's unlocking of robust futexes beside sections: the other sequence in user space that the kernel looks for
//! when it interrupts a thread (Linux 7.2, x86). Where it finds one between the release and the end, it clears the
//! entry of the list itself.
//!
//! Sources: `kernel/futex/core.c`, `arch/x86/entry/vdso/common/vfutex.c`, `include/vdso/futex.h`.
#![no_std]
#![no_main]

use core::ffi::CStr;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering::*};

use harness::delayed::{DELAY, Delay, delayed_add};
use harness::index::{ByCpu, Choice};
use harness::ktap::{OrFail, Suite, Verdict};
use harness::load::{self, Load, MAX_THREADS, Record, Worker};
use harness::options::{Options, PATIENCE};
use harness::slots::Slots;
use harness::sys::{self, process};
use harness::{ensure, exact, in_time, load_usage, note, program, registration, require, tests, vdso};
use linux_raw_sys::general::{__NR_futex, __NR_set_robust_list, FUTEX_WAITERS, FUTEX_WAKE};
use rseq_core::sys::Errno;
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

/// The function, and the flag of the system call beside it, both by the width of an address.
const NAME: &CStr = if cfg!(target_pointer_width = "64") {
    c"__vdso_futex_robust_list64_try_unlock"
} else {
    c"__vdso_futex_robust_list32_try_unlock"
};
const FUTEX_ROBUST_UNLOCK: u32 = 512;
const FUTEX_ROBUST_LIST32: u32 = 1024;

/// Releases the lock if it holds this thread's number, then clears the entry; returns what the lock held.
type TryUnlock = unsafe extern "C" fn(lock: *mut u32, tid: u32, entry: *mut usize) -> u32;

/// How a lock is released.
#[derive(Clone, Copy)]
enum Unlock {
    Vdso(TryUnlock),
    /// Without the kernel's help: the control.
    ByHand,
}

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let options = Options::read(load_usage!("robust_test", "robust futexes and sections in the same threads"));
    require!(registration::token());
    let Some(function) = vdso::function(NAME) else {
        return Suite::skip_all(format_args!("the vDSO does not unlock robust futexes here (Linux 7.2, x86)"));
    };
    // SAFETY: the vDSO's function of this name has this type (include/vdso/futex.h), and stays mapped.
    let unlock = unsafe { core::mem::transmute::<*const (), TryUnlock>(function as *const ()) };
    tests! {
        "a lock is released, and its entry cleared" => released(unlock),
        "a lock with waiters stays" => waited_for(unlock),
        "the system call releases that one" => by_system_call(),
        "under load, beside sections" => under_load(&options, Unlock::Vdso(unlock)),
        "by hand, an entry outlives its lock" => under_load(&options, Unlock::ByHand),
    }
}

/// A thread's lock, and the head of its robust list, as `struct robust_list_head` has it.
#[repr(C)]
struct Owner {
    /// The list, which is empty: it leads to itself.
    next: AtomicUsize,
    offset: AtomicUsize,
    /// The entry of what is being locked or unlocked.
    pending: AtomicUsize,
    lock: AtomicU32,
    tid: AtomicU32,
    /// Set while it unlocks: nothing else sets the entry then.
    unlocking: AtomicU32,
}

impl Owner {
    const fn new() -> Self {
        Self {
            next: AtomicUsize::new(0),
            offset: AtomicUsize::new(0),
            pending: AtomicUsize::new(0),
            lock: AtomicU32::new(0),
            tid: AtomicU32::new(0),
            unlocking: AtomicU32::new(0),
        }
    }

    /// Makes it the calling thread's.
    fn take(&self) -> Result<(), Errno> {
        self.next.store(self.address(), Relaxed);
        self.offset.store(core::mem::offset_of!(Self, lock), Relaxed);
        self.tid.store(process::thread_id(), Relaxed);
        set_robust_list(self.address())
    }

    fn address(&self) -> usize {
        (&raw const *self) as usize
    }

    /// Locks it: no other thread wants the lock.
    fn lock(&self) {
        self.pending.store(self.address(), Relaxed);
        self.lock.store(self.tid.load(Relaxed), Release);
    }

    /// Whether lock and entry are free after it.
    fn unlock(&self, way: Unlock) -> bool {
        let tid = self.tid.load(Relaxed);
        self.unlocking.store(1, Release);
        let held = match way {
            // SAFETY: the lock and the entry are words of this value, which outlives the call.
            Unlock::Vdso(unlock) => unsafe { unlock(self.lock.as_ptr(), tid, self.pending.as_ptr()) },
            Unlock::ByHand => {
                let held = self.lock.swap(0, Release);
                (0..64).for_each(|turn| _ = core::hint::black_box(turn));
                self.pending.store(0, Release);
                held
            }
        };
        self.unlocking.store(0, Release);
        held == tid && self.lock.load(Relaxed) == 0 && self.pending.load(Relaxed) == 0
    }
}

/// Where the kernel looks when the thread dies; 0 is nowhere.
fn set_robust_list(head: usize) -> Result<(), Errno> {
    // SAFETY: the kernel notes the address, and reads there when the thread ends: each thread takes it back before.
    unsafe { sys::call(__NR_set_robust_list, [head, 3 * size_of::<usize>()]) }.map(drop)
}

fn released(unlock: TryUnlock) -> Verdict {
    let owner = Owner::new();
    owner.tid.store(process::thread_id(), Relaxed);
    owner.lock();
    ensure!(
        owner.unlock(Unlock::Vdso(unlock)),
        "lock {}, entry {:#x}",
        owner.lock.load(Relaxed),
        owner.pending.load(Relaxed)
    );
    Ok(())
}

fn waited_for(unlock: TryUnlock) -> Verdict {
    let owner = Owner::new();
    let (tid, entry) = (process::thread_id(), owner.address());
    owner.lock.store(tid | FUTEX_WAITERS, Relaxed);
    owner.pending.store(entry, Relaxed);
    // SAFETY: the lock and the entry are words of a local.
    let held = unsafe { unlock(owner.lock.as_ptr(), tid, owner.pending.as_ptr()) };
    ensure!(held == tid | FUTEX_WAITERS, "it returned {held:#x}");
    ensure!(owner.lock.load(Relaxed) == held && owner.pending.load(Relaxed) == entry, "it changed something");
    Ok(())
}

fn by_system_call() -> Verdict {
    let owner = Owner::new();
    owner.lock.store(process::thread_id() | FUTEX_WAITERS, Relaxed);
    owner.pending.store(owner.address(), Relaxed);
    let width = if cfg!(target_pointer_width = "64") { 0 } else { FUTEX_ROBUST_LIST32 };
    let operation = (FUTEX_WAKE | FUTEX_ROBUST_UNLOCK | width) as usize;
    let args = [owner.lock.as_ptr() as usize, operation, 1, 0, owner.pending.as_ptr() as usize, 0];
    // SAFETY: the kernel writes the lock and the entry, words of a local.
    let woken = unsafe { sys::call(__NR_futex, args) }.or_fail("futex")?;
    ensure!(woken == 0, "{woken} woken, though no thread waits");
    ensure!(owner.lock.load(Relaxed) == 0 && owner.pending.load(Relaxed) == 0, "the lock or its entry is still set");
    Ok(())
}

/// Each worker's lock, for the handler that interrupts it.
static OWNERS: [AtomicPtr<Owner>; MAX_THREADS] = [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_THREADS];
/// Handlers that interrupted an unlocking thread whose lock was free, and those that found the entry still set.
static FREE: AtomicUsize = AtomicUsize::new(0);
static STALE: AtomicUsize = AtomicUsize::new(0);

extern "C" fn look(signal: i32) {
    load::count_signal(signal);
    let tid = process::thread_id();
    // SAFETY: a worker lists its own lock, which lives until the worker, and so this handler in it, has ended.
    let mut owners = OWNERS.iter().filter_map(|owner| unsafe { owner.load(Acquire).as_ref() });
    let Some(owner) = owners.find(|owner| owner.tid.load(Relaxed) == tid) else { return };
    if owner.unlocking.load(Acquire) == 1 && owner.lock.load(Relaxed) == 0 {
        FREE.fetch_add(1, Relaxed);
        STALE.fetch_add(usize::from(owner.pending.load(Relaxed) != 0), Relaxed);
    }
}

/// Unlocks after each section.
const UNLOCKS: usize = 64;

#[derive(Default)]
struct Totals {
    added: AtomicUsize,
    aborts: AtomicUsize,
    unlocked: AtomicUsize,
    broken: AtomicUsize,
    unable: AtomicUsize,
}

fn under_load(options: &Options, way: Unlock) -> Verdict {
    let slots = Slots::new().or_fail("memory for the slots")?;
    let owners = [const { Owner::new() }; MAX_THREADS];
    for (listed, owner) in OWNERS.iter().zip(&owners) {
        listed.store((&raw const *owner).cast_mut(), Release);
    }
    FREE.store(0, Relaxed);
    STALE.store(0, Relaxed);
    let totals = Totals::default();
    let mut load = Load::heavy(options.threads, options.nanoseconds, options.enough);
    load.handler = look;
    let is_seen = |_: &Record| match way {
        Unlock::Vdso(_) => totals.aborts.load(Relaxed) > 0 && FREE.load(Relaxed) > 0,
        Unlock::ByHand => STALE.load(Relaxed) > 0,
    };
    let ran = load.run_until(PATIENCE, &is_seen, &|worker| {
        let owner = owners.get(worker.index as usize);
        if owner.is_none_or(|owner| work(worker, owner, way, &slots, &totals).is_none()) {
            totals.unable.fetch_add(1, Relaxed);
        }
    });
    OWNERS.iter().for_each(|listed| listed.store(core::ptr::null_mut(), Release));
    ran.or_fail("the load")?;
    totals.judge(way, &slots)
}

fn work(worker: &Worker<'_>, owner: &Owner, way: Unlock, slots: &Slots, totals: &Totals) -> Option<()> {
    owner.take().ok()?;
    let token = rseq_rt::current()?;
    let mut delay = Delay::new();
    let (from, to) = delay.ends();
    while worker.goes_on() {
        let slot = ByCpu::value(token);
        owner.lock();
        // SAFETY: the slot's own word, the delay's ends are locals, and a slot number is not -1 or -2.
        match unsafe { delayed_add(token, slot, slots.word(slot)?, 1, from, to, DELAY) } {
            Ok(_) => _ = totals.added.fetch_add(1, Relaxed),
            Err(_) => {
                totals.aborts.fetch_add(1, Relaxed);
                worker.saw(1);
            }
        }
        for _ in 0..UNLOCKS {
            let counter = if owner.unlock(way) { &totals.unlocked } else { &totals.broken };
            counter.fetch_add(1, Relaxed);
            owner.lock();
        }
        owner.unlock(way);
    }
    set_robust_list(0).ok()
}

impl Totals {
    fn judge(&self, way: Unlock, slots: &Slots) -> Verdict {
        let [added, aborts, unlocked, broken, unable] =
            [&self.added, &self.aborts, &self.unlocked, &self.broken, &self.unable].map(|count| count.load(Relaxed));
        let (found, free, stale) = (slots.sum(), FREE.load(Relaxed), STALE.load(Relaxed));
        note!("{added} added, {found} found, {aborts} aborts; {unlocked} unlocked");
        note!("{free} signals after a release, {stale} of them found the entry set");
        ensure!(unable == 0, "{unable} workers could not begin or end");
        ensure!(broken == 0, "{broken} of {unlocked} unlocks left the lock or the entry set");
        exact::exact(added as u64, found as u64)?;
        match way {
            Unlock::ByHand => in_time!(stale > 0, "no signal came between release and entry: the load proves nothing"),
            Unlock::Vdso(_) => {
                ensure!(stale == 0, "{stale} of {free} signals after a release found the entry set");
                in_time!(
                    aborts > 0 && free > 0,
                    "{aborts} aborts and {free} signals after a release before the deadline"
                );
            }
        }
        Ok(())
    }
}
