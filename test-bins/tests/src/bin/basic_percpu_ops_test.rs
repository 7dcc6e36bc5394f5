//! A spinlock, a list and a counter per CPU, by cpu_id and by mm_cid, under signals, preemption and migration.
#![no_std]
#![no_main]

use harness::index::{ByCpu, ByMmCid, Choice};
use harness::ktap::Suite;
use harness::options::Options;
use harness::percpu_ops::list::Sections;
use harness::percpu_ops::{counter, list, spinlock};
use harness::{group, load_usage, program, registration, require, tests};
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let options = Options::read(load_usage!("basic_percpu_ops_test", "spinlock, list and counter per CPU, under load"));
    require!(registration::token());
    tests! {
        suite => by::<ByCpu>(suite, "by cpu_id", &options),
        suite => by::<ByMmCid>(suite, "by mm_cid", &options),
    }
}

fn by<C: Choice>(suite: &mut Suite, name: &str, options: &Options) {
    group!(suite, name, {
        "spinlock" => spinlock::test::<C>(options),
        "list" => list::test::<C>(options, &Sections::Aimed),
        "list of restarting sections" => list::test::<C>(options, &Sections::Here),
        "counter" => counter::test::<C>(options, false),
        "counter of restarting sections" => counter::test::<C>(options, true),
    });
}
