//! Requests one after the other for a while, and what became of each: the counts of this program and of the kernel.

use harness::index::Here;
use harness::ktap::{OrFail, Verdict};
use harness::slices::Counts;
use harness::sys::process;
use harness::sys::time::Deadline;
use harness::{ensure, fail, in_time, note};
use rseq_core::sys::Errno;
use rseq_core::{SliceGuard, SliceOutcome};

use crate::share::{Share, on_shared_cpu};

/// One loop.
struct Way {
    name: &'static str,
    /// The work inside of a request, in microseconds.
    work: u64,
    /// A grant is given back by `rseq_slice_yield`, else by another system call.
    yields: bool,
}

const WAYS: [Way; 3] = [
    Way { name: "2 us, yield", work: 2, yields: true },
    Way { name: "50 us, yield", work: 50, yields: true },
    Way { name: "2 us, another system call", work: 2, yields: false },
];

#[derive(Default)]
struct Tally {
    requests: u64,
    unused: u64,
    yielded: u64,
    late: u64,
    called: u64,
    revoked: u64,
}

/// All loops; then, each kind of end has been counted since `start`, the beginning of this program.
pub fn loops(token: Here, nanoseconds: u64, start: Result<Counts, Errno>) -> Verdict {
    for way in &WAYS {
        on_shared_cpu(token, &mut |share| way.run(share, nanoseconds))?;
    }
    let Ok(start) = start else { return Ok(()) };
    let all = Counts::read().or_fail("rseq/stats")?.since(start);
    note!("all in all, by the kernel's count: {all}");
    let each = [all.granted, all.expired, all.revoked, all.yielded, all.aborted];
    in_time!(each.iter().all(|count| *count > 0), "one of them was never seen: {all}");
    Ok(())
}

impl Way {
    fn run(&self, share: &Share<'_>, nanoseconds: u64) -> Verdict {
        let before = Counts::read();
        let deadline = Deadline::after(nanoseconds);
        let mut tally = Tally::default();
        while !deadline.is_past() {
            // The clock is a system call, so not each time.
            for _ in 0..16 {
                self.request(share, &mut tally)?;
            }
        }
        tally.report(self.name);
        match (before, Counts::read()) {
            (Ok(before), Ok(after)) => tally.judge(after.since(before)),
            (Err(errno), _) | (_, Err(errno)) => {
                note!("no debugfs rseq/stats: {errno}");
                Ok(())
            }
        }
    }

    fn request(&self, share: &Share<'_>, tally: &mut Tally) -> Verdict {
        let guard = SliceGuard::request(share.token);
        share.microseconds(self.work);
        tally.requests += 1;
        if !self.yields && guard.is_granted() {
            process::id();
            tally.called += 1;
        }
        match guard.end() {
            SliceOutcome::Unused => tally.unused += 1,
            SliceOutcome::Yielded => tally.yielded += 1,
            SliceOutcome::YieldedLate => tally.late += 1,
            SliceOutcome::Revoked => tally.revoked += 1,
            other => return Err(fail!("a request came to {other:?}")),
        }
        Ok(())
    }
}

impl Tally {
    fn report(&self, name: &str) {
        let Self { requests, unused, yielded, late, called, revoked } = self;
        note!(
            "{name}: {requests} requests: {unused} unused, {yielded} yielded, {late} yielded late, \
             {revoked} revoked, {called} of them by a system call"
        );
    }

    /// The kernel has counted everything that this program has seen, and no grant ended in two ways.
    fn judge(&self, kernel: Counts) -> Verdict {
        note!("the kernel's count: {kernel}");
        ensure!(kernel.yielded >= self.yielded, "{} yielded here, {} there", self.yielded, kernel.yielded);
        let ended = kernel.yielded + kernel.aborted + kernel.revoked;
        ensure!(ended <= kernel.granted, "{ended} grants ended, {} were made", kernel.granted);
        Ok(())
    }
}
