//! Threads of the runtime: registered from their first line to their last, and gone without a trace.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use harness::args::Args;
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::registration::{self, Registered};
use harness::sys::cpu::{self, Set};
use harness::sys::file::File;
use harness::sys::memory::Mapping;
use harness::sys::process::{self, Ending};
use harness::sys::seccomp::{self, Refusal};
use harness::sys::signal;
use harness::sys::time::{Deadline, MILLISECOND, SECOND};
use harness::sys::{call, time};
use harness::{ensure, fail, note, program, require, skip, tests};
use linux_raw_sys::general as raw;
use rseq_core::percpu::{PossibleCpus, SlotCounter, Slots};
use rseq_core::sys::{Errno, rseq_raw};
use rseq_core::{OwnArea, arch};
use rseq_rt::process::ExitCode;
use rseq_rt::thread::{self, Builder};

rseq_rt::entry!(main);

const USAGE: &str = "thread_test: registration across the life of threads
usage: thread_test [--short] [--detached N] [--joined N]
  --short       few threads, for emulated machines; so it is as PID 1
  --detached N  threads that nobody waits for (default: 100000; short: 500)
  --joined N    threads that are joined (default: 20000; short: 200)
exit codes: 0 pass, 1 fail, 2 expected failure, 3 unexpected pass, 4 skip, 64 usage";

fn main() -> ExitCode {
    program::run(body)
}

struct Options {
    detached: u32,
    joined: u32,
}

impl Options {
    fn read() -> Self {
        let mut args = Args::new(rseq_rt::env::args().skip(1), USAGE);
        let (mut short, mut detached, mut joined) = (process::id() == 1, None, None);
        while let Some(option) = args.next_option() {
            match option {
                "--short" => short = true,
                "--detached" => detached = Some(args.number(option, 1..=100_000_000)),
                "--joined" => joined = Some(args.number(option, 1..=100_000_000)),
                other => args.unknown(other),
            }
        }
        Self {
            detached: detached.unwrap_or(if short { 500 } else { 100_000 }),
            joined: joined.unwrap_or(if short { 200 } else { 20_000 }),
        }
    }
}

fn body() -> u8 {
    let options = Options::read();
    let baseline = mapped();
    require!(registration::token());
    tests! {
        "the main thread was registered before main" => kernel_knows_this_thread().map(drop),
        "a created thread is registered at an area of its own" => own_area(),
        "cpu_id follows a created thread" => in_thread(follows),
        "areas of threads that live together" => areas_of_many(),
        "closures and results of any size and alignment arrive" => sizes(),
        "a scope waits for its threads" => scoped(),
        "a result that nobody wants is dropped once" => dropped(),
        "a stack can be used up" => in_child(|| use_stack::<512>(1 << 20, 900 << 10), Ending::Exited(0)),
        "a stack ends in a guard page" => {
            in_child(|| use_stack::<512>(64 << 10, 1 << 20), Ending::Killed(raw::SIGSEGV))
        },
        "a frame of many pages does not pass the guard" => {
            in_child(|| use_stack::<{ 150 << 10 }>(64 << 10, 1 << 20), Ending::Killed(raw::SIGSEGV))
        },
        "hostile stack sizes are errors" => hostile_sizes(),
        "a thread without memory is an error" => no_memory(),
        "a thread beyond the user's limit is an error" => too_many(),
        group "many threads" {
            "detached" => counted(options.detached, detached),
            "joined" => counted(options.joined, joined),
        },
        "the memory of a detached thread outlives it where the kernel keeps its tid word" => {
            in_child(|| kept_behind_a_filter(refuse_set_tid_address), Ending::Exited(0))
        },
        group "a filter refuses to release the area" {
            "the memory of a detached thread outlives it" => {
                in_child(|| kept_behind_a_filter(|| refuse_release(0)), Ending::Exited(0))
            },
            "detached threads end, and keep their memory until they are gone" => {
                in_child(detached_behind_a_filter, Ending::Exited(0))
            },
            "joined threads end" => in_child(joined_behind_a_filter, Ending::Exited(0)),
        },
        "nothing is left of them" => nothing_left(baseline),
    }
}

