//! Many fences of rseq at threads in sections, while CFS throttles these threads in nested groups: whether a fence
//! fails, a section loses what it counts, or the machine stops reacting.
#![no_std]
#![no_main]

mod fences;
mod groups;
mod sentinel;

use harness::ktap::{OrFail, Suite, Verdict};
use harness::options::Options;
use harness::sys::cpu::{self, Set};
use harness::{load_usage, program, registration, require, skip, tests};
use rseq_core::sys::{membarrier_query, register_membarrier_rseq};
use rseq_rt::process::ExitCode;

use groups::Groups;

rseq_rt::entry!(main);

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let options = Options::read(load_usage!("membarrier_stress", "fences of rseq under CFS throttling"));
    require!(registration::token());
    match membarrier_query() {
        Ok(commands) if commands.has_rseq() => {}
        Ok(_) => return Suite::skip_all(format_args!("membarrier has no rseq fence here (Linux 5.10)")),
        Err(error) => return Suite::skip_all(format_args!("membarrier: {}", error.errno())),
    }
    if let Err(error) = register_membarrier_rseq() {
        return Suite::skip_all(format_args!("registering for the fence: {}", error.errno()));
    }
    tests! {
        "fences at threads in sections" => on_all_cpus(&options, None),
        "fences at throttled threads" => throttled(&options, on_all_cpus),
        "fences at throttled threads, one CPU" => throttled(&options, on_one_cpu),
    }
}

fn throttled(options: &Options, test: fn(&Options, Option<&Groups>) -> Verdict) -> Verdict {
    let groups = Groups::make(options.short).map_err(|errno| skip!("no groups with the cpu controller: {errno}"))?;
    let verdict = test(options, Some(&groups));
    groups.remove().or_fail("removing the groups")?;
    verdict
}

fn on_all_cpus(options: &Options, groups: Option<&Groups>) -> Verdict {
    fences::test(options, &cpu::affinity(0).or_fail("sched_getaffinity")?, groups)
}

fn on_one_cpu(options: &Options, groups: Option<&Groups>) -> Verdict {
    let last = cpu::affinity(0).or_fail("sched_getaffinity")?.iter().last().or_fail("a CPU")?;
    fences::test(options, &Set::only(last), groups)
}
