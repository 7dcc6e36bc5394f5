//! Threads of the runtime: registered from their first line to their last, and gone without a trace.
#![no_std]
#![no_main]

mod canary;
mod ends;
mod filters;
mod limits;
mod many;
mod stacks;
mod values;

use core::sync::atomic::{AtomicUsize, Ordering};

use harness::args::Args;
use harness::ktap::{OrFail, Unmet, Verdict};
use harness::registration::{self, Registered};
use harness::sys::cpu::{self, Set};
use harness::sys::file::File;
use harness::sys::process::{self, Ending};
use harness::sys::time::{self, Deadline, MILLISECOND, SECOND};
use harness::{ensure, fail, program, require, skip, tests};
use linux_raw_sys::general as raw;
use rseq_core::sys::{Errno, rseq_raw};
use rseq_core::{OwnArea, arch};
use rseq_rt::process::ExitCode;
use rseq_rt::thread;

use canary::canaries;
use ends::{dead_processes, detached_process, drop_does_not_wait, exit_in_a_destructor, join_of_itself};
use filters::refuse_set_tid_address;
use filters::{NO_FILTER, detached_under_a_filter, joined_under_a_filter, kept_under_a_filter, refuse_release};
use limits::{no_memory, too_many};
use many::{counted, detached, joined};
use stacks::{hostile_sizes, use_stack};
use values::{dropped, scoped, sizes};

rseq_rt::entry!(main);

const USAGE: &str = "thread_test: registration across the life of threads
usage: thread_test [--short] [--detached N] [--joined N]
  --short       few threads, for emulated machines; so it is as PID 1
  --detached N  threads that are not waited for (default: 100000; short: 500)
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
        "an unwanted result is dropped once" => dropped(),
        "a created thread has the stack canary of main" => canaries(),
        "dropping a handle does not wait for the thread" => in_child(drop_does_not_wait, Ending::Exited(0)),
        "a thread can end in a destructor of a thread-local" => in_child(exit_in_a_destructor, Ending::Exited(0)),
        "a thread that joins itself panics" => in_child(join_of_itself, Ending::Exited(101)),
        "a child process that dies has no result and leaves nothing" => dead_processes(),
        "a detached child process leaves nothing" => detached_process(),
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
            in_child(|| kept_under_a_filter(refuse_set_tid_address), Ending::Exited(0))
        },
        group "a filter refuses to release the area" {
            "the memory of a detached thread outlives it" => {
                in_child(|| kept_under_a_filter(|| refuse_release(0)), Ending::Exited(0))
            },
            "detached threads end, and keep their memory until they are gone" => {
                in_child(detached_under_a_filter, Ending::Exited(0))
            },
            "joined threads end" => in_child(joined_under_a_filter, Ending::Exited(0)),
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

fn in_child(child: fn() -> u8, wanted: Ending) -> Verdict {
    let ending = process::in_child(30 * SECOND, &mut || child()).or_fail("a child process")?;
    if ending == Ending::Exited(NO_FILTER) {
        return Err(skip!("no seccomp filters here"));
    }
    ensure!(ending == wanted, "the child ended with {ending}, not {wanted}");
    Ok(())
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
        // Frees what detached threads have left where the kernel refuses to forget their tid words.
        thread::spawn(|| ()).or_fail("spawn")?.join();
        let now = mapped().or_fail("/proc/self/status")?;
        if now <= allowed {
            return Ok(());
        }
        ensure!(!deadline.is_past(), "{now} bytes are mapped, {baseline} were at first");
        time::sleep(10 * MILLISECOND);
    }
}