/// Asks the kernel to register this thread's area again: EBUSY says that it is registered, at this address.
fn kernel_knows_this_thread() -> Result<usize, Unmet> {
    registration::token()?;
    let here = Registered::by_runtime()?;
    // SAFETY: the area is this thread's own; the kernel refuses the call if it is registered, and else would write what
    // the runtime was to have registered anyway.
    match unsafe { rseq_raw(here.address, here.length, 0, arch::SIGNATURE) } {
        Err(Errno::EBUSY) => Ok(here.address),
        Err(errno) => Err(fail!("registering again gives {errno}, not EBUSY")),
        Ok(()) => Err(fail!("the thread was not registered")),
    }
}

fn in_thread<T: Send + 'static>(test: fn() -> Result<T, Unmet>) -> Result<T, Unmet>
where
    Unmet: Send,
{
    thread::spawn(test).or_fail("spawn")?.join()
}

fn own_area() -> Verdict {
    let main = kernel_knows_this_thread()?;
    let theirs = in_thread(kernel_knows_this_thread)?;
    ensure!(main != theirs, "two threads share the area at {main:#x}");
    Ok(())
}

fn follows() -> Verdict {
    let token = registration::token()?;
    for cpu in cpu::affinity(0).or_fail("sched_getaffinity")?.iter() {
        cpu::set_affinity(0, &Set::only(cpu)).or_fail("sched_setaffinity")?;
        ensure!(token.cpu_id() == cpu, "cpu_id {} on CPU {cpu}", token.cpu_id());
    }
    Ok(())
}

fn areas_of_many() -> Verdict {
    const MANY: usize = 16;
    let offset = OwnArea.offset();
    let align = rseq_rt::kernel().registration_align() as usize;
    let (areas, arrived) = ([const { AtomicUsize::new(0) }; MANY], AtomicUsize::new(0));
    thread::scope(|scope| {
        for slot in &areas {
            let arrived = &arrived;
            let spawned = scope.spawn(move || {
                let same = OwnArea.offset() == offset && rseq_rt::current().is_some();
                slot.store(if same { arch::own_area().as_ptr() as usize } else { 1 }, Ordering::Relaxed);
                arrived.fetch_add(1, Ordering::Release);
                while arrived.load(Ordering::Acquire) < MANY {
                    time::yield_now();
                }
            });
            if let Err(errno) = spawned {
                // Those that wait for it must not wait for ever.
                arrived.store(MANY, Ordering::Release);
                return Err(errno);
            }
        }
        Ok(())
    })
    .or_fail("spawn")?;
    for (index, area) in areas.iter().map(|area| area.load(Ordering::Relaxed)).enumerate() {
        ensure!(
            area != 1,
            "thread {index} has its area elsewhere than {offset} bytes from the thread pointer, or none"
        );
        ensure!(area.is_multiple_of(align), "the area at {area:#x} is not aligned to {align}");
        let twins = areas.iter().filter(|other| other.load(Ordering::Relaxed) == area).count();
        ensure!(twins == 1, "{twins} threads share the area at {area:#x}");
    }
    Ok(())
}

#[repr(align(1024))]
struct Aligned([u8; 5000]);

/// How many were dropped at an address that their alignment forbids.
static MISALIGNED: AtomicU32 = AtomicU32::new(0);

impl Aligned {
    /// The address, hidden from a compiler that knows what it must be.
    fn is_aligned(&self) -> bool {
        black_box(&raw const *self as usize).is_multiple_of(1024)
    }

    fn is_intact(&self, byte: u8) -> bool {
        self.is_aligned() && self.0.iter().all(|found| *found == byte)
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        MISALIGNED.fetch_add(u32::from(!self.is_aligned()), Ordering::Relaxed);
    }
}

