//! Registrations that are refused: the existing one continues, and no byte of any area changes.

use core::ptr::NonNull;

use harness::ktap::{OrFail, Unmet, Verdict};
use harness::sys::cpu::{self, Set};
use harness::sys::memory::Mapping;
use harness::sys::seccomp::{self, Refusal};
use harness::sys::time::{Deadline, SECOND};
use harness::{ensure, fail, reexec, registration, skip};
use linux_raw_sys::general::__NR_rseq;
use rseq_core::abi::Rseq;
use rseq_core::sys::{Errno, rseq_raw};
use rseq_core::{
    Area, KernelRseq, Mode, Options, OwnArea, Owner, RegisterError, Registration, ThreadArea, Token, abi, arch,
};

const SIZE: usize = size_of::<Rseq>();

/// Bytes that change without anybody's doing: the concurrency ID.
const RESTLESS: core::ops::Range<usize> = 24..28;

/// Memory for areas that the program gives; mapped for as long as the process lives.
struct Areas(NonNull<Rseq>);

impl Areas {
    fn new() -> Result<Self, Unmet> {
        let mapping = Mapping::private(4096).or_fail("memory for areas")?;
        let first = NonNull::new(mapping.address() as *mut Rseq).or_fail("an address")?;
        core::mem::forget(mapping);
        let areas = Self(first);
        for area in [areas.first(), areas.second()] {
            // SAFETY: two areas are in the mapping, which only this function uses.
            unsafe { area.write(Rseq::new()) };
        }
        Ok(areas)
    }

    fn first(&self) -> NonNull<Rseq> {
        self.0
    }

    fn second(&self) -> NonNull<Rseq> {
        // SAFETY: the mapping is larger than two areas.
        unsafe { self.0.byte_add(4 * SIZE) }
    }

    /// The bytes of both areas and of the thread's own one.
    fn bytes(&self) -> [[u8; SIZE]; 3] {
        [self.first(), self.second(), arch::own_area()].map(|area| {
            // SAFETY: an area is SIZE bytes of this thread's memory; volatile, as the kernel may write them.
            let mut bytes = unsafe { area.cast::<[u8; SIZE]>().read_volatile() };
            bytes[RESTLESS].fill(0);
            bytes
        })
    }

    /// Calls every constructor; each has to be refused in this way, and to leave all bytes.
    fn expect_refusals(&self, wanted: RegisterError) -> Verdict {
        let before = self.bytes();
        for asked in [Options::new(Mode::Extended), Options::new(Mode::Legacy).slice_extension()] {
            let attempts: [(&str, &dyn Fn() -> Option<RegisterError>); 4] = [
                // SAFETY: these are refused; the areas would outlive the process, and what would be made is dropped at
                // once.
                ("own", &|| unsafe { Registration::<OwnArea>::own(asked) }.err()),
                // SAFETY: as above.
                ("runtime", &|| unsafe { Registration::<OwnArea>::runtime(asked) }.err()),
                // SAFETY: as above, and an area is SIZE bytes that hold what Rseq::new makes, or are registered.
                ("at, the first area", &|| unsafe { Registration::at(self.first(), SIZE, asked) }.err()),
                // SAFETY: as above.
                ("at, the second area", &|| unsafe { Registration::at(self.second(), SIZE, asked) }.err()),
            ];
            for (name, attempt) in attempts {
                let error = attempt().ok_or_else(|| fail!("{name} made a second registration"))?;
                ensure!(error == wanted, "{name}: \"{error}\", not \"{wanted}\"");
                ensure!(self.bytes() == before, "{name} changed an area");
            }
        }
        Ok(())
    }
}

/// A registration that continues is one whose CPU follows the thread, and for which the kernel does not kill it.
fn still_follows<A: Area>(token: Token<'_, A>) -> Verdict {
    let allowed = cpu::affinity(0).or_fail("sched_getaffinity")?;
    for cpu in allowed.iter().take(4) {
        cpu::set_affinity(0, &Set::only(cpu)).or_fail("sched_setaffinity")?;
        let deadline = Deadline::after(SECOND);
        while token.cpu_id() != cpu && !deadline.is_past() {}
        ensure!(token.cpu_id() == cpu, "cpu_id {} on CPU {cpu}", token.cpu_id());
    }
    Ok(())
}

