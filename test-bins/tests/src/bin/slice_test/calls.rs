//! The prctl, the flags of the area, and who has the extension enabled.

use harness::generation::in_registered_child;
use harness::index::Here;
use harness::ktap::{OrFail, Reason, Suite, Unmet, Verdict};
use harness::registration::Registered;
use harness::slices::{LONGEST, Length};
use harness::sys::memory::Mapping;
use harness::sys::process::{self, Ending};
use harness::sys::{call, time::SECOND};
use harness::{ensure, fail, group, skip};
use linux_raw_sys::general::__NR_prctl;
use rseq_core::abi::{
    AREA_FLAG_SLICE_EXT_AVAILABLE as AVAILABLE, AREA_FLAG_SLICE_EXT_ENABLED as ENABLED, FLAG_SLICE_EXT_DEFAULT_ON,
    ORIGINAL_SIZE, Rseq,
};
use rseq_core::sys::{Errno, SliceError, SliceState, rseq_raw, rseq_slice_yield, set_slice_extension, slice_extension};
use rseq_core::{SliceGuard, SliceOutcome, arch};

const PR_RSEQ_SLICE_EXTENSION: usize = 79;
const GET: usize = 1;
const SET: usize = 2;

/// Runs those that concern this kernel: some of them concern every one.
pub fn run(suite: &mut Suite, token: Here, lacking: Option<Reason>) {
    let needed = |test: fn(Here) -> Verdict| match lacking {
        None => test(token),
        Some(why) => Err(skip!("{why}")),
    };
    group!(suite, "system calls", {
        "the prctl and the area's flags agree" => agree(token, lacking.is_none()),
        "wrong arguments" => wrong_arguments(),
        "a guard that is not enabled does nothing" => inert(token),
        "a yield without a grant" => idle_yield(lacking.is_some()),
        "on, off and on again" => needed(switched),
        "a registration of 32 bytes is refused" => needed(legacy),
        "no registration" => needed(unregistered),
        "enabled by the registration" => needed(by_flag),
        "fork keeps it, a new thread has to ask" => needed(inherited),
        "lengths out of range" => needed(lengths),
    });
}

fn state(expected: SliceState) -> Verdict {
    match slice_extension() {
        Ok(state) if state == expected => Ok(()),
        Ok(state) => Err(fail!("it is {state:?}, expected {expected:?}")),
        Err(error) => Err(fail!("prctl: {}", error.errno())),
    }
}

fn set(state: SliceState) -> Verdict {
    set_slice_extension(state).map_err(|error| fail!("prctl: {}", error.errno()))
}

fn flags(token: Here, expected: u32) -> Verdict {
    let flags = token.flags();
    ensure!(flags == expected, "flags of the area are {flags:#x}, expected {expected:#x}");
    Ok(())
}

/// The flags are the kernel's word too: none where it has refused.
fn agree(token: Here, there: bool) -> Verdict {
    if there {
        state(SliceState::Enabled)?;
        return flags(token, AVAILABLE | ENABLED);
    }
    flags(token, token.flags() & !(AVAILABLE | ENABLED))?;
    match set_slice_extension(SliceState::Enabled) {
        Err(SliceError::NoExtension | SliceError::NotSupported) => Ok(()),
        Err(error) => Err(fail!("prctl: {}", error.errno())),
        Ok(()) => Err(fail!("the second time, it could be enabled")),
    }
}

/// What any five words come to.
fn prctl(words: [usize; 4]) -> Result<usize, Errno> {
    let [operation, argument, third, fourth] = words;
    // SAFETY: this prctl takes no pointer.
    unsafe { call(__NR_prctl, [PR_RSEQ_SLICE_EXTENSION, operation, argument, third, fourth]) }
}

/// EINVAL all of them, where the extension is built in or too new; built out, ENOTSUPP comes first for all but the
/// surplus words.
fn wrong_arguments() -> Verdict {
    let built_out = slice_extension() == Err(SliceError::NotSupported);
    let table = [[GET, 1, 0, 0], [SET, 2, 0, 0], [SET, 3, 0, 0], [0, 0, 0, 0], [3, 0, 0, 0], [usize::MAX, 1, 0, 0]];
    for words in table {
        let expected = if built_out { Errno::ENOTSUPP } else { Errno::EINVAL };
        expect(words, expected)?;
    }
    for words in [[GET, 0, 1, 0], [GET, 0, 0, 1], [SET, 1, 1, 0], [SET, 1, 0, 1]] {
        expect(words, Errno::EINVAL)?;
    }
    Ok(())
}

fn expect(words: [usize; 4], expected: Errno) -> Verdict {
    match prctl(words) {
        Err(errno) if errno == expected => Ok(()),
        Err(errno) => Err(fail!("{words:?} came to {errno}, expected {expected}")),
        Ok(value) => Err(fail!("{words:?} came to {value}, expected {expected}")),
    }
}

/// Off in this thread, or not there at all: the field stays what it is, and nothing is yielded.
fn inert(token: Here) -> Verdict {
    let was = slice_extension();
    if was == Ok(SliceState::Enabled) {
        set(SliceState::Disabled)?;
    }
    let before = control(token);
    let guard = SliceGuard::request(token);
    let (during, granted) = (control(token), guard.is_granted());
    let outcome = guard.end();
    if was == Ok(SliceState::Enabled) {
        set(SliceState::Enabled)?;
    }
    ensure!(before == during && !granted, "the field went from {before:#x} to {during:#x}");
    ensure!(outcome == SliceOutcome::NotRequested, "the outcome is {outcome:?}");
    Ok(())
}

