//! Registration, the area's fields, and sections that commit, refuse and abort.
#![no_std]
#![no_main]

use harness::each_cpu::on_each_cpu;
use harness::index::{ByCpu, ByMmCid, Here};
use harness::ktap::{OrFail, Verdict};
use harness::options::PATIENCE;
use harness::sys::cpu::{self, Set};
use harness::sys::process::{self, Child, Ending};
use harness::sys::time::Deadline;
use harness::{args, ensure, fail, program, registration, require, self_signal, skip, tests};
use rseq_core::ops::librseq::{self, load_add_store, load_cbne_store};
use rseq_core::{Aborted, Owner, Registration, sys::getcpu};
use rseq_rt::process::ExitCode;

rseq_rt::entry!(main);

const USAGE: &str = "basic_test: registration, the area's fields, sections that abort\n\
usage: basic_test [--short]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

fn main() -> ExitCode {
    program::run_as_is(body)
}

fn body() -> u8 {
    let enough = if args::short(USAGE) { 5 } else { 100 };
    let token = require!(registration::token());
    tests! {
        "the runtime owns this thread's registration" => owned(token),
        "cpu_id, cpu_id_start and node_id follow the thread" => on_each_cpu(&mut |cpu| is_here(token, cpu)),
        "mm_cid is below the width of the CPU mask" => on_each_cpu(&mut |_| has_small_mm_cid(token)),
        "a thread that is moved sees its new CPU" => moved(token),
        "a section on its CPU commits" => on_each_cpu(&mut |cpu| commits(token, cpu)),
        "a section for another CPU writes nothing" => on_each_cpu(&mut |cpu| refuses(token, cpu)),
        "interrupted sections abort, by cpu_id" => self_signal::test::<ByCpu>(token, false, enough),
        "interrupted sections abort, by mm_cid" => self_signal::test::<ByMmCid>(token, false, enough),
        "interrupted sections restart themselves, by cpu_id" => self_signal::test::<ByCpu>(token, true, enough),
        "interrupted sections restart themselves, by mm_cid" => self_signal::test::<ByMmCid>(token, true, enough),
    }
}

fn owned(token: Here) -> Verdict {
    let adopted = Registration::adopt().map_err(|error| harness::fail!("adopting: {error}"))?;
    ensure!(adopted.owner() == Owner::Runtime, "it has another owner");
    // Again, as the thread may be moved between the two looks.
    let is_same = || adopted.token().cpu_id_start() == token.cpu_id_start();
    ensure!((0..100).any(|_| is_same()), "the symbols lead to another area");
    let slots = cpu::slots_by_mask().or_fail("sched_getaffinity")?;
    ensure!(token.cpu_id() < slots, "cpu_id is out of bounds");
    Ok(())
}

fn is_here(token: Here, cpu: u32) -> Verdict {
    let kernel = getcpu().or_fail("getcpu")?;
    let (id, start) = (token.cpu_id(), token.cpu_id_start());
    ensure!([kernel.cpu, id, start] == [cpu; 3], "on CPU {cpu}: getcpu {}, cpu_id {id}, start {start}", kernel.cpu);
    match token.node_id() {
        Some(node) => ensure!(node == kernel.node, "node_id {node} on node {}", kernel.node),
        None => ensure!(rseq_rt::kernel().active_size() < 24, "no node_id, though maintained"),
    }
    Ok(())
}

fn has_small_mm_cid(token: Here) -> Verdict {
    let mm_cid = token.mm_cid().ok_or_else(|| skip!("this kernel has no mm_cid (Linux 6.3)"))?;
    let slots = cpu::slots_by_mask().or_fail("sched_getaffinity")?;
    ensure!(mm_cid < slots, "mm_cid {mm_cid} of {slots}");
    Ok(())
}

/// Looks in user mode between two looks at the clock, which is a system call: the move alone is to bring the new
/// number.
const LOOKS: u32 = 1 << 14;

fn moved(token: Here) -> Verdict {
    let allowed = cpu::affinity(0).or_fail("sched_getaffinity")?;
    let start = token.cpu_id();
    let Some(target) = allowed.after(start).filter(|cpu| *cpu != start) else {
        return Err(skip!("only one CPU"));
    };
    let tid = process::thread_id();
    let deadline = Deadline::after(PATIENCE);
    let mut mover =
        Child::fork(&mut || u8::from(cpu::set_affinity(tid, &Set::only(target)).is_err())).or_fail("fork")?;
    let mut looks = 0u32;
    while token.cpu_id() != target && (!looks.is_multiple_of(LOOKS) || !deadline.is_past()) {
        looks = looks.wrapping_add(1);
    }
    let seen = token.cpu_id();
    let moved = mover.wait().or_fail("wait")?;
    ensure!(moved == Ending::Exited(0), "the mover failed");
    cpu::set_affinity(0, &allowed).or_fail("sched_setaffinity")?;
    ensure!(seen == target, "cpu_id does not follow");
    Ok(())
}

/// Again where the kernel interrupted one of the three, which it may.
fn commits(token: Here, cpu: u32) -> Verdict {
    for _ in 0..100 {
        let mut word = 5usize;
        let (v, cpu) = (&raw mut word, cpu as usize);
        // SAFETY: `v` is a local of this thread, and a CPU number is not -1 or -2.
        let results = unsafe {
            [
                load_cbne_store(token, cpu, v, 5, 7).is_ok(),
                load_cbne_store(token, cpu, v, 5, 9) == Err(librseq::Error::CompareFailed),
                load_add_store(token, cpu, v, 30).is_ok(),
            ]
        };
        // SAFETY: as above; volatile, because the sections wrote it without the compiler's knowledge.
        let found = unsafe { v.read_volatile() };
        if results == [true; 3] {
            ensure!(found == 37, "the sections left it wrong");
            return Ok(());
        }
    }
    Err(fail!("not commit, refusal, commit"))
}

fn refuses(token: Here, cpu: u32) -> Verdict {
    let mut word = 5usize;
    let (v, other) = (&raw mut word, cpu as usize + 1);
    // SAFETY: as in `commits`.
    let (stored, added) = unsafe { (load_cbne_store(token, other, v, 5, 7), load_add_store(token, other, v, 30)) };
    // SAFETY: as in `commits`.
    let found = unsafe { v.read_volatile() };
    ensure!(stored == Err(librseq::Error::Aborted), "load_cbne_store did not abort");
    ensure!(added == Err(Aborted), "load_add_store did not abort");
    ensure!(found == 5, "a section wrote");
    Ok(())
}