fn sizes() -> Verdict {
    thread::spawn(|| ()).or_fail("spawn")?.join();
    let long = [7_u64; 5000];
    let sum = thread::spawn(move || long.iter().sum::<u64>()).or_fail("spawn")?.join();
    ensure!(sum == 35_000, "the sum of a closure's array is {sum}");
    let given = Aligned([3; 5000]);
    let taken = Builder::new().stack_size(128 << 10).spawn(move || {
        let intact = given.is_intact(3);
        Aligned([if intact { 5 } else { 0 }; 5000])
    });
    ensure!(taken.or_fail("spawn")?.join().is_intact(5), "a result with alignment 1024 is damaged");
    let unwanted = thread::spawn(|| Aligned([0; 5000])).or_fail("spawn")?;
    while !unwanted.is_finished() {
        time::yield_now();
    }
    // Dropped where the thread left it.
    drop(unwanted);
    let misaligned = MISALIGNED.load(Ordering::Relaxed);
    ensure!(misaligned == 0, "{misaligned} values were kept at addresses that are not multiples of 1024");
    Ok(())
}

fn scoped() -> Verdict {
    let (mut squares, slow) = ([0_u32; 20], AtomicU32::new(0));
    let joined = thread::scope(|scope| {
        for (number, square) in squares.iter_mut().enumerate() {
            // Its handle is dropped: the scope alone waits.
            scope.spawn(move || *square = (number * number) as u32)?;
        }
        scope.spawn(|| {
            thread::sleep(core::time::Duration::from_millis(20));
            slow.store(1, Ordering::Relaxed);
        })?;
        Ok(scope.spawn(|| 12)?.join())
    });
    ensure!(joined.or_fail("spawn")? == 12, "a scoped thread's result is lost");
    ensure!(slow.load(Ordering::Relaxed) == 1, "the scope did not wait for a slow thread");
    let wrong = squares.iter().enumerate().find(|(number, square)| **square as usize != number * number);
    ensure!(wrong.is_none(), "wrong result of a scoped thread: {wrong:?}");
    Ok(())
}

/// Counts its drops.
struct Counted(&'static AtomicU32);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn dropped() -> Verdict {
    static DROPS: AtomicU32 = AtomicU32::new(0);
    let wait_for = |wanted: u32| {
        let deadline = Deadline::after(10 * SECOND);
        while DROPS.load(Ordering::Relaxed) < wanted && !deadline.is_past() {
            time::yield_now();
        }
        let drops = DROPS.load(Ordering::Relaxed);
        ensure!(drops == wanted, "{drops} drops, not {wanted}");
        Ok(())
    };
    // Detached while it runs, detached when it has finished, joined: one drop each.
    thread::spawn(|| (time::sleep(10 * MILLISECOND), Counted(&DROPS))).or_fail("spawn")?.detach();
    wait_for(1)?;
    let finished = thread::spawn(|| Counted(&DROPS)).or_fail("spawn")?;
    while !finished.is_finished() {
        time::yield_now();
    }
    drop(finished);
    wait_for(2)?;
    drop(thread::spawn(|| Counted(&DROPS)).or_fail("spawn")?.join());
    wait_for(3)
}

fn in_child(child: fn() -> u8, wanted: Ending) -> Verdict {
    let ending = process::in_child(30 * SECOND, &mut || child()).or_fail("a child process")?;
    if ending == Ending::Exited(NO_FILTER) {
        return Err(skip!("no seccomp filters here"));
    }
    ensure!(ending == wanted, "the child ended with {ending}, not {wanted}");
    Ok(())
}

/// Writes to `depth` bytes of a stack of `size` bytes in frames of `FRAME` bytes, from their lowest up, with a larger
/// one mapped in the meantime, which the kernel puts right below.
fn use_stack<const FRAME: usize>(size: usize, depth: usize) -> u8 {
    static NEIGHBOUR: AtomicU32 = AtomicU32::new(0);
    #[inline(never)]
    fn descend<const FRAME: usize>(top: usize, depth: usize) -> usize {
        let mut here = MaybeUninit::<[u8; FRAME]>::uninit();
        let lowest = black_box(here.as_mut_ptr().cast::<u8>());
        // SAFETY: the array begins there.
        unsafe { lowest.write_volatile(1) };
        let used = top - lowest as usize;
        if used < depth { black_box(descend::<FRAME>(top, depth)) } else { used }
    }
    let thread = Builder::new().stack_size(size).spawn(move || {
        while NEIGHBOUR.load(Ordering::Relaxed) == 0 {
            time::yield_now();
        }
        let top = 0_u8;
        let used = descend::<FRAME>(black_box(&raw const top) as usize, depth);
        // The neighbour may be overwritten by now.
        process::exit(u8::from(used < depth))
    });
    let neighbour = Builder::new().stack_size(8 << 20).spawn(|| {
        NEIGHBOUR.store(1, Ordering::Relaxed);
        time::sleep(60 * SECOND);
    });
    match (thread, neighbour) {
        (Ok(thread), Ok(_neighbour)) => thread.join(),
        _ => process::exit(2),
    }
}

