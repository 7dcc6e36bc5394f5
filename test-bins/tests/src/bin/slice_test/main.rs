//! The time slice extension: its system calls, and requests, grants, yields and expiry on a CPU that is shared.
//!
//! The kernel has it since 7.0, if it is built with `CONFIG_RSEQ_SLICE_EXTENSION`. Where it is not there, what a kernel
//! without it has to answer is tested, and the rest is skipped. The expectations are those of `kernel/rseq.c`.
#![no_std]
#![no_main]

mod calls;
mod grants;
mod histogram;
mod inside;
mod share;
mod tally;

use harness::args::Args;
use harness::index::Here;
use harness::ktap::{PASS, Reason, Verdict};
use harness::slices::{Counts, LONGEST, Length};
use harness::sys::time::{MILLISECOND, SECOND};
use harness::text::Text;
use harness::{note, program, registration, require, skip, tests};
use rseq_core::Mode;
use rseq_core::sys::{SliceError, SliceState, set_slice_extension, slice_extension};
use rseq_rt::process::ExitCode;

use histogram::Histogram;
use share::{Share, on_shared_cpu};

rseq_rt::entry!(main);

const USAGE: &str = "slice_test: time slice extensions\n\
usage: slice_test [--short] [--seconds N] [--histogram [--json]]\n\
  --short      brief loops, for emulated machines\n\
  --seconds N  the time of each of the three loops (default: 3; short: 0.7)\n\
  --histogram  no tests: how long 2 us on a shared CPU take, with extensions where there are any\n\
  --json       the same as JSON\n\
exit codes: 0 pass, 1 fail, 2 expected failure, 4 skip, 64 usage";

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let (mut nanoseconds, mut args) = (3 * SECOND, Args::new(rseq_rt::env::args().skip(1), USAGE));
    let (mut histogram, mut json) = (false, false);
    while let Some(option) = args.next_option() {
        match option {
            "--short" => nanoseconds = 700 * MILLISECOND,
            "--seconds" => nanoseconds = u64::from(args.number(option, 1..=600)) * SECOND,
            "--histogram" => histogram = true,
            "--json" => json = true,
            other => args.unknown(other),
        }
    }
    if json && !histogram {
        args.refuse(format_args!("--json goes with --histogram"));
    }
    let token = require!(registration::token());
    if histogram {
        return only_histogram(token, nanoseconds, json);
    }
    let (lacking, mut length, before) = (lacking(), longest(), Counts::read());
    let on_shared_cpu = |test: fn(&Share<'_>) -> Verdict| match lacking {
        None => on_shared_cpu(token, &mut |share| test(share)),
        Some(why) => Err(skip!("{why}")),
    };
    tests! {
        suite => calls::run(suite, token, lacking),
        "a grant keeps the CPU until it is yielded" => on_shared_cpu(grants::yielded),
        "dropping a guard yields" => on_shared_cpu(grants::dropped),
        "a grant runs out" => on_shared_cpu(grants::expired),
        "another system call gives the grant up" => on_shared_cpu(grants::aborted),
        "an inner guard leaves the grant alone, in a signal handler too" => on_shared_cpu(inside::nested),
        "a system call inside of a request, rseq debugging off" => {
            on_shared_cpu(|share| inside::system_call(share, false))
        },
        "a system call inside of a request, rseq debugging on" => {
            on_shared_cpu(|share| inside::system_call(share, true))
        },
        "requests without end" => match lacking {
            None => tally::loops(token, nanoseconds, before),
            Some(why) => Err(skip!("{why}")),
        },
        "latencies of stretches" => {
            drop(length.take());
            Histogram::measure(token, nanoseconds / 4, lacking)?.judge()
        },
    }
}

/// Measures with extensions of the length that this machine has, and prints what was measured.
fn only_histogram(token: Here, nanoseconds: u64, json: bool) -> u8 {
    let histogram = require!(Histogram::measure(token, nanoseconds, lacking()));
    if json {
        histogram.print_json()
    } else {
        histogram.print()
    }
    PASS
}

/// Why this thread cannot have the extension, if it cannot.
fn lacking() -> Option<Reason> {
    let there = slice_extension();
    let set = set_slice_extension(SliceState::Enabled);
    let error = there.err().or(set.err())?;
    let legacy = rseq_rt::registration() == Ok(Mode::Legacy);
    Some(match error {
        SliceError::NoExtension => Text::of(format_args!("this kernel has no time slice extension (Linux 7.0)")),
        SliceError::NotSupported if there.is_err() => {
            Text::of(format_args!("this kernel is built without CONFIG_RSEQ_SLICE_EXTENSION"))
        }
        SliceError::NotSupported if legacy => Text::of(format_args!("this program is registered with 32 bytes")),
        SliceError::NotSupported => Text::of(format_args!("switched off at boot (rseq_slice_ext=0)")),
        other => Text::of(format_args!("prctl: {}", other.errno())),
    })
}

/// Makes extensions as long as the kernel allows, for as long as the value lives: 5 microseconds run out before an
/// emulated machine has come back from its interrupt.
fn longest() -> Option<Length> {
    let length = Length::open().map_err(|errno| note!("rseq/slice_ext_nsec stays as it is: {errno}")).ok()?;
    match length.set(LONGEST).and_then(|()| length.get()) {
        Ok(now) => note!("rseq/slice_ext_nsec is {now} instead of {}", length.before()),
        Err(errno) => note!("rseq/slice_ext_nsec stays {}: {errno}", length.before()),
    }
    Some(length)
}
