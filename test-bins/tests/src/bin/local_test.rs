//! What belongs to one thread: its thread-locals, its number, its name, its end.
#![no_std]
#![no_main]

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicU32, Ordering};

use harness::ktap::{OrFail, Verdict};
use harness::sys::file::{File, pipe};
use harness::sys::process::{self, Child, Ending};
use harness::sys::time::{self, Deadline, MILLISECOND, SECOND};
use harness::text::Text;
use harness::{args, ensure, program, skip, tests};
use rseq_rt::process::ExitCode;
use rseq_rt::thread::{self, Builder};

rseq_rt::entry!(main);

const USAGE: &str = "local_test: thread-locals, numbers, names and ends of threads
usage: local_test [--short]
  --short  100 threads instead of 10000, for emulated machines; so it is as PID 1
exit codes: 0 pass, 1 fail, 2 expected failure, 3 unexpected pass, 4 skip, 64 usage";

/// The argument of the copy that [`after_main`] starts.
const AFTER_MAIN: &core::ffi::CStr = c"--after-main";

fn main() -> ExitCode {
    if rseq_rt::env::args_os().nth(1) == Some(AFTER_MAIN) {
        SAYS.with(|_| rseq_rt::println!("main"));
        return ExitCode(5);
    }
    program::run(body)
}

struct Says;

impl Drop for Says {
    fn drop(&mut self) {
        rseq_rt::println!("dropped");
    }
}

rseq_rt::thread_local! { static SAYS: Says = Says }

fn body() -> u8 {
    let short = args::short(USAGE) || process::id() == 1;
    let threads = if short { 100 } else { 10_000 };
    tests! {
        "each thread has its own value" => own_values(),
        "values of any size and alignment are kept" => sizes(),
        "many keys are kept apart" => many_keys(),
        "values are dropped once, in each of many threads" => dropped_once(threads),
        "what was initialized last is dropped first" => order(),
        "a destructor may use other values, and not its own" => in_destructors(),
        "the main thread's values are dropped after main" => after_main(),
        "numbers are never used twice" => numbers(),
        "names are the kernel's" => names(),
        "names are cut where a character ends" => cut_names(),
        "a thread can end before its closure" => early_end(),
        "the main thread can end before the others" => main_ends_first(),
        "forgotten handles of a scope leave nothing" => forgotten(),
    }
}

rseq_rt::thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(7) };
    static LIST: RefCell<[u8; 9]> = RefCell::new([1; 9]);
}

fn own_values() -> Verdict {
    DEPTH.set(8);
    let theirs = thread::spawn(|| {
        let first = DEPTH.get();
        DEPTH.set(9);
        LIST.with_borrow_mut(|list| list[3] = 4);
        (first, DEPTH.get(), LIST.with(|list| list.borrow().iter().map(|byte| u32::from(*byte)).sum::<u32>()))
    });
    let theirs = theirs.or_fail("spawn")?.join();
    ensure!(theirs == (7, 9, 12), "the thread's values are {theirs:?}");
    ensure!(DEPTH.get() == 8, "the main thread's value is {}", DEPTH.get());
    Ok(())
}

#[repr(align(4096))]
struct Aligned([u8; 4096]);

rseq_rt::thread_local! {
    static LARGE: RefCell<[u64; 20_000]> = const { RefCell::new([0; 20_000]) };
    static ALIGNED: Aligned = Aligned([5; 4096]);
    static NOTHING: () = ();
}

fn sizes() -> Verdict {
    let sum = Builder::new().stack_size(1 << 20).spawn(|| {
        LARGE.with_borrow_mut(|large| large.iter_mut().zip(0..).for_each(|(item, number)| *item = number));
        NOTHING.with(|nothing| *nothing);
        let aligned = ALIGNED.with(|value| {
            let is_whole = value.0.iter().all(|byte| *byte == 5);
            is_whole && core::hint::black_box(&raw const *value as usize).is_multiple_of(4096)
        });
        (aligned, LARGE.with(|large| large.borrow().iter().sum::<u64>()))
    });
    let (aligned, sum) = sum.or_fail("spawn")?.join();
    ensure!(aligned, "a value with alignment 4096 is damaged");
    ensure!(sum == 199_990_000, "the sum of a large value is {sum}");
    Ok(())
}