/// Threads that each install a filter of their own, so that the release of their area fails with one of these errors.
const REFUSALS: [Errno; 4] = [Errno::EPERM, Errno::EINVAL, Errno::EACCES, Errno::ENOSYS];

/// What a child ends with where seccomp has no filters.
const NO_FILTER: u8 = 4;

/// Whether the thread is registered, and its release is refused from now on.
fn refuse_release(round: usize) -> bool {
    let refusal = Refusal::Error(REFUSALS[round % REFUSALS.len()]);
    rseq_rt::current().is_some() && seccomp::refuse(raw::__NR_rseq, refusal).is_ok()
}

/// Whether the kernel will clear this thread's tid word at its end, even if the thread asks it not to.
fn refuse_set_tid_address() -> bool {
    seccomp::refuse(raw::__NR_set_tid_address, Refusal::Error(Errno::EPERM)).is_ok()
}

/// The kernel writes the area of a thread, and its tid word, until it is gone: unmapped before, it kills where it gets
/// to write, by chance. So the test looks at the memory itself.
fn kept_behind_a_filter(refuse: fn() -> bool) -> u8 {
    static PAGE: AtomicUsize = AtomicUsize::new(0);
    static TID: AtomicU32 = AtomicU32::new(0);
    static DETACHED: AtomicBool = AtomicBool::new(false);
    let Some(page_size) = rseq_rt::env::auxv(linux_raw_sys::auxvec::AT_PAGESZ as usize) else { return 6 };
    let deadline = Deadline::after(10 * SECOND);
    let thread = thread::spawn(move || {
        // The handle of a thread that has finished unmaps the memory itself.
        while !DETACHED.load(Ordering::Acquire) && !deadline.is_past() {
            time::yield_now();
        }
        let filtered = refuse();
        PAGE.store(arch::own_area().as_ptr() as usize & !(page_size - 1), Ordering::Relaxed);
        TID.store(if filtered { thread::tid() } else { u32::MAX }, Ordering::Release);
    });
    let Ok(thread) = thread else { return 2 };
    thread.detach();
    DETACHED.store(true, Ordering::Release);
    while TID.load(Ordering::Acquire) == 0 && !deadline.is_past() {
        time::yield_now();
    }
    let tid = match TID.load(Ordering::Acquire) {
        u32::MAX => return NO_FILTER,
        tid => tid,
    };
    while signal::send(process::id(), tid, 0) != Err(Errno::ESRCH) {
        if deadline.is_past() {
            return 3;
        }
        time::yield_now();
    }
    // SAFETY: the call reads no memory: it finds out whether the page is mapped.
    let mapped = unsafe { call(raw::__NR_msync, [PAGE.load(Ordering::Relaxed), page_size, raw::MS_ASYNC as usize]) };
    if mapped.is_ok() { 0 } else { 5 }
}

fn detached_behind_a_filter() -> u8 {
    const ROUNDS: usize = 100;
    static ENDED: AtomicU32 = AtomicU32::new(0);
    static FILTERED: AtomicU32 = AtomicU32::new(0);
    let before = mapped();
    for round in 0..ROUNDS {
        let thread = thread::spawn(move || {
            FILTERED.fetch_add(u32::from(refuse_release(round)), Ordering::Relaxed);
            ENDED.fetch_add(1, Ordering::Release);
        });
        let Ok(thread) = thread else { return 2 };
        thread.detach();
        let deadline = Deadline::after(10 * SECOND);
        while ENDED.load(Ordering::Acquire) <= round as u32 && !deadline.is_past() {
            time::yield_now();
        }
    }
    // Time for the last one to leave, after which spawning frees what the others have left.
    time::sleep(100 * MILLISECOND);
    let Ok(last) = thread::spawn(|| ()) else { return 3 };
    last.join();
    if FILTERED.load(Ordering::Relaxed) == 0 {
        return NO_FILTER;
    }
    let (Some(before), Some(after)) = (before, mapped()) else { return 0 };
    if after < before + 4 * thread::DEFAULT_STACK_SIZE { 0 } else { 5 }
}

