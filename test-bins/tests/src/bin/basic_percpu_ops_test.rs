//! A spinlock, a list and a counter per CPU, by cpu_id and by mm_cid, under signals, preemption and migration.
#![no_std]
#![no_main]

use harness::index::{ByCpu, ByMmCid, Choice};
use harness::ktap::Suite;
use harness::options::Options;
use harness::percpu_ops::list::Sections;
use harness::percpu_ops::{counter, list, spinlock};
use harness::{load_usage, program, registration};
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let options = Options::read(load_usage!("basic_percpu_ops_test", "spinlock, list and counter per CPU, under load"));
    if let Err(unmet) = registration::token() {
        return Suite::cannot_start(unmet);
    }
    let mut suite = Suite::new(2);
    suite.group("by cpu_id", 5, &mut |suite| by::<ByCpu>(suite, &options));
    suite.group("by mm_cid", 5, &mut |suite| by::<ByMmCid>(suite, &options));
    suite.finish()
}

fn by<C: Choice>(suite: &mut Suite, options: &Options) {
    suite.test("spinlock", &mut || spinlock::test::<C>(options));
    suite.test("list", &mut || list::test::<C>(options, &Sections::Aimed));
    suite.test("list of restarting sections", &mut || list::test::<C>(options, &Sections::Here));
    suite.test("counter", &mut || counter::test::<C>(options, false));
    suite.test("counter of restarting sections", &mut || counter::test::<C>(options, true));
}