macro_rules! keys {
    ($($name:ident)*) => {
        rseq_rt::thread_local! { $(static $name: Cell<usize> = const { Cell::new(0) });* }
        const KEYS: &[&thread::LocalKey<Cell<usize>>] = &[$(&$name),*];
    };
}

keys! {
    A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 B0 B1 B2 B3 B4 B5 B6 B7 B8 B9 C0 C1 C2 C3 C4 C5 C6 C7 C8 C9
    D0 D1 D2 D3 D4 D5 D6 D7 D8 D9
}

/// More than the first table holds.
fn many_keys() -> Verdict {
    let wrong = thread::spawn(|| {
        KEYS.iter().zip(1..).for_each(|(key, number)| key.set(number));
        KEYS.iter().zip(1..).filter(|(key, number)| key.get() != *number).count()
    });
    let wrong = wrong.or_fail("spawn")?.join();
    ensure!(wrong == 0, "{wrong} of {} values are others", KEYS.len());
    Ok(())
}

static MADE: AtomicU32 = AtomicU32::new(0);
static DROPPED: AtomicU32 = AtomicU32::new(0);

struct Counted(u32);

impl Counted {
    fn new() -> Self {
        MADE.fetch_add(1, Ordering::Relaxed);
        Self(thread::tid())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // The destructor runs in the thread that the value belongs to.
        let right = u32::from(self.0 == thread::tid());
        DROPPED.fetch_add(right, Ordering::Relaxed);
    }
}

rseq_rt::thread_local! {
    static COUNTED: Counted = Counted::new();
    static UNUSED: Counted = Counted::new();
}

fn dropped_once(threads: u32) -> Verdict {
    let use_it = || COUNTED.with(|counted| assert!(counted.0 != 0));
    for number in 0..threads {
        let thread = thread::spawn(use_it).or_fail("spawn")?;
        match number % 4 {
            0 => thread.detach(),
            1 => thread::scope(|scope| scope.spawn(use_it).map(drop)).or_fail("spawn")?,
            _ => thread.join(),
        }
    }
    // A quarter of them had a scoped thread beside them, and their own handle dropped.
    let wanted = threads + threads / 4;
    let deadline = Deadline::after(30 * SECOND);
    while DROPPED.load(Ordering::Relaxed) < wanted && !deadline.is_past() {
        time::sleep(MILLISECOND);
    }
    let (made, dropped) = (MADE.load(Ordering::Relaxed), DROPPED.load(Ordering::Relaxed));
    ensure!(made == wanted && dropped == wanted, "{made} were made, {dropped} dropped, {wanted} wanted");
    Ok(())
}

/// The digits of what was dropped so far.
static DROPS: AtomicU32 = AtomicU32::new(0);

struct Digit(u32);

impl Drop for Digit {
    fn drop(&mut self) {
        let note = |digits| Some(digits * 10 + self.0);
        let _ = DROPS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, note);
    }
}

rseq_rt::thread_local! {
    static ONE: Digit = Digit(1);
    static TWO: Digit = Digit(2);
    static THREE: Digit = Digit(3);
}

fn order() -> Verdict {
    DROPS.store(0, Ordering::Relaxed);
    let result = thread::spawn(|| {
        [&TWO, &ONE, &THREE, &TWO].iter().for_each(|key| key.with(|digit| assert!(digit.0 != 0)));
        Digit(9)
    });
    let result = result.or_fail("spawn")?.join();
    let drops = DROPS.load(Ordering::Relaxed);
    drop(result);
    ensure!(drops == 312, "dropped in the order {drops}, not 312");
    Ok(())
}

struct Late;

impl Drop for Late {
    fn drop(&mut self) {
        let own = u32::from(LATE.try_with(|_| ()).is_err());
        // Not used in this thread before.
        let other = ONE.with(|digit| digit.0);
        DROPS.store(100 * own + 10 * other, Ordering::Relaxed);
    }
}

rseq_rt::thread_local! { static LATE: Late = Late }