/// The four bytes of the request and the grant.
pub fn control(token: Here) -> u32 {
    use rseq_core::Area;
    let area = token.area().pointer().as_ptr();
    // SAFETY: four of the area's first 32 bytes, aligned; volatile, as the kernel writes them.
    unsafe { (&raw const (*area).slice_ctrl).cast::<u32>().read_volatile() }
}

/// 0 where the extension is built in; ENOSYS where it is not, before 7.0 as later.
fn idle_yield(lacking: bool) -> Verdict {
    let built_in = slice_extension().is_ok();
    match rseq_slice_yield() {
        Ok(false) if built_in => Ok(()),
        Err(Errno::ENOSYS) if lacking && !built_in => Ok(()),
        Ok(held) => Err(fail!("rseq_slice_yield returned {}", u8::from(held))),
        Err(errno) => Err(fail!("rseq_slice_yield: {errno}")),
    }
}

fn switched(token: Here) -> Verdict {
    for next in [SliceState::Disabled, SliceState::Disabled, SliceState::Enabled, SliceState::Enabled] {
        set(next)?;
        state(next)?;
        flags(token, if next == SliceState::Enabled { AVAILABLE | ENABLED } else { AVAILABLE })?;
    }
    Ok(())
}

fn refused(ending: Result<Ending, Unmet>, expected: SliceError) -> Verdict {
    match ending? {
        Ending::Exited(0) => Ok(()),
        ending => Err(fail!("{ending}, expected that the prctl fails with {}", expected.errno())),
    }
}

/// 0 if enabling fails as expected, and nothing is enabled.
fn fails_with(expected: SliceError) -> u8 {
    match (set_slice_extension(SliceState::Enabled), slice_extension()) {
        (Err(error), Ok(SliceState::Disabled)) if error == expected => 0,
        (Err(_), _) => 1,
        (Ok(()), _) => 2,
    }
}

fn legacy(_: Here) -> Verdict {
    let child = in_registered_child(ORIGINAL_SIZE, 10 * SECOND, &mut |area| match flags_of(area) {
        0 => fails_with(SliceError::NotSupported),
        _ => 3,
    });
    refused(child, SliceError::NotSupported)
}

fn unregistered(_: Here) -> Verdict {
    let registered = Registered::by_runtime()?;
    let child = process::in_child(10 * SECOND, &mut || {
        // SAFETY: the child exits after two system calls; no section of it runs.
        match unsafe { registered.release() } {
            Ok(()) => fails_with(SliceError::NotRegistered),
            Err(_) => 4,
        }
    });
    refused(child.or_fail("fork"), SliceError::NotRegistered)
}

fn flags_of(area: *mut Rseq) -> u32 {
    // SAFETY: the caller's registered area; volatile, as the kernel writes it.
    unsafe { (&raw const (*area).flags).read_volatile() }
}

/// A flag of rseq(2) in place of the prctl; a registration of 32 bytes takes the flag and enables nothing.
fn by_flag(_: Here) -> Verdict {
    let full = rseq_rt::kernel().registration_len();
    for (length, expected, then) in
        [(full, AVAILABLE | ENABLED, SliceState::Enabled), (ORIGINAL_SIZE, 0, SliceState::Disabled)]
    {
        let ending = registered_with_flag(length, &|area| flags_of(area) == expected && slice_extension() == Ok(then))?;
        ensure!(ending == Ending::Exited(0), "{length} bytes with the flag: {ending}");
    }
    Ok(())
}

fn registered_with_flag(length: u32, holds: &dyn Fn(*mut Rseq) -> bool) -> Result<Ending, Unmet> {
    let inherited = Registered::by_runtime()?;
    let memory = Mapping::private(64 << 10).or_fail("memory for an area")?;
    process::in_child(10 * SECOND, &mut || {
        // SAFETY: the child exits without a section in the area that it releases.
        let released = unsafe { inherited.release() };
        // SAFETY: the mapping is longer than any registration and lives until the child has ended.
        let registered = unsafe { rseq_raw(memory.address(), length, FLAG_SLICE_EXT_DEFAULT_ON, arch::SIGNATURE) };
        match released.and(registered) {
            Ok(()) => u8::from(!holds(memory.address() as *mut Rseq)),
            Err(_) => 4,
        }
    })
    .or_fail("fork")
}

fn inherited(token: Here) -> Verdict {
    let child = process::in_child(10 * SECOND, &mut || {
        let kept = slice_extension() == Ok(SliceState::Enabled) && flags(token, AVAILABLE | ENABLED).is_ok();
        u8::from(!kept)
    });
    ensure!(child.or_fail("fork")? == Ending::Exited(0), "the child of a fork has it no longer");
    let in_thread = rseq_rt::thread::scope(|scope| {
        let thread = scope.spawn(|| (slice_extension(), rseq_rt::current().map(|token| token.flags())));
        thread.or_fail("a thread").map(|thread| thread.join())
    })?;
    ensure!(in_thread == (Ok(SliceState::Disabled), Some(AVAILABLE)), "a new thread has {in_thread:?}");
    state(SliceState::Enabled)
}

fn lengths(_: Here) -> Verdict {
    let length = Length::open().map_err(|errno| skip!("no debugfs rseq/slice_ext_nsec: {errno}"))?;
    let before = length.get().or_fail("rseq/slice_ext_nsec")?;
    for wrong in [0, 4_999, LONGEST + 1, u32::MAX] {
        let result = length.set(wrong);
        ensure!(result == Err(Errno::ERANGE), "{wrong} ns: {result:?}, expected ERANGE");
    }
    for right in [5_000, LONGEST, before] {
        length.set(right).or_fail("rseq/slice_ext_nsec")?;
        ensure!(length.get() == Ok(right), "rseq/slice_ext_nsec is not {right} after it was set");
    }
    Ok(())
}
