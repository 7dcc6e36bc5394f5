//! What is left where the main thread ends first, and where handles of threads are forgotten.

use core::sync::atomic::{AtomicU32, Ordering};

use harness::ktap::{OrFail, Verdict};
use harness::sys::file::{File, pipe};
use harness::sys::process::{self, Ending};
use harness::sys::time::{self, Deadline, MILLISECOND, SECOND};
use harness::{ensure, skip};
use rseq_rt::thread;

pub fn main_ends_first() -> Verdict {
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

pub fn forgotten() -> Verdict {
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
    // A thread that is detached is gone a little after its scope. Where the kernel refuses to forget its tid word, the
    // next thread that starts frees its memory.
    let deadline = Deadline::after(10 * SECOND);
    let mut after = usize::MAX;
    while after > before && !deadline.is_past() {
        time::sleep(MILLISECOND);
        thread::spawn(|| ()).or_fail("spawn")?.join();
        after = mapped().unwrap_or(usize::MAX);
    }
    ensure!(after <= before, "{after} pages are mapped, {before} were at first");
    let results = RESULTS.load(Ordering::Relaxed);
    ensure!(results == 9 * 32, "{results} results were dropped, not {}", 9 * 32);
    Ok(())
}