fn in_destructors() -> Verdict {
    thread::spawn(|| LATE.with(|_| ())).or_fail("spawn")?.join();
    let digits = DROPS.load(Ordering::Relaxed);
    // 1 at the end is the other value, dropped after the one whose destructor used it.
    ensure!(digits == 1101, "the destructors left {digits}, not 1101");
    Ok(())
}

/// Runs this program again.
fn after_main() -> Verdict {
    let (reading, writing) = pipe().or_fail("pipe2")?;
    let mut child = Child::fork(&mut || {
        let _ = writing.duplicate_to(rseq_rt::io::STDOUT);
        let Some(path) = rseq_rt::env::auxv(linux_raw_sys::auxvec::AT_EXECFN as usize) else { return 90 };
        // SAFETY: the kernel keeps the path of this program there, NUL-terminated, for as long as the process lives.
        let path = unsafe { core::ffi::CStr::from_ptr(path as *const core::ffi::c_char) };
        let arguments = [c"local_test".as_ptr().cast(), AFTER_MAIN.as_ptr().cast(), core::ptr::null()];
        process::execute(path, &arguments, &[core::ptr::null()]).0 as u8
    })
    .map_err(|errno| skip!("a child process: {errno}"))?;
    drop(writing);
    let ending = child.wait_for(30 * SECOND).or_fail("wait4")?;
    let mut bytes = [0; 64];
    let text = core::str::from_utf8(reading.read(&mut bytes).or_fail("read")?).unwrap_or("?");
    ensure!(ending == Ending::Exited(5) && text == "main\ndropped\n", "it ended with {ending}, and says: {text}");
    Ok(())
}

fn numbers() -> Verdict {
    let main = thread::current().id();
    let mut last = main;
    for _ in 0..20 {
        let thread = thread::spawn(|| thread::current().id()).or_fail("spawn")?;
        let outside = thread.id();
        let inside = thread.join();
        ensure!(inside == outside && inside > last, "{inside} after {last}, from outside {outside}");
        last = inside;
    }
    ensure!(thread::current().id() == main, "the main thread's number changes");
    Ok(())
}

/// What procfs says of the calling thread.
fn comm(tid: u32) -> Option<Text<32>> {
    let path = Text::<64>::of(format_args!("/proc/self/task/{tid}/comm\0"));
    let file = File::open(core::ffi::CStr::from_bytes_with_nul(path.as_bytes()).ok()?).ok()?;
    let mut bytes = [0; 32];
    Some(Text::of(format_args!("{}", core::str::from_utf8(file.read(&mut bytes).ok()?).ok()?.trim_end())))
}

fn names() -> Verdict {
    let before = thread::current().name();
    let thread = Builder::new().name("a worker").spawn(|| {
        let this = thread::current();
        let (name, listed) = (this.name(), comm(this.tid()));
        let _ = this.set_name("another");
        (name, listed, comm(this.tid()), this.name())
    });
    let (name, listed, later_listed, later) = thread.or_fail("spawn")?.join();
    ensure!(&*name == "a worker" && &*later == "another", "the names are {name:?} and {later:?}");
    ensure!(thread::current().name() == before, "the main thread's name has changed");
    let inherited = thread::spawn(|| thread::current().name()).or_fail("spawn")?.join();
    ensure!(inherited == before, "a thread without a name is called {inherited:?}, not {before:?}");
    let (Some(listed), Some(later_listed)) = (listed, later_listed) else {
        return Err(skip!("procfs does not say how threads are called"));
    };
    let listed = (listed.as_str(), later_listed.as_str());
    ensure!(listed == ("a worker", "another"), "procfs says {listed:?}");
    Ok(())
}

fn cut_names() -> Verdict {
    let cases = [
        ("fifteen bytes..", "fifteen bytes.."),
        ("sixteen bytes...", "sixteen bytes.."),
        ("a nul\0is the end", "a nul"),
        ("fourteen bytes\u{e9}", "fourteen bytes"),
        ("thirteen byte\u{e9}", "thirteen byte\u{e9}"),
        ("eleven byte\u{1f980}", "eleven byte\u{1f980}"),
        ("twelve bytes\u{1f980}", "twelve bytes"),
    ];
    for (given, wanted) in cases {
        let name = Builder::new().name(given).spawn(|| thread::current().name()).or_fail("spawn")?.join();
        ensure!(&*name == wanted, "{given:?} becomes {name:?}, not {wanted:?}");
    }
    Ok(())
}

