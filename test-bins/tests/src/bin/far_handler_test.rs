//! Sections whose abort handlers the linker puts 2 MiB away, and the linker's lists of all sections.
#![no_std]
#![no_main]

use harness::index::{ByCpu, ByMmCid};
use harness::ktap::{OrFail, Verdict};
use harness::sys::process::{self, Ending};
use harness::sys::time::SECOND;
use harness::{args, ensure, linked, note, program, registration, require, self_signal, skip, tests};
use linux_raw_sys::auxvec::AT_PAGESZ;
use linux_raw_sys::general::SIGSEGV;
use rseq_core::abi::RseqCs;
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

const USAGE: &str = "far_handler_test: sections with abort handlers 2 MiB away, and the linker's lists of sections\n\
usage: far_handler_test [--short]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

/// What `linker/far.ld` puts between the code and the handlers, in bytes.
const FAR: u64 = 2 << 20;

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    let enough = if args::short(USAGE) { 5 } else { 100 };
    let token = require!(registration::token());
    tests! {
        "there is one pointer to each descriptor" => pointers(),
        "every exit point belongs to a section, and leaves it" => exit_points(),
        "no descriptor can be written" => read_only(),
        "handlers are 2 MiB away from their sections" => far(),
        "interrupted sections abort, by cpu_id" => self_signal::test::<ByCpu>(token, false, enough),
        "interrupted sections abort, by mm_cid" => self_signal::test::<ByMmCid>(token, false, enough),
        "interrupted sections restart themselves, by cpu_id" => self_signal::test::<ByCpu>(token, true, enough),
        "interrupted sections restart themselves, by mm_cid" => self_signal::test::<ByMmCid>(token, true, enough),
    }
}

fn pointers() -> Verdict {
    let (descriptors, pointers) = (linked::descriptors(), linked::pointers());
    note!("{} descriptors, {} pointers", descriptors.len(), pointers.len());
    ensure!(!descriptors.is_empty(), "no descriptors in a program that has sections");
    ensure!(descriptors.len() == pointers.len(), "not as many of one as of the other");
    for descriptor in descriptors {
        let address = (&raw const *descriptor) as u64;
        let times = pointers.iter().filter(|pointer| **pointer == address).count();
        ensure!(times == 1, "{times} pointers to the descriptor at {address:#x}");
        ensure!((descriptor.version, descriptor.flags) == (0, 0), "no descriptor at {address:#x}");
    }
    Ok(())
}

fn exit_points() -> Verdict {
    let exits = linked::exit_points();
    note!("{} exit points", exits.len());
    ensure!(!exits.is_empty(), "no exit points in a program whose sections have some");
    for &[start, exit] in exits {
        let section = linked::descriptors().iter().find(|section| section.start_ip == start);
        let section = section.or_fail("an exit point of no section")?;
        let inside = exit.wrapping_sub(start) < section.post_commit_offset;
        ensure!(!inside, "{exit:#x} is inside the section at {start:#x}");
    }
    Ok(())
}

/// A child tries to: the value stays the same if it succeeds.
fn read_only() -> Verdict {
    let descriptor = linked::descriptors().first().or_fail("a descriptor")?;
    let flags = (&raw const descriptor.flags).cast_mut();
    let ending = process::in_child(30 * SECOND, &mut || {
        // SAFETY: a zero over a zero, in a separate process; where the page is read-only, the kernel kills the
        // process.
        unsafe { flags.write_volatile(0) };
        0
    })
    .or_fail("a child process")?;
    let page = rseq_rt::env::auxv(AT_PAGESZ as usize).unwrap_or(0);
    match ending {
        Ending::Killed(SIGSEGV) => Ok(()),
        Ending::Exited(0) if page > 4096 => Err(skip!("pages of {page} bytes hold more than what is read-only")),
        ending => Err(harness::fail!("the write ended with {ending}")),
    }
}

/// Bytes from a section to its handler.
fn distance(section: &RseqCs) -> u64 {
    section.abort_ip.abs_diff(section.start_ip)
}

fn far() -> Verdict {
    if cfg!(target_arch = "arm") {
        return Err(skip!("on arm, the handlers are in the functions of their sections"));
    }
    let nearest = linked::descriptors().iter().map(distance).min().or_fail("a descriptor")?;
    note!("the nearest is {nearest} bytes away");
    ensure!(nearest >= FAR, "which is less than {FAR}");
    Ok(())
}
