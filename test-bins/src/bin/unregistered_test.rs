//! Sections in a thread that is not registered, or no longer: each says so, touches nothing, and ends.
//!
//! The runtime is told to register nothing (`RSEQ_RT=off`), for which the program executes itself once.
#![no_std]
#![no_main]

use core::ffi::CStr;

use linux_raw_sys::auxvec::AT_EXECFN;
use rseq_core::section::here::{add_here, compare_store_here, pop_here, push_here};
use rseq_core::section::operations::{load_add_store, load_cbne_store};
use rseq_core::{
    Aborted, CpuId, MmCid, Mode, OutOfRange, OwnArea, Refused, RegisterError, Registration, Stopped, Token, abi, arch,
};
use rseq_rt::process::ExitCode;
use test_bins::args;
use test_bins::index::Here;
use test_bins::ktap::{OrFail, Suite, Unmet, Verdict};
use test_bins::slots::{STRIDE, Slots};
use test_bins::sys::process::{self, Ending, in_child};
use test_bins::sys::time::SECOND;
use test_bins::{ensure, fail, program, skip};

rseq_rt::entry!(main);

const USAGE: &str = "unregistered_test: sections in threads without a registration\n\
usage: unregistered_test [--short]\n\
exit codes: 0 pass, 1 fail, 4 skip, 64 usage";

fn main() -> ExitCode {
    program::run(body)
}

fn body() -> u8 {
    args::only_short(USAGE);
    if rseq_rt::env::var("RSEQ_RT") != Some("off") {
        return Suite::skip_all(format_args!("cannot execute this program again: {}", again()));
    }
    if let Err(unmet) = Stale::new() {
        return Suite::cannot_start(unmet);
    }
    let mut suite = Suite::new(8);
    suite.test("a thread without a registration has no token", &mut no_token);
    suite.test("nor has a new thread", &mut || in_new_thread(no_token));
    suite.test("its area holds no CPU and no concurrency ID", &mut area_is_empty);
    suite.test("nothing can be adopted", &mut nothing_to_adopt);
    suite.test("by cpu_id, stale proofs are turned away", &mut || guarded(&mut stale_cpu_id));
    suite.test("by mm_cid, stale proofs are turned away", &mut || guarded(&mut stale_mm_cid));
    suite.test("after a release nothing is left in the area", &mut || guarded(&mut released_is_empty));
    suite.test("a thread registers, works and releases by itself", &mut || in_new_thread(by_itself));
    suite.finish()
}

/// Executes this program with `RSEQ_RT=off`; comes back with the error only.
fn again() -> rseq_core::sys::Errno {
    let Some(path) = rseq_rt::env::auxv(AT_EXECFN as usize) else { return rseq_core::sys::Errno::ENOENT };
    // SAFETY: the kernel puts the address of a NUL-terminated string there, which stays.
    let path = unsafe { CStr::from_ptr(path as *const _) };
    let arguments = [path.as_ptr().cast(), c"--short".as_ptr().cast(), core::ptr::null()];
    process::execute(path, &arguments, &[c"RSEQ_RT=off".as_ptr().cast(), core::ptr::null()])
}

/// Runs `check` in a child that is killed if it spins.
fn guarded(check: &mut dyn FnMut() -> Verdict) -> Verdict {
    let ending = in_child(20 * SECOND, &mut || match check() {
        Ok(()) => 0,
        Err(Unmet::Skip(_)) => 4,
        Err(Unmet::Fail(why)) => {
            test_bins::note!("{why}");
            1
        }
        Err(_) => 1,
    })
    .or_fail("fork")?;
    match ending {
        Ending::Exited(0) => Ok(()),
        Ending::Exited(4) => Err(skip!("this kernel has no mm_cid (Linux 6.3)")),
        other => Err(fail!("the child: {other}")),
    }
}

fn in_new_thread(check: fn() -> Verdict) -> Verdict {
    rseq_rt::thread::spawn(check).or_fail("a thread")?.join()
}

fn no_token() -> Verdict {
    ensure!(rseq_rt::current().is_none(), "current() gives a token");
    ensure!(OwnArea::current().is_none(), "OwnArea::current() gives a token");
    Ok(())
}

/// cpu_id and mm_cid of this thread's own area.
fn ids() -> (u32, u32) {
    let area = arch::own_area().as_ptr();
    // SAFETY: this thread's own area, static thread-local memory; volatile, as the kernel may write it.
    unsafe { ((&raw const (*area).cpu_id).read_volatile(), (&raw const (*area).mm_cid).read_volatile()) }
}

fn area_is_empty() -> Verdict {
    let (cpu_id, mm_cid) = ids();
    ensure!(cpu_id == abi::CPU_ID_UNINITIALIZED, "cpu_id is {cpu_id}, not -1");
    ensure!(mm_cid == u32::MAX, "mm_cid is {mm_cid}, not -1");
    Ok(())
}

