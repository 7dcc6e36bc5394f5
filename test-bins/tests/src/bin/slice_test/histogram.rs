//! How long stretches of a few microseconds take on a shared CPU, from before the request to after its end: a
//! histogram, as text and as JSON. It answers what `rseq.rst` asks of whoever changes `rseq/slice_ext_nsec`, without a
//! trace of the kernel's timers.

use harness::index::Here;
use harness::ktap::{Reason, Unmet, Verdict};
use harness::sys::time::{self, Deadline, MICROSECOND};
use harness::{ensure, fail, in_time, note};
use rseq_core::{SliceGuard, SliceOutcome};
use rseq_rt::println;

use crate::share::{Share, on_shared_cpu};

/// The work of each stretch, in microseconds: less than the shortest extension.
const WORK: u64 = 2;
/// Latencies of so many microseconds have a bucket of their own; the buckets after it double.
const SINGLE: usize = 32;
/// Up to 2^26 microseconds, which is a minute.
const BUCKETS: usize = SINGLE + 22;

/// What was measured.
pub struct Histogram {
    /// Why there are no extensions, if so.
    lacking: Option<Reason>,
    counts: [u64; BUCKETS],
    stretches: u64,
    yielded: u64,
    late: u64,
    revoked: u64,
    unused: u64,
    /// The sum of what stretches have in a nanosecond, for the harmonic mean.
    inverse: f64,
}

/// The smallest latency of a bucket, in microseconds.
fn from(bucket: usize) -> u64 {
    if bucket <= SINGLE { bucket as u64 } else { (SINGLE as u64) << (bucket - SINGLE) }
}

fn bucket(microseconds: u64) -> usize {
    (1..BUCKETS).rev().find(|bucket| from(*bucket) <= microseconds).unwrap_or(0)
}

impl Histogram {
    /// Measures for so many nanoseconds; with extensions, unless they are lacking for that reason.
    pub fn measure(token: Here, nanoseconds: u64, lacking: Option<Reason>) -> Result<Self, Unmet> {
        let mut histogram = Self {
            lacking,
            counts: [0; BUCKETS],
            stretches: 0,
            yielded: 0,
            late: 0,
            revoked: 0,
            unused: 0,
            inverse: 0.0,
        };
        on_shared_cpu(token, &mut |share| {
            let deadline = Deadline::after(nanoseconds);
            while !deadline.is_past() {
                histogram.stretch(share)?;
            }
            Ok(())
        })?;
        Ok(histogram)
    }

    /// One stretch. The clock is a system call, which gives a grant up: it is looked at outside the request.
    fn stretch(&mut self, share: &Share<'_>) -> Verdict {
        let began = time::now();
        let outcome = match self.lacking {
            Some(_) => {
                share.microseconds(WORK);
                SliceOutcome::Unused
            }
            None => {
                let guard = SliceGuard::request(share.token);
                share.microseconds(WORK);
                guard.end()
            }
        };
        self.count((time::now() - began).max(1), outcome)
    }

    fn count(&mut self, nanoseconds: u64, outcome: SliceOutcome) -> Verdict {
        self.stretches += 1;
        self.inverse += 1.0 / nanoseconds as f64;
        if let Some(count) = self.counts.get_mut(bucket(nanoseconds / MICROSECOND)) {
            *count += 1;
        }
        match outcome {
            SliceOutcome::Unused => self.unused += 1,
            SliceOutcome::Yielded => self.yielded += 1,
            SliceOutcome::YieldedLate => self.late += 1,
            SliceOutcome::Revoked => self.revoked += 1,
            other => return Err(fail!("a request came to {other:?}")),
        }
        Ok(())
    }

    /// The harmonic mean in nanoseconds, which long waits hardly move.
    fn mean(&self) -> u64 {
        if self.stretches == 0 { 0 } else { (self.stretches as f64 / self.inverse) as u64 }
    }

    /// The buckets with something in them: the first and the last whole microsecond, and how many.
    fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        let filled = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.map(|(number, count)| (from(number), from(number + 1) - 1, *count))
    }

    /// Prints it as a table.
    pub fn print(&self) {
        match &self.lacking {
            Some(why) => println!("without time slice extensions: {why}"),
            None => println!("with time slice extensions"),
        }
        let Self { stretches, yielded, late, revoked, unused, .. } = self;
        println!("{stretches} stretches of {WORK} us on a shared CPU, harmonic mean {} ns", self.mean());
        println!("{unused} without a grant, {yielded} yielded, {late} yielded late, {revoked} expired or revoked");
        println!("{:>20} | count", "latency (us)");
        for (first, last, count) in self.buckets() {
            match first == last {
                true => println!("{first:>20} | {count}"),
                false => println!("{first:>9} - {last:>8} | {count}"),
            }
        }
    }

    /// Prints it as one JSON document.
    pub fn print_json(&self) {
        let Self { stretches, yielded, late, revoked, unused, .. } = self;
        println!("{{");
        println!("  \"extensions\": {},", self.lacking.is_none());
        if let Some(why) = &self.lacking {
            // Reasons are this program's own words: nothing in them has to be escaped.
            println!("  \"reason\": \"{why}\",");
        }
        println!("  \"work_us\": {WORK},\n  \"stretches\": {stretches},\n  \"mean_ns\": {},", self.mean());
        println!("  \"unused\": {unused},\n  \"yielded\": {yielded},\n  \"late\": {late},\n  \"revoked\": {revoked},");
        println!("  \"latencies\": [");
        for (number, (first, last, count)) in self.buckets().enumerate() {
            let comma = if number == 0 { ' ' } else { ',' };
            println!("    {comma}{{ \"from_us\": {first}, \"to_us\": {last}, \"count\": {count} }}");
        }
        println!("  ]\n}}");
    }

    /// Every stretch is in a bucket and has one end, none was shorter than its work, and without extensions none was
    /// granted.
    pub fn judge(&self) -> Verdict {
        let Self { stretches, yielded, late, revoked, unused, .. } = self;
        let mean = self.mean();
        note!("{stretches} stretches of {WORK} us, harmonic mean {mean} ns, {yielded} yielded, {revoked} revoked");
        in_time!(*stretches > 0, "no stretch before the deadline");
        let (counted, ended) = (self.counts.iter().sum::<u64>(), yielded + late + revoked + unused);
        ensure!(counted == *stretches && ended == *stretches, "{counted} counted and {ended} ended of {stretches}");
        ensure!(mean >= WORK * MICROSECOND / 4, "a stretch of {WORK} us takes {mean} ns");
        ensure!(self.lacking.is_none() || unused == stretches, "{} granted without extensions", stretches - unused);
        Ok(())
    }
}
