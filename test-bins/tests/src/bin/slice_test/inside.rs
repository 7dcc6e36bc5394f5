//! What may happen between a request and its end: another guard, a signal, a system call.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use harness::debug::Debugging;
use harness::ktap::{OrFail, Verdict};
use harness::options::PATIENCE;
use harness::sys::process::{self, Ending};
use harness::sys::signal::{self, Action};
use harness::{ensure, expected, fail, late, skip};
use linux_raw_sys::general::{SIGSEGV, SIGUSR1};
use rseq_core::{SliceGuard, SliceOutcome};

use crate::calls::control;
use crate::share::Share;

/// A guard inside of a grant neither ends nor yields it.
pub fn nested(share: &Share<'_>) -> Verdict {
    let mut wrong = None;
    share.until(&mut |outer| {
        let inner = SliceGuard::request(share.token).end();
        match outer.end() {
            // The grant was there all the time, so this is the inner guard's own doing.
            SliceOutcome::Yielded => {
                wrong = (inner != SliceOutcome::NotRequested).then_some(inner);
                true
            }
            _ => false,
        }
    })?;
    ensure!(wrong.is_none(), "the inner guard came to {wrong:?}");
    in_handler(share)
}

const NEVER: u32 = 0;
const INNER: u32 = 1;
const OTHER: u32 = 2;
static SEEN: AtomicU32 = AtomicU32::new(NEVER);

extern "C" fn guard_in_handler(_: i32) {
    let Some(token) = rseq_rt::current() else { return };
    let outcome = SliceGuard::request(token).end();
    SEEN.store(if outcome == SliceOutcome::NotRequested { INNER } else { OTHER }, Relaxed);
}

/// A handler that interrupts a pending request leaves it pending.
fn in_handler(share: &Share<'_>) -> Verdict {
    signal::set(SIGUSR1, Action::Handler(guard_in_handler)).or_fail("rt_sigaction")?;
    let (process, thread) = (process::id(), process::thread_id());
    for _ in 0..1000 {
        SEEN.store(NEVER, Relaxed);
        let outer = SliceGuard::request(share.token);
        let sent = signal::send(process, thread, SIGUSR1);
        let outcome = outer.end();
        sent.or_fail("tgkill")?;
        // Without an interrupt between, the handler has met the request.
        if outcome == SliceOutcome::Unused {
            ensure!(SEEN.load(Relaxed) == INNER, "the handler's guard met no request");
            return Ok(());
        }
    }
    Err(fail!("no request outlived a signal handler: the handler's guards end those that they interrupt"))
}

/// After a grant has run out, the next request, with a system call inside: harmless, but with the kernel's checks on.
/// Those compare the whole field with what is granted, as long as no system call was made since the grant.
pub fn system_call(share: &Share<'_>, debugging: bool) -> Verdict {
    let switch = Debugging::open().map_err(|errno| skip!("no switch debugfs rseq/debug: {errno}"))?;
    switch.set(debugging).or_fail("rseq/debug")?;
    let ending = process::in_child(2 * PATIENCE, &mut || {
        let mut tries = 0;
        let tried = share.until(&mut |guard| {
            tries += u32::from(run_out_and_call(share, guard));
            tries >= 20
        });
        u8::from(tried.is_err()) | u8::from(control(share.token) != 0) << 1
    });
    drop(switch);
    match ending.or_fail("fork")? {
        Ending::Exited(0) => Ok(()),
        Ending::Killed(SIGSEGV) if debugging => {
            Err(expected!("the checks take the request for a fault after an earlier grant (7.2)"))
        }
        Ending::Exited(code) if code & 1 != 0 => Err(late!("no grant ran out before the deadline")),
        ending => Err(fail!("{ending}")),
    }
}

/// `false` if the grant did not run out, or the next request was gone before the system call.
fn run_out_and_call(share: &Share<'_>, guard: SliceGuard<'_>) -> bool {
    let runs_out = (0..50_000).any(|_| {
        share.microseconds(1);
        !guard.is_granted()
    });
    if !runs_out || guard.end() != SliceOutcome::Revoked {
        return false;
    }
    let next = SliceGuard::request(share.token);
    process::id();
    next.end() == SliceOutcome::Unused
}