fn joined_behind_a_filter() -> u8 {
    for round in 0..20 {
        let Ok(thread) = thread::spawn(move || refuse_release(round)) else { return 2 };
        if !thread.join() {
            return NO_FILTER;
        }
    }
    0
}

fn hostile_sizes() -> Verdict {
    let sizes = [0, 1, thread::MIN_STACK_SIZE - 1, isize::MAX as usize - 4096, isize::MAX as usize, usize::MAX - 4096];
    for size in sizes.into_iter().chain([usize::MAX - 1, usize::MAX]) {
        let refused = Builder::new().stack_size(size).spawn(|| ()).err();
        let wanted = if size < thread::MIN_STACK_SIZE { Errno::EINVAL } else { Errno::ENOMEM };
        ensure!(refused == Some(wanted), "a stack of {size:#x} bytes gives {refused:?}, not {wanted}");
    }
    #[repr(align(2097152))]
    struct Huge;
    let refused = thread::spawn(|| Huge).err();
    ensure!(refused == Some(Errno::EINVAL), "a result with alignment 2 MiB gives {refused:?}");
    Ok(())
}

/// Runs `body` under a soft limit.
fn limited<T>(resource: u32, soft: u64, body: impl FnOnce() -> T) -> Result<T, Unmet> {
    let set = |new: Option<&[u64; 2]>| {
        let mut old = [0_u64; 2];
        let new = new.map_or(0, |limits| limits.as_ptr() as usize);
        // SAFETY: the kernel reads two 64-bit words at `new`, if it is not null, and writes two at `old`.
        unsafe { call(raw::__NR_prlimit64, [0, resource as usize, new, old.as_mut_ptr() as usize]) }.map(|_| old)
    };
    let before = set(None).or_fail("prlimit64")?;
    set(Some(&[soft, before[1]])).or_fail("prlimit64")?;
    let value = body();
    set(Some(&before)).or_fail("prlimit64")?;
    Ok(value)
}

/// The result of a thread that cannot be started: the error, and how often its closure was dropped.
fn refused_spawn() -> (Option<Errno>, u32) {
    static DROPS: AtomicU32 = AtomicU32::new(0);
    DROPS.store(0, Ordering::Relaxed);
    let counted = Counted(&DROPS);
    let error = thread::spawn(move || drop(counted)).map(thread::JoinHandle::join).err();
    (error, DROPS.load(Ordering::Relaxed))
}

fn no_memory() -> Verdict {
    let (error, drops) = limited(raw::RLIMIT_AS, 4096, refused_spawn)?;
    ensure!(error == Some(Errno::ENOMEM), "spawn gives {error:?}, not ENOMEM");
    ensure!(drops == 1, "the closure was dropped {drops} times");
    in_thread(kernel_knows_this_thread).map(drop)
}

fn too_many() -> Verdict {
    // The limit does not bind root. A thread can leave root for itself, as user IDs belong to threads here.
    let attempt = || {
        let nobody = 65534;
        // SAFETY: the call takes numbers and changes this thread's credentials only.
        let left = unsafe { call(raw::__NR_setresuid, [nobody; 3]) };
        // SAFETY: the call takes nothing.
        let user = unsafe { call(raw::__NR_getuid, []) };
        (left.is_err() && user == Ok(0), refused_spawn())
    };
    let spawned = thread::spawn(move || limited(raw::RLIMIT_NPROC, 0, attempt));
    let (still_root, (error, drops)) = spawned.or_fail("spawn")?.join()?;
    if still_root {
        return Err(skip!("this root may not become another user"));
    }
    ensure!(error == Some(Errno::EAGAIN), "spawn gives {error:?}, not EAGAIN");
    ensure!(drops == 1, "the closure was dropped {drops} times");
    in_thread(kernel_knows_this_thread).map(drop)
}

/// What the many threads share.
#[derive(Clone, Copy)]
struct Shared<'a> {
    counter: SlotCounter<'a>,
    ended: &'a AtomicU32,
    refused: &'a AtomicU32,
}