fn nothing_to_adopt() -> Verdict {
    let adopted = Registration::adopt(rseq_rt::kernel()).map(|_| ());
    ensure!(adopted == Err(RegisterError::NothingToAdopt), "adopting did not say that there is nothing to adopt");
    Ok(())
}

/// Proofs of a registration that has ended.
struct Stale {
    token: Here,
    cpu: CpuId,
    mm_cid: Option<MmCid<'static>>,
}

impl Stale {
    fn new() -> Result<Self, Unmet> {
        // SAFETY: released below, in the same thread.
        let registration = unsafe { Registration::<OwnArea>::own(rseq_rt::kernel(), Mode::Extended) }
            .map_err(|error| skip!("not registered: {error}"))?;
        let token: Token<'static, OwnArea> = OwnArea::current().or_fail("no token after registering")?;
        let stale = Self { token, cpu: token.cpu_index(), mm_cid: token.mm_cid_index() };
        registration.release().map_err(|error| fail!("releasing: {error}"))?;
        Ok(stale)
    }
}

fn stale_cpu_id() -> Verdict {
    let stale = Stale::new()?;
    turned_away(stale.token, stale.cpu)
}

fn stale_mm_cid() -> Verdict {
    let stale = Stale::new()?;
    let index = stale.mm_cid.ok_or_else(|| skip!("no mm_cid"))?;
    turned_away(stale.token, index)
}

/// Every kind of exit: the caller's slot, which was 0 a moment ago, and the slot that the section looks for.
fn turned_away<I: rseq_core::Index>(token: Here, index: I) -> Verdict {
    let slots = Slots::new().or_fail("memory for the slots")?;
    let (base, count) = (slots.base(), slots.count());
    let (mut node, mut popped) = (0usize, 0usize);
    let (node, popped) = (&raw mut node, &raw mut popped);
    for slot in 0..count {
        let word = slots.word(slot).or_fail("a slot")?;
        // SAFETY: the slots' memory; slot numbers are not -1 or -2.
        let (added, stored) =
            unsafe { (load_add_store(token, index, slot, word, 1), load_cbne_store(token, index, slot, word, 0, 1)) };
        ensure!(added == Err(Aborted), "load_add_store worked on slot {slot}");
        ensure!(stored == Err(Stopped::Aborted), "load_cbne_store worked on slot {slot}");
    }
    // SAFETY: base and count are the slots', node and popped are locals.
    unsafe {
        let stored = compare_store_here::<STRIDE, OwnArea, I>(token, index, base, count, 0, 1);
        ensure!(stored == Err(Refused::OutOfRange), "compare_store_here worked");
        let pushed = push_here::<STRIDE, OwnArea, I>(token, index, base, count, node);
        ensure!(pushed == Err(OutOfRange), "push_here worked");
        let taken = pop_here::<STRIDE, OwnArea, I>(token, index, base, count, popped);
        ensure!(taken == Err(Refused::OutOfRange), "pop_here worked");
    }
    below_no_length(token, index, slots.word(1).or_fail("a slot")?)?;
    ensure!(slots.sum() == 0, "a slot was written");
    test_bins::note!("{} operations refused, 0 done", 2 * count + 4);
    Ok(())
}

/// There is a slot before `base`: the -1 of an unregistered thread would be its number.
fn below_no_length<I: rseq_core::Index>(token: Here, index: I, base: *mut usize) -> Verdict {
    for length in [1, i32::MAX as usize, i32::MAX as usize + 1, u32::MAX as usize, usize::MAX >> 1, usize::MAX] {
        // SAFETY: no slot is to be touched; if the check of the length fails, -1 leads to the slot before `base`.
        let added = unsafe { add_here::<STRIDE, OwnArea, I>(token, index, base, length, 1) };
        ensure!(added == Err(OutOfRange), "add_here worked with a length of {length}");
    }
    Ok(())
}

fn released_is_empty() -> Verdict {
    Stale::new()?;
    area_is_empty()?;
    no_token()
}

fn by_itself() -> Verdict {
    // SAFETY: released below, in the same thread.
    let registration = unsafe { Registration::<OwnArea>::own(rseq_rt::kernel(), Mode::Extended) }
        .map_err(|error| fail!("registering: {error}"))?;
    let slots = Slots::new().or_fail("memory for the slots")?;
    let token = registration.token();
    for _ in 0..1000 {
        // SAFETY: base and count are the slots'.
        let added =
            unsafe { add_here::<STRIDE, OwnArea, CpuId>(token, token.cpu_index(), slots.base(), slots.count(), 1) };
        ensure!(added.is_ok(), "a section of a registered thread was turned away");
    }
    ensure!(slots.sum() == 1000, "1000 added but {} found", slots.sum());
    registration.release().map_err(|error| fail!("releasing: {error}"))?;
    area_is_empty()
}
