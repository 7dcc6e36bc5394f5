//! Panics that unwind, as those of unit tests do, through what the runtime has on std.

use rseq_rt::sync::{Once, OnceLock};
use rseq_rt::thread;
use std::hint::black_box;
use std::panic::catch_unwind;
use std::string::String;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// Runs what panics, and returns the message.
fn message<T>(panics: impl FnOnce() -> T + std::panic::UnwindSafe) -> String {
    let payload = catch_unwind(panics).err().expect("it panics");
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).expect("a message")
}

fn fail() {
    assert!(black_box(false), "on purpose");
}

#[test]
fn a_scope_panics_if_one_of_its_threads_has() {
    let seen = message(|| {
        thread::scope(|scope| {
            for value in [2, 3, 4] {
                scope.spawn(move || assert_eq!(value % 2, 0, "on purpose")).expect("a thread");
            }
        });
    });
    assert_eq!(seen, "a scoped thread has panicked");
    // A handle that is forgotten, or dropped later, changes nothing.
    let forgotten = || thread::scope(|scope| std::mem::forget(scope.spawn(fail).expect("a thread")));
    assert_eq!(message(forgotten), "a scoped thread has panicked");
    let late = || {
        thread::scope(|scope| {
            let thread = scope.spawn(fail).expect("a thread");
            while !thread.is_finished() {
                thread::yield_now();
            }
        });
    };
    assert_eq!(message(late), "a scoped thread has panicked");
    // As with std's, who asks for a result knows of the panic.
    let result = thread::scope(|scope| scope.spawn(fail).expect("a thread").try_join());
    assert_eq!(result, None);
}

#[test]
fn join_names_a_panic() {
    let seen = message(|| thread::spawn(fail).expect("a thread").join());
    assert!(seen.contains("the thread has panicked"), "{seen}");
    // SAFETY: nothing is on the thread's stack.
    let exits = || thread::spawn(|| unsafe { thread::exit() }).expect("a thread").join();
    assert!(message(exits).contains("it called thread::exit"));
}

#[test]
fn a_panic_in_a_scope_waits_for_its_threads() {
    static ENDED: AtomicBool = AtomicBool::new(false);
    let seen = message(|| {
        let data = [7_u32; 64];
        thread::scope(|scope| {
            let work = || {
                thread::sleep(Duration::from_millis(1000));
                ENDED.store(black_box(&data).iter().all(|word| *word == 7), Ordering::Release);
            };
            scope.spawn(work).expect("a thread");
            fail();
        });
    });
    assert_eq!(seen, "on purpose");
    assert!(ENDED.load(Ordering::Acquire), "the scope has ended before its thread");
}

#[test]
fn what_is_to_run_once_runs_again_after_a_panic() {
    static ONCE: Once = Once::new();
    static VALUE: OnceLock<u32> = OnceLock::new();
    static WAITS: AtomicU32 = AtomicU32::new(0);
    let waiting = thread::spawn(|| {
        while WAITS.load(Ordering::Acquire) == 0 {
            thread::yield_now();
        }
        ONCE.call_once(|| WAITS.store(2, Ordering::Release));
    });
    message(|| {
        ONCE.call_once(|| {
            WAITS.store(1, Ordering::Release);
            // The other thread most probably waits by then.
            thread::sleep(Duration::from_millis(50));
            fail();
        });
    });
    waiting.expect("a thread").join();
    assert!(ONCE.is_completed() && WAITS.load(Ordering::Acquire) == 2);
    message(|| VALUE.get_or_init(|| panic!("on purpose")));
    assert_eq!((VALUE.get(), VALUE.get_or_init(|| 5)), (None, &5));
}

#[test]
fn a_thread_may_end_in_a_destructor_and_not_wait_for_itself() {
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            // SAFETY: the closure has returned: nothing is on the thread's stack.
            unsafe { thread::exit() }
        }
    }
    rseq_rt::thread_local! {
        static ENDS: Ends = Ends;
    }
    assert_eq!(thread::spawn(|| ENDS.with(|_| 5)).expect("a thread").join(), 5);
    thread::scope(|scope| drop(scope.spawn(|| ENDS.with(|_| ())).expect("a thread")));

    let (sender, receiver) = std::sync::mpsc::channel::<thread::JoinHandle<()>>();
    let itself = thread::spawn(move || {
        let itself = receiver.recv().expect("its own handle");
        assert!(message(std::panic::AssertUnwindSafe(|| itself.join())).contains("itself"));
        DONE.store(true, Ordering::Release);
    });
    static DONE: AtomicBool = AtomicBool::new(false);
    sender.send(itself.expect("a thread")).expect("it receives");
    while !DONE.load(Ordering::Acquire) {
        thread::yield_now();
    }
}
