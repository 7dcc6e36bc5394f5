//! The per-CPU test in a std program on glibc: `percpu adopt` over glibc's registration, `percpu own` over the
//! program's.

use std::cell::RefCell;
use std::process::ExitCode;
use std::sync::atomic::AtomicU8;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use hosted::report::{self, Report};
use hosted::source::{Adopted, Own, Source};
use hosted::trial::{self, Load, Trial};
use rseq_core::{RegisterError, Registration, sys};

/// Threads of a load.
const THREADS: usize = 4;
/// Threads that only come and go.
const BRIEF: usize = 100;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["adopt"] => test::<Adopted>(),
        ["own"] => test::<Own>(),
        ["adopt", "--register-twice"] => register_twice(),
        _ => {
            eprintln!("usage: percpu adopt|own\n       percpu adopt --register-twice");
            ExitCode::from(2)
        }
    }
}

fn test<S: Source>() -> ExitCode {
    let registration = match S::register() {
        Ok(registration) => registration,
        Err(error) if error.is_unavailable() || error == RegisterError::NothingToAdopt => {
            return report::skip(&error.to_string());
        }
        Err(error) => {
            let mut report = Report::new(1);
            report.result("main is registered", Err(error.into()));
            return report.finish();
        }
    };
    let mut report = Report::new(6);
    report.result("main is registered by the right owner", owner::<S>(&registration));
    report.result("a second registration is refused", S::refuses_others());
    report.result("threads count exactly under signals", exact::<S>());
    report.result("unarmed sections lose counts", control::<S>());
    report.result("threads come and go", brief::<S>());
    report.result("main releases", end::<S>(registration));
    println!("# threads: {}", 1 + 2 * THREADS + BRIEF);
    report.finish()
}

fn owner<S: Source>(registration: &Registration<S::Area>) -> Result<()> {
    let owner = registration.owner();
    ensure!(owner == S::OWNER, "the owner is {owner:?}");
    let token = registration.token();
    let counter = trial::counter()?;
    Ok(counter.add(token, 1)?)
}

fn exact<S: Source>() -> Result<()> {
    let load = Load { threads: THREADS, enough: 200, deadline: Duration::from_secs(20), armed: true };
    let Trial { added, handled, found, aborts } = trial::run::<S>(load)?;
    println!("# added {added} ({handled} in handlers), found {found}, aborts {aborts}");
    ensure!(added == found, "added {added}, found {found}");
    ensure!(aborts > 0, "no section was aborted: the load proves nothing");
    ensure!(handled > 0, "no handler added anything");
    Ok(())
}

fn control<S: Source>() -> Result<()> {
    let load = Load { threads: THREADS, enough: 200, deadline: Duration::from_secs(20), armed: false };
    let Trial { added, found, .. } = trial::run::<S>(load)?;
    println!("# unarmed: added {added}, found {found}");
    ensure!(found < added, "nothing was lost: the load proves nothing");
    Ok(())
}

/// Each thread registers, counts once, releases, and no longer counts as registered when its thread-locals go.
fn brief<S: Source>() -> Result<()> {
    for _ in 0..BRIEF {
        thread::spawn(come_and_go::<S>).join().map_err(|_| anyhow!("a thread panicked"))??;
    }
    Ok(())
}

fn come_and_go<S: Source>() -> Result<()> {
    let registration = S::register()?;
    LAST.with_borrow_mut(|last| last.0 = Some(assert_end::<S>));
    owner::<S>(&registration)?;
    end::<S>(registration)
}

thread_local! {
    /// Runs its function when the thread's locals are destroyed.
    static LAST: RefCell<Last> = const { RefCell::new(Last(None)) };
}

struct Last(Option<fn()>);

impl Drop for Last {
    fn drop(&mut self) {
        if let Some(check) = self.0 {
            check();
        }
    }
}

/// A released thread has no token; a thread of glibc's has one to its end.
fn assert_end<S: Source>() {
    let own = S::OWNER == rseq_core::Owner::Own;
    if S::current().is_some() == own {
        eprintln!("after its release a thread is registered: {own}");
        std::process::abort();
    }
}

fn end<S: Source>(registration: Registration<S::Area>) -> Result<()> {
    registration.release()?;
    assert_end::<S>();
    Ok(())
}

/// What must never happen, done on purpose: whoever counts system calls has to notice.
fn register_twice() -> ExitCode {
    #[repr(align(64))]
    struct Area([AtomicU8; 64]);
    static AREA: Area = Area([const { AtomicU8::new(0) }; 64]);
    let address = AREA.0.as_ptr() as usize;
    // SAFETY: the area is 64 bytes of a static, which nothing else uses and which no thread outlives.
    let result = unsafe { sys::rseq_raw(address, 32, 0, rseq_core::arch::SIGNATURE) };
    println!("# a second registration: {result:?}");
    ExitCode::from(u8::from(result.is_ok()))
}