/// Keeps this thread where it is, so that no ID changes.
fn stay() -> Verdict {
    let here = rseq_core::sys::getcpu().or_fail("getcpu")?.cpu;
    cpu::set_affinity(0, &Set::only(here)).or_fail("sched_setaffinity")
}

pub fn after_at() -> Verdict {
    let areas = Areas::new()?;
    stay()?;
    // SAFETY: the area is never unmapped, holds what Rseq::new makes, and is released below.
    let made = unsafe { Registration::at(areas.first(), SIZE, reexec::asked_mode()) }.map_err(registration::refused)?;
    ensure!(made.fallback().is_none(), "a fallback that no kernel calls for");
    areas.expect_refusals(RegisterError::OtherOwner(Some(Owner::Own)))?;
    still_follows(made.token())?;
    made.release().map_err(|error| fail!("releasing: {error}"))?;
    // SAFETY: released below, in the same thread.
    let own = unsafe { Registration::<OwnArea>::own(reexec::asked_mode()) }.map_err(registration::refused)?;
    own.release().map_err(|error| fail!("releasing: {error}"))
}

pub fn after_own() -> Verdict {
    let areas = Areas::new()?;
    stay()?;
    // SAFETY: released below, in the same thread.
    let made = unsafe { Registration::<OwnArea>::own(reexec::asked_mode()) }.map_err(registration::refused)?;
    let unknown = RegisterError::OtherOwner(Some(Owner::Own));
    let before = areas.bytes();
    // SAFETY: refused, or dropped at once.
    let own = unsafe { Registration::<OwnArea>::own(reexec::asked_mode()) }.err();
    ensure!(own == Some(unknown), "own: {own:?}");
    // SAFETY: as above; the area holds what Rseq::new makes.
    let at = unsafe { Registration::at(areas.first(), SIZE, reexec::asked_mode()) }.err();
    ensure!(at == Some(unknown), "at: {at:?}");
    ensure!(areas.bytes() == before, "an area was changed");
    still_follows(made.token())?;
    made.release().map_err(|error| fail!("releasing: {error}"))
}

/// An owner that this program knows nothing of.
pub fn after_others() -> Verdict {
    let areas = Areas::new()?;
    stay()?;
    let theirs = Areas::new()?;
    let register = |flags| {
        // SAFETY: memory that is never unmapped.
        unsafe { rseq_raw(theirs.first().as_ptr() as usize, abi::ORIGINAL_SIZE, flags, arch::SIGNATURE) }
    };
    register(0).or_fail("registering as another owner")?;
    areas.expect_refusals(RegisterError::OtherOwner(None))?;
    ensure!(register(0) == Err(Errno::EBUSY), "the other registration is gone");
    register(abi::FLAG_UNREGISTER).or_fail("releasing as another owner")
}

/// A filter's errors, the documented ones and others, and bytes that are what no kernel would leave.
pub fn under_a_filter() -> Verdict {
    let areas = Areas::new()?;
    // SAFETY: the mapping is this function's alone. A stale CPU must not pass for a registration.
    unsafe { (&raw mut (*areas.first().as_ptr()).cpu_id).write(3) };
    seccomp::refuse(__NR_rseq, Refusal::Error(Errno::EACCES)).map_err(|errno| skip!("no seccomp filters: {errno}"))?;
    areas.expect_refusals(RegisterError::Blocked(Errno::EACCES))
}

