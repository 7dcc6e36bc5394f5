//! Per-CPU data without a token: exact where threads are registered, where they are not, and where some are.
#![no_std]
#![no_main]

use harness::index::{ByCpu, ByMmCid};
use harness::ktap::{Suite, Verdict};
use harness::options::Options;
use harness::percpu_ops::ambient::{self, Counted};
use harness::{ensure, load_usage, mode, note, program};
use rseq_core::{Cause, Owner, Status, status};
use rseq_rt::NotRegistered;
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let mut off = false;
    let usage =
        load_usage!("percpu_test", "per-CPU data without a token; with --off in threads that are not registered");
    let mut own = |option: &str| {
        off |= option == "--off";
        option == "--off"
    };
    let options = Options::read_with(usage, &mut own);
    if off && let Err(unmet) = mode::by_hand() {
        return Suite::cannot_start(unmet);
    }
    let mut suite = Suite::new(3);
    suite.test("the status is that of the registration", &mut said);
    suite.group("by cpu_id", 4, &mut |suite| by::<ByCpu>(suite, &options));
    suite.group("by mm_cid", 4, &mut |suite| by::<ByMmCid>(suite, &options));
    suite.finish()
}

fn by<C: Counted>(suite: &mut Suite, options: &Options) {
    suite.test("a counter", &mut || ambient::exact::<C>(options));
    suite.test("a counter that is reset", &mut || ambient::reset::<C>(options));
    suite.test("a counter of large counts", &mut || ambient::large::<C>(options));
    suite.test("a counter of threads that are released for a while", &mut || ambient::mixed::<C>(options));
}

fn said() -> Verdict {
    let found = status();
    note!("rseq is {found}");
    let is_expected = match (rseq_rt::registration(), found) {
        (Ok(_), Status::On(owner)) => owner == Owner::Runtime,
        (Ok(_), Status::Off(cause)) => matches!(cause, Cause::NotRestarted(..)),
        (Err(NotRegistered::Off), Status::Off(cause)) => {
            matches!(cause, Cause::NobodyRegisters(Some(Owner::Runtime)) | Cause::Filtered(_) | Cause::NotBuiltIn)
        }
        (Err(NotRegistered::Refused(_)), Status::Off(cause)) => !matches!(cause, Cause::NobodyRegisters(_)),
        _ => false,
    };
    ensure!(is_expected, "{found}");
    Ok(())
}
