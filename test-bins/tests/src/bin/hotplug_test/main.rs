//! Sections on CPUs that come and go: threads that may use one CPU only, sets with gaps, and CPUs taken offline under
//! load.
#![no_std]
#![no_main]

mod affinity;
mod hotplug;
mod switch;
mod types;
mod work;

use harness::index::{ByCpu, ByMmCid};
use harness::options::Options;
use harness::{program, registration, require, tests};
use rseq_rt::process::ExitCode;

use crate::switch::Unplugging;

rseq_rt::entry!(main);

const USAGE: &str = "hotplug_test: sections on CPUs that come and go\n\
usage: hotplug_test [--short] [--threads N] [--seconds N] [--enough N] [--hotplug | --hotplug-hangs]\n  \
  --short      short deadlines and few aborts, for emulated machines\n  \
  --threads N  worker threads (default: twice the CPUs)\n  \
  --seconds N  longest duration of one load (default: 3; short: 0.7)\n  \
  --enough N   aborts to wait for (default: 300; short: 5)\n  \
  --hotplug    take a CPU offline and online again, for the whole machine (root)\n  \
  --hotplug-hangs  take none: under this emulator one may not come back\n\
exit codes: 0 pass, 1 fail, 2 expected failure, 3 unexpected pass, 4 skip, 64 usage";

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let mut unplugging = Unplugging::NotAsked;
    let options = Options::read_with(USAGE, &mut |option| {
        match option {
            "--hotplug" => unplugging = Unplugging::Allowed,
            "--hotplug-hangs" => unplugging = Unplugging::Hangs,
            _ => return false,
        }
        true
    });
    let token = require!(registration::token());
    tests! {
        "the kernel's lists of CPUs agree" => affinity::lists(),
        "cpu_id stays in sets with gaps" => affinity::followed(token),
        "one CPU for all threads" => affinity::one_cpu(&options),
        "sets with gaps, under load" => affinity::sparse(&options),
        "an offline CPU: lists, affinity, fences, cpu_id" => hotplug::states(token, unplugging),
        "offline and online under load, by cpu_id" => hotplug::under_load::<ByCpu>(&options, unplugging),
        "offline and online under load, by mm_cid" => hotplug::under_load::<ByMmCid>(&options, unplugging),
        "threads that may use the offline CPU only" => hotplug::stranded(&options, unplugging),
        "per-CPU types while a CPU comes and goes" => types::come_and_go(unplugging),
    }
}