fn early_end() -> Verdict {
    DROPS.store(0, Ordering::Relaxed);
    let leave = || -> u32 {
        TWO.with(|digit| digit.0);
        // SAFETY: nothing refers to this thread's stack.
        unsafe { thread::exit() }
    };
    let result = thread::spawn(leave).or_fail("spawn")?.try_join();
    ensure!(result.is_none(), "a result: {result:?}");
    ensure!(DROPS.load(Ordering::Relaxed) == 2, "its thread-local was not dropped");
    let thread = thread::spawn(leave).or_fail("spawn")?;
    while !thread.is_finished() {
        time::yield_now();
    }
    drop(thread);
    thread::spawn(leave).or_fail("spawn")?.detach();
    thread::scope(|scope| scope.spawn(leave).map(core::mem::forget)).or_fail("spawn")?;
    let deadline = Deadline::after(10 * SECOND);
    while DROPS.load(Ordering::Relaxed) < 2222 && !deadline.is_past() {
        time::sleep(MILLISECOND);
    }
    let drops = DROPS.load(Ordering::Relaxed);
    ensure!(drops == 2222, "the thread-locals of four threads left {drops}");
    Ok(())
}

fn main_ends_first() -> Verdict {
    let (reading, writing) = pipe().or_fail("pipe2")?;
    let mut writing = Some(writing);
    let ending = process::in_child(10 * SECOND, &mut || {
        // Moved, not dropped: this frame ends before the thread writes.
        let Some(writing) = writing.take() else { return 91 };
        let spawned = thread::spawn(move || {
            time::sleep(50 * MILLISECOND);
            let _ = writing.write(b"late");
        });
        match spawned {
            Ok(thread) => thread.detach(),
            Err(_) => return 90,
        }
        // SAFETY: the thread knows nothing on this stack.
        unsafe { thread::exit() }
    });
    let ending = ending.map_err(|errno| skip!("a child process: {errno}"))?;
    drop(writing);
    let mut bytes = [0; 16];
    let text = reading.read(&mut bytes).or_fail("read")?;
    ensure!(ending == Ending::Exited(0) && text == b"late", "it ended with {ending}, and wrote {} bytes", text.len());
    Ok(())
}

/// Bytes of address space that this process has mapped.
fn mapped() -> Option<usize> {
    let mut bytes = [0; 128];
    let file = File::open(c"/proc/self/statm").ok()?;
    let text = core::str::from_utf8(file.read(&mut bytes).ok()?).ok()?;
    text.split(' ').next()?.parse::<usize>().ok()
}

fn forgotten() -> Verdict {
    static RESULTS: AtomicU32 = AtomicU32::new(0);
    struct Result;
    impl Drop for Result {
        fn drop(&mut self) {
            RESULTS.fetch_add(1, Ordering::Relaxed);
        }
    }
    let run = || {
        thread::scope(|scope| {
            for number in 0..32 {
                let thread = scope.spawn(|| Result)?;
                match number % 4 {
                    0 => drop(thread.join()),
                    1 => drop(thread),
                    // The handle is the result of another thread, which is not taken.
                    2 => core::mem::forget(scope.spawn(move || thread)?),
                    _ => core::mem::forget(thread),
                }
            }
            Ok(())
        })
        .or_fail("spawn")
    };
    run()?;
    let before = mapped().ok_or_else(|| skip!("no /proc/self/statm"))?;
    for _ in 0..8 {
        run()?;
    }
    // A thread that is detached is gone a little after its scope.
    let deadline = Deadline::after(10 * SECOND);
    let mut after = before;
    while !deadline.is_past() {
        after = mapped().unwrap_or(usize::MAX);
        if after <= before {
            break;
        }
        time::sleep(MILLISECOND);
    }
    ensure!(after <= before, "{after} pages are mapped, {before} were at first");
    let results = RESULTS.load(Ordering::Relaxed);
    ensure!(results == 9 * 32, "{results} results were dropped, not {}", 9 * 32);
    Ok(())
}
