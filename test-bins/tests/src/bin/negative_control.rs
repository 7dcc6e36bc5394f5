//! The control of every counter test: sections without their descriptor must lose counts under a load in which armed
//! ones keep them all.
#![no_std]
#![no_main]

use harness::index::{ByCpu, ByMmCid, Choice};
use harness::ktap::{Suite, Verdict};
use harness::options::Options;
use harness::trial::{self, Section};
use harness::{group, load_usage, program, registration, require, tests};
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let options = Options::read(load_usage!("negative_control", "sections without their descriptor must lose counts"));
    require!(registration::token());
    tests! {
        suite => by::<ByCpu>(suite, "by cpu_id", &options),
        suite => by::<ByMmCid>(suite, "by mm_cid", &options),
    }
}

fn by<C: Choice>(suite: &mut Suite, name: &str, options: &Options) {
    group!(suite, name, {
        "caller's slot: armed sections keep every count" => keeps::<C>(options, &Section::aimed(true)),
        "caller's slot: unarmed sections lose counts" => loses::<C>(options, &Section::aimed(false)),
        "own slot: armed sections keep every count" => keeps::<C>(options, &Section::here(true)),
        "own slot: unarmed sections lose counts" => loses::<C>(options, &Section::here(false)),
    });
}

fn keeps<C: Choice>(options: &Options, section: &Section<C>) -> Verdict {
    let trial = trial::run::<C>(options, section, false)?;
    trial.report("armed");
    trial.is_exact()
}

fn loses<C: Choice>(options: &Options, section: &Section<C>) -> Verdict {
    let trial = trial::run::<C>(options, section, true)?;
    trial.report("unarmed");
    trial.is_lossy()
}
