//! Per-CPU data without a token: exact where threads are registered, where they are not, and where some are.
#![no_std]
#![no_main]

use harness::index::{ByCpu, ByMmCid};
use harness::ktap::{Suite, Verdict};
use harness::options::{self, Options};
use harness::percpu_ops::ambient::{self, Counted};
use harness::{ensure, group, load_usage, note, program, require, tests};
use rseq_core::{Cause, Owner, Status, status};
use rseq_rt::NotRegistered;
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let usage =
        load_usage!("percpu_test", "per-CPU data without a token; with --off in threads that are not registered");
    let options = require!(options::read_with_off(usage));
    tests! {
        "the status is that of the registration" => said(),
        suite => by::<ByCpu>(suite, "by cpu_id", &options),
        suite => by::<ByMmCid>(suite, "by mm_cid", &options),
    }
}

fn by<C: Counted>(suite: &mut Suite, name: &str, options: &Options) {
    group!(suite, name, {
        "a counter" => ambient::exact::<C>(options),
        "a counter that is reset" => ambient::reset::<C>(options),
        "a counter of large counts" => ambient::large::<C>(options),
        "a counter of threads that are released for a while" => ambient::mixed::<C>(options),
    });
}

fn said() -> Verdict {
    let found = status();
    note!("rseq is {found}");
    let is_expected = match (rseq_rt::registration(), found) {
        (Ok(_), Status::On(owner)) => owner == Owner::Runtime,
        (Ok(_), Status::Off(cause)) => matches!(cause, Cause::NotRestarted(..)),
        (Err(NotRegistered::Off), Status::Off(cause)) => {
            matches!(cause, Cause::NothingRegisters(Some(Owner::Runtime)) | Cause::Filtered(_) | Cause::NotBuiltIn)
        }
        (Err(NotRegistered::Refused(_)), Status::Off(cause)) => !matches!(cause, Cause::NothingRegisters(_)),
        _ => false,
    };
    ensure!(is_expected, "{found}");
    Ok(())
}