/// The fields that the kernel maintains are a fact of the kernel: no thread's registration and no refusal changes it.
pub fn active_size_stays() -> Verdict {
    if !KernelRseq::read().has_feature_size() {
        return Err(skip!("this kernel has no feature size (Linux 6.3)"));
    }
    // SAFETY: released below, in the same thread.
    let made = unsafe { Registration::<OwnArea>::own(reexec::asked_mode()) }.map_err(registration::refused)?;
    let size = OwnArea.active_size();
    ensure!(made.token().mm_cid().is_some(), "no mm_cid, with {size} active bytes");
    for asked in [Mode::Legacy.into(), Mode::Extended.into(), Options::new(Mode::Legacy).kernel(KernelRseq::LEGACY)] {
        // SAFETY: refused, or dropped at once.
        let refused = unsafe { Registration::<OwnArea>::own(asked) }.is_err();
        ensure!(refused, "a second registration");
        ensure!(OwnArea.active_size() == size, "a refusal changed {size} active bytes to {}", OwnArea.active_size());
        rseq_rt::thread::spawn(move || {
            // SAFETY: dropped in this thread, which ends afterwards.
            let theirs = unsafe { Registration::<OwnArea>::own(asked) }.map_err(registration::refused)?;
            ensure!(theirs.token().mm_cid().is_some(), "no mm_cid in another thread");
            Ok(())
        })
        .or_fail("a thread")?
        .join()?;
        ensure!(OwnArea.active_size() == size, "a thread changed {size} active bytes to {}", OwnArea.active_size());
    }
    made.release().map_err(|error| fail!("releasing: {error}"))
}

/// A legacy registration that comes first leaves the extended ones their fields.
pub fn active_size_in_any_order() -> Verdict {
    for asked in [Mode::Legacy, Mode::Extended] {
        // SAFETY: dropped at the end of the round, in the same thread.
        let made = unsafe { Registration::<OwnArea>::own(asked) }.map_err(registration::refused)?;
        let wanted = KernelRseq::read().active_size().min(abi::ORIGINAL_SIZE);
        ensure!(OwnArea.active_size() == wanted, "{} active bytes, not {wanted}", OwnArea.active_size());
        made.release().map_err(|error| fail!("releasing: {error}"))?;
    }
    Ok(())
}

/// A registration with the flag for time slices, on kernels that know it and on those that do not.
pub fn slice_flag() -> Verdict {
    let options = Options::new(reexec::asked_mode()).slice_extension();
    // SAFETY: released below, in the same thread.
    let made = unsafe { Registration::<OwnArea>::own(options) }.map_err(registration::refused)?;
    let known = KernelRseq::read().active_size() > abi::ORIGINAL_SIZE;
    let wanted = (!known).then_some(rseq_core::Fallback::SliceFlagRefused);
    ensure!(made.fallback() == wanted, "{:?}, not {wanted:?}", made.fallback());
    let available = made.token().flags() & abi::AREA_FLAG_SLICE_EXT_AVAILABLE != 0;
    let enabled = made.token().flags() & abi::AREA_FLAG_SLICE_EXT_ENABLED != 0;
    ensure!(available == enabled, "available: {available}, enabled: {enabled}");
    made.release().map_err(|error| fail!("releasing: {error}"))
}

/// An area that this kernel's registration does not fit, by size and by alignment.
pub fn fallback_is_told() -> Verdict {
    let areas = Areas::new()?;
    let register = |area: NonNull<Rseq>, size| -> Result<_, Unmet> {
        // SAFETY: the areas are never unmapped, hold what Rseq::new makes, and the registration is released here.
        let made: Registration<ThreadArea> =
            unsafe { Registration::at(area, size, Mode::Extended) }.map_err(registration::refused)?;
        let found = (made.registered_len(), made.fallback());
        made.release().map_err(|error| fail!("releasing: {error}"))?;
        Ok(found)
    };
    let (wanted, align) = (KernelRseq::read().registration_len(), KernelRseq::read().registration_align());
    let short = abi::ORIGINAL_SIZE as usize;
    let told = (wanted > abi::ORIGINAL_SIZE).then_some(rseq_core::Fallback::TooSmall { wanted, size: short });
    let found = register(areas.first(), short)?;
    ensure!(found == (Some(abi::ORIGINAL_SIZE), told), "a short area: {found:?}");
    // SAFETY: half an area further, still in the mapping.
    let skewed = unsafe { areas.first().byte_add(short) };
    let told = (align > abi::ORIGINAL_ALIGN).then_some(rseq_core::Fallback::Misaligned(align));
    // SAFETY: the mapping is this function's alone.
    unsafe { skewed.cast::<[u32; 8]>().write([0, u32::MAX, 0, 0, 0, 0, u32::MAX, 0]) };
    let found = register(skewed, SIZE)?;
    let len = if told.is_some() { abi::ORIGINAL_SIZE } else { wanted };
    ensure!(found == (Some(len), told), "a skewed area: {found:?}");
    Ok(())
}