impl Shared<'_> {
    /// The whole work of one of the threads: one section.
    fn work(self) {
        let added = rseq_rt::current().map(|token| self.counter.add(token, 1));
        if added != Some(Ok(())) {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        self.ended.fetch_add(1, Ordering::Release);
    }
}

/// Runs `count` threads that add 1 each to a per-CPU counter, and expects `count`.
fn counted(count: u32, run: fn(u32, Shared<'static>) -> Result<u32, Errno>) -> Verdict {
    let cpus = PossibleCpus::read().or_fail("the number of CPUs")?;
    let needed = cpus.slots_by_cpu();
    let memory = Mapping::shared(needed * 64).or_fail("memory for the slots")?;
    let words = needed * 64 / size_of::<AtomicUsize>();
    // SAFETY: the mapping holds that many words, zeroed, and is only used here. It is leaked below, so that they live
    // for ever.
    let words = unsafe { core::slice::from_raw_parts_mut(memory.address() as *mut AtomicUsize, words) };
    core::mem::forget(memory);
    let slots = Slots::new(words, &cpus).map_err(|error| fail!("{error}"))?;
    // Statics, since a detached thread may use them after this function has failed.
    static ENDED: AtomicU32 = AtomicU32::new(0);
    static REFUSED: AtomicU32 = AtomicU32::new(0);
    ENDED.store(0, Ordering::Relaxed);
    REFUSED.store(0, Ordering::Relaxed);
    let shared = Shared { counter: SlotCounter::new(slots), ended: &ENDED, refused: &REFUSED };
    let start = time::now();
    let waits = run(count, shared).or_fail("spawn")?;
    let sum = shared.counter.sum();
    let refused = REFUSED.load(Ordering::Relaxed);
    note!("{count} threads, {sum} commits, in {} ms, {waits} waits for a limit", (time::now() - start) / MILLISECOND);
    ensure!(refused == 0, "{refused} threads were not registered");
    ensure!(sum == count as usize, "{count} threads counted {sum}");
    Ok(())
}

fn joined(count: u32, shared: Shared<'static>) -> Result<u32, Errno> {
    for _ in 0..count {
        thread::spawn(move || shared.work())?.join();
    }
    Ok(0)
}

fn detached(count: u32, shared: Shared<'static>) -> Result<u32, Errno> {
    let mut waits = 0;
    for _ in 0..count {
        while let Err(errno) = thread::spawn(move || shared.work()).map(thread::JoinHandle::detach) {
            // Too many at once: some will end.
            waits += 1;
            if !matches!(errno, Errno::EAGAIN | Errno::ENOMEM) || waits > 10 * count {
                return Err(errno);
            }
            time::sleep(MILLISECOND);
        }
    }
    let deadline = Deadline::after(120 * SECOND);
    while shared.ended.load(Ordering::Acquire) < count && !deadline.is_past() {
        time::sleep(MILLISECOND);
    }
    Ok(waits)
}

/// Bytes of private memory that this process has mapped, its first stack left out; `None` without procfs.
fn mapped() -> Option<usize> {
    let mut text = [0; 4096];
    let file = File::open(c"/proc/self/status").ok()?;
    let text = core::str::from_utf8(file.read(&mut text).ok()?).ok()?;
    let kibibytes = text.lines().find_map(|line| line.strip_prefix("VmData:")?.strip_suffix("kB"))?;
    kibibytes.trim().parse::<usize>().ok().map(|kibibytes| kibibytes << 10)
}

fn nothing_left(baseline: Option<usize>) -> Verdict {
    let baseline = baseline.ok_or_else(|| skip!("no VmData in /proc/self/status"))?;
    // The slots of the counters stay, but they are shared memory.
    let allowed = baseline + thread::DEFAULT_STACK_SIZE - 1;
    let deadline = Deadline::after(10 * SECOND);
    loop {
        let now = mapped().or_fail("/proc/self/status")?;
        if now <= allowed {
            return Ok(());
        }
        ensure!(!deadline.is_past(), "{now} bytes are mapped, {baseline} were at first");
        time::sleep(10 * MILLISECOND);
    }
}
