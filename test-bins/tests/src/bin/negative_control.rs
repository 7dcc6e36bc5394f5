//! The control of every counter test: sections without their descriptor must lose counts under a load in which armed
//! ones keep them all.
#![no_std]
#![no_main]

use harness::index::{ByCpu, ByMmCid, Choice};
use harness::ktap::{Suite, Verdict};
use harness::options::Options;
use harness::trial::{self, Section};
use harness::{load_usage, program, registration};
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let options = Options::read(load_usage!("negative_control", "sections without their descriptor must lose counts"));
    if let Err(unmet) = registration::token() {
        return Suite::cannot_start(unmet);
    }
    let mut suite = Suite::new(8);
    by::<ByCpu>(&mut suite, &options);
    by::<ByMmCid>(&mut suite, &options);
    suite.finish()
}

fn by<C: Choice>(suite: &mut Suite, options: &Options) {
    for (name, make) in [("caller's slot", Section::aimed as fn(bool) -> Section<C>), ("own slot", Section::here)] {
        let index = C::NAME;
        suite
            .report(format_args!("{index}, {name}: armed sections keep every count"), keeps::<C>(options, &make(true)));
        suite.report(format_args!("{index}, {name}: unarmed sections lose counts"), loses::<C>(options, &make(false)));
    }
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
