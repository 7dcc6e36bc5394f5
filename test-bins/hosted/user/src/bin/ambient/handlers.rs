//! Signal handlers that count.

use crate::{add, is_exact};
use anyhow::{Result, anyhow, ensure};
use rseq_core::{OwnArea, ensure_registered};
use std::cell::Cell;
use std::mem::MaybeUninit;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

static HANDLED: AtomicU64 = AtomicU64::new(0);

fn set_handler(signal: libc::c_int, handler: usize, flags: libc::c_int) {
    // SAFETY: all zeros is a valid sigaction; the handlers are functions that live as long as the process.
    unsafe {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        libc::sigaction(signal, &action, std::ptr::null_mut());
    }
}

extern "C" fn count(_: libc::c_int) {
    add(1);
    HANDLED.fetch_add(1, SeqCst);
}

/// Threads that count, interrupted by handlers that count.
pub fn storm() -> Result<()> {
    const THREADS: usize = 4;
    const ENOUGH: u64 = 100;
    const LEAST: Duration = Duration::from_secs(1);
    const MOST: Duration = Duration::from_secs(60);
    set_handler(libc::SIGUSR1, count as *const () as usize, libc::SA_RESTART);
    let (stop, added) = (AtomicBool::new(false), AtomicU64::new(0));
    let threads = Mutex::new(Vec::new());
    let work = || {
        let _ = ensure_registered();
        // SAFETY: the call has no preconditions.
        threads.lock().unwrap().push(unsafe { libc::pthread_self() } as usize);
        while !stop.load(SeqCst) {
            add(1000);
            added.fetch_add(1000, SeqCst);
        }
    };
    thread::scope(|scope| {
        (0..THREADS).for_each(|_| drop(scope.spawn(work)));
        let start = Instant::now();
        // Longer where hardly a signal came, as on a machine with one CPU or with other load.
        let is_over = |elapsed: Duration| elapsed > MOST || elapsed > LEAST && HANDLED.load(SeqCst) > ENOUGH;
        while !is_over(start.elapsed()) {
            for &thread in threads.lock().unwrap().iter() {
                // SAFETY: the thread runs until `stop` is set below.
                unsafe { libc::pthread_kill(thread as libc::pthread_t, libc::SIGUSR1) };
            }
            thread::sleep(Duration::from_micros(50));
        }
        stop.store(true, SeqCst);
    });
    let handled = HANDLED.load(SeqCst);
    println!("{} added, {handled} of them by handlers", added.load(SeqCst) + handled);
    ensure!(handled > ENOUGH, "hardly any signals");
    is_exact(added.load(SeqCst) + handled)
}

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    /// Used before the registration, and so destroyed after it.
    static END: End = const { End };
}

struct End;

static RELEASED: AtomicBool = AtomicBool::new(false);

impl Drop for End {
    fn drop(&mut self) {
        RELEASED.store(OwnArea::current().is_none(), SeqCst);
    }
}

/// Comes where a thread is about to block signals: the first time it registers the thread. The call then fails.
extern "C" fn registers(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let depth = DEPTH.replace(DEPTH.get() + 1);
    if depth == 0 && WATCHING.replace(false) {
        add(1);
        HANDLED.fetch_add(1, SeqCst);
    }
    DEPTH.set(depth);
    // SAFETY: the context of a signal, in which a system call's result is in rax.
    unsafe {
        let context = context.cast::<libc::ucontext_t>();
        (*context).uc_mcontext.gregs[libc::REG_RAX as usize] = -i64::from(libc::EPERM);
    }
}

/// A filter turns each attempt to block signals into SIGSYS, whose handler registers the thread while it is being
/// registered.
pub fn first() -> Result<()> {
    set_handler(libc::SIGSYS, registers as *const () as usize, libc::SA_SIGINFO | libc::SA_NODEFER);
    let thread = thread::spawn(|| -> Result<()> {
        END.with(|_| ());
        trap_sigprocmask()?;
        WATCHING.set(true);
        add(1);
        Ok(())
    });
    thread.join().map_err(|_| anyhow!("the thread panicked"))??;
    println!("{} handled, released: {}", HANDLED.load(SeqCst), RELEASED.load(SeqCst));
    ensure!(HANDLED.load(SeqCst) == 1, "the handler did not come");
    ensure!(RELEASED.load(SeqCst), "the thread ended without a release");
    is_exact(2)
}

fn trap_sigprocmask() -> Result<()> {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_rt_sigprocmask as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_TRAP),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: prctl takes numbers only here; seccomp reads the program, which lives across the call.
    let result = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
    };
    ensure!(result == 0, "seccomp: {}", std::io::Error::last_os_error());
    Ok(())
}
