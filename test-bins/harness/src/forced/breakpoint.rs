//! Breakpoints in the text, and the state of the thread when their signal was handled.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::sys::cpu::{self, Set};
use crate::sys::process;
use crate::sys::signal::{self, Action};
use rseq_core::abi::Rseq;
use rseq_core::arch as core_arch;
use rseq_core::sys::Errno;

use super::arch;

/// What to do at a point.
#[derive(Clone, Copy)]
pub struct Plan {
    /// Where the event is to happen.
    pub point: usize,
    /// How often.
    pub hits: u32,
    /// Where the kernel has sent the thread if it aborted the section.
    pub abort: usize,
    /// The CPU to go to at the first event.
    pub moves_to: Option<u32>,
    /// The first instruction and the one after the last, to compare registers at; else 0.
    pub watched: [usize; 2],
    /// Whether an abort ends the call: what registers hold in the next one is its own.
    pub abort_ends: bool,
}

/// Memory that only a commit may change, with a copy of how it was.
#[derive(Clone, Copy)]
pub struct Published {
    pub words: *const usize,
    pub before: *const usize,
    pub count: usize,
    /// Words of a slot, and from where on and up to where those are that anything may change.
    pub slot: usize,
    pub private: [usize; 2],
}

impl Published {
    /// Whether nothing changed.
    pub fn is_untouched(&self) -> bool {
        let is_private = |i: usize| (self.private[0]..self.private[1]).contains(&(i % self.slot));
        // SAFETY: both are `count` words of the scene's memory. Volatile, because sections write it without the
        // compiler's knowledge.
        let is_same = |i| unsafe { self.words.add(i).read_volatile() == self.before.add(i).read_volatile() };
        (0..self.count).all(|i| is_private(i) || is_same(i))
    }
}

/// What happened at the point.
#[derive(Clone, Copy, Default)]
pub struct Seen {
    /// The kernel had sent the thread to the abort handler.
    pub aborted: u32,
    /// It had not.
    pub passed: u32,
    /// Aborted, and `rseq_cs` was not cleared.
    pub armed: u32,
    /// The published words were no longer as before.
    pub published: u32,
    /// The kernel had sent the thread there from after the commit.
    pub aborted_after: u32,
}

struct Site {
    address: AtomicUsize,
    left: AtomicU32,
    original: AtomicU32,
}

impl Site {
    const fn unset() -> Self {
        Self { address: AtomicUsize::new(0), left: AtomicU32::new(0), original: AtomicU32::new(0) }
    }

    fn set(&self, address: usize, hits: u32) {
        let mut original = [0; 4];
        original[..arch::BREAKPOINT.len()].copy_from_slice(&arch::code::<{ arch::BREAKPOINT.len() }>(address));
        self.original.store(u32::from_ne_bytes(original), Relaxed);
        self.address.store(address, Relaxed);
        self.left.store(hits, Relaxed);
        patch(address, &arch::BREAKPOINT);
    }

    fn is_set(&self) -> bool {
        self.left.load(Relaxed) > 0
    }

    /// Counts one event; the last one restores the instruction.
    fn hit(&self) {
        self.left.store(self.left.load(Relaxed) - 1, Relaxed);
        if !self.is_set() {
            let original = self.original.load(Relaxed).to_ne_bytes();
            patch(self.address.load(Relaxed), &original[..arch::BREAKPOINT.len()]);
        }
    }

    fn clear(&self) {
        if self.is_set() {
            self.left.store(1, Relaxed);
            self.hit();
        }
    }

    /// Whether a thread that stopped here without an abort has this program counter.
    fn explains(&self, pc: usize) -> bool {
        self.is_set() && pc == self.address.load(Relaxed) + arch::BEHIND
    }
}

/// Overwrites instructions.
pub fn patch(address: usize, bytes: &[u8]) {
    for (i, byte) in bytes.iter().enumerate() {
        // SAFETY: the text around every section has been made writable, and the only thread of this process executes
        // here, not there.
        unsafe { (address as *mut u8).add(i).write_volatile(*byte) };
    }
    arch::flush(address, bytes.len());
}

const POINT: usize = 0;
const FIRST: usize = 1;
const BEHIND_LAST: usize = 2;
static SITES: [Site; 3] = [const { Site::unset() }; 3];

static ABORT: AtomicUsize = AtomicUsize::new(0);
static MOVES_TO: AtomicU32 = AtomicU32::new(u32::MAX);
static PUBLISHED: [AtomicUsize; 6] = [const { AtomicUsize::new(0) }; 6];
static COUNTS: [AtomicU32; 5] = [const { AtomicU32::new(0) }; 5];
/// The index of `aborted_after` among them.
const ABORTED_AFTER: usize = 4;
/// Context switches caused by moving to another CPU.
static SWITCHES: AtomicUsize = AtomicUsize::new(0);

/// The most values to look for in registers.
pub const INPUTS: usize = 16;

const REGISTERS: usize = arch::REGISTERS.1;
/// Registers are noted; not before the first instruction, and not after an abort that ended the call.
static WATCHED: AtomicBool = AtomicBool::new(false);
static ABORT_ENDS: AtomicBool = AtomicBool::new(false);
static WATCHED_FIRST: AtomicUsize = AtomicUsize::new(0);
static VALUES: [AtomicUsize; INPUTS] = [const { AtomicUsize::new(0) }; INPUTS];
static HELD: AtomicU32 = AtomicU32::new(0);
static AT_FIRST: [AtomicUsize; REGISTERS + 1] = [const { AtomicUsize::new(0) }; REGISTERS + 1];
static CHANGED: AtomicU64 = AtomicU64::new(0);
static LOST: AtomicU32 = AtomicU32::new(0);

/// Handles the signal from now on.
pub fn handle() -> Result<(), Errno> {
    signal::set(arch::SIGNAL, Action::WithContext(trapped))
}

/// Sets the breakpoints; `inputs` are values that registers must keep.
pub fn set(plan: &Plan, published: &Published, inputs: &[usize; INPUTS]) {
    COUNTS.iter().for_each(|count| count.store(0, Relaxed));
    ABORT.store(plan.abort, Relaxed);
    MOVES_TO.store(plan.moves_to.unwrap_or(u32::MAX), Relaxed);
    let &Published { words, before, count, slot, private: [from, to] } = published;
    let words = [words as usize, before as usize, count, slot, from, to];
    PUBLISHED.iter().zip(words).for_each(|(cell, word)| cell.store(word, Relaxed));
    VALUES.iter().zip(inputs).for_each(|(cell, value)| cell.store(*value, Relaxed));
    WATCHED.store(false, Relaxed);
    ABORT_ENDS.store(plan.abort_ends, Relaxed);
    WATCHED_FIRST.store(plan.watched[0], Relaxed);
    SITES[POINT].set(plan.point, plan.hits);
    for (site, address) in [FIRST, BEHIND_LAST].into_iter().zip(plan.watched) {
        if address != 0 && address != plan.point {
            SITES[site].set(address, 1);
        }
    }
}

/// How often this thread was switched away from, other than to move to another CPU. Each time, the kernel may have
/// aborted a section.
pub fn interruptions() -> Result<usize, Errno> {
    process::context_switches().map(|all| all.wrapping_sub(SWITCHES.load(Relaxed)))
}

/// What happened so far.
pub fn seen() -> Seen {
    let [aborted, passed, armed, published, aborted_after] = COUNTS.each_ref().map(|count| count.load(Relaxed));
    Seen { aborted, passed, armed, published, aborted_after }
}

/// Removes the breakpoints that were not hit.
pub fn clear() -> Seen {
    SITES.iter().for_each(Site::clear);
    seen()
}

/// What registers did between the first instruction and points in the section or after it.
#[derive(Clone, Copy, Default)]
pub struct Registers {
    /// Those that changed, and last the flags, as bits.
    changed: u64,
    /// Inputs that registers held and none holds any longer, as bits.
    pub lost: u32,
}

impl Registers {
    /// How many changed.
    pub fn changed(self) -> u32 {
        (self.changed & ((1 << REGISTERS) - 1)).count_ones()
    }

    /// Whether flags changed.
    pub fn has_flags(self) -> bool {
        self.changed >> REGISTERS != 0
    }
}

/// What they did so far.
pub fn registers() -> Registers {
    Registers { changed: CHANGED.load(Relaxed), lost: LOST.load(Relaxed) }
}

/// Takes this for what they did so far.
pub fn set_registers(registers: Registers) {
    CHANGED.store(registers.changed, Relaxed);
    LOST.store(registers.lost, Relaxed);
}

/// The signal's handler: the kernel has already decided about the section.
extern "C" fn trapped(_signal: i32, _info: *mut u8, context: *mut u8) {
    let pc = word(context, arch::PC);
    // In a delay slot of MIPS, the program counter is that of the branch before it.
    let delayed = cfg!(any(target_arch = "mips64", target_arch = "mips64r6")) && SITES[POINT].explains(pc + 4);
    let site = SITES.iter().position(|site| site.explains(pc)).or(delayed.then_some(POINT));
    match site {
        Some(site) => {
            // SAFETY: the kernel's ucontext has the program counter there.
            unsafe { context.add(arch::PC).cast::<usize>().write(pc - arch::BEHIND) };
            SITES[site].hit();
        }
        None if pc == ABORT.load(Relaxed) && SITES[POINT].is_set() => SITES[POINT].hit(),
        None if pc == ABORT.load(Relaxed) && SITES[BEHIND_LAST].is_set() => {
            SITES[BEHIND_LAST].hit();
            count(ABORTED_AFTER);
            return;
        }
        None => {
            crate::note!("stopped at {pc:#x}, where no breakpoint is");
            process::exit(crate::ktap::FAIL);
        }
    }
    watch(context, site);
    if site.is_none_or(|site| site == POINT) {
        record(site.is_none());
        let to = MOVES_TO.swap(u32::MAX, Relaxed);
        if to != u32::MAX {
            go_to(to);
        }
    }
}

/// The test sees where the thread is, and takes switches that cannot be counted for an interruption.
fn go_to(cpu: u32) {
    let before = process::context_switches();
    let _ = cpu::set_affinity(0, &Set::only(cpu));
    if let (Ok(before), Ok(after)) = (before, process::context_switches()) {
        SWITCHES.fetch_add(after.wrapping_sub(before), Relaxed);
    }
}

fn record(aborted: bool) {
    let [words, before, length, slot, from, to] = PUBLISHED.each_ref().map(|cell| cell.load(Relaxed));
    let (words, before) = (words as *const usize, before as *const usize);
    let published = Published { words, before, count: length, slot, private: [from, to] };
    let facts = [aborted, !aborted, aborted && rseq_cs() != 0, !published.is_untouched()];
    (0..facts.len()).filter(|fact| facts[*fact]).for_each(count);
}

fn count(fact: usize) {
    COUNTS[fact].store(COUNTS[fact].load(Relaxed) + 1, Relaxed);
}

/// The descriptor that this thread armed last and that the kernel has not cleared since.
pub fn rseq_cs() -> usize {
    let area: *mut Rseq = core_arch::own_area().as_ptr();
    // SAFETY: this thread's area. Volatile, because the kernel and sections write it.
    unsafe { (&raw const (*area).rseq_cs).read_volatile() as usize }
}

fn word(context: *mut u8, offset: usize) -> usize {
    // SAFETY: offsets are those of words of the kernel's ucontext.
    unsafe { context.add(offset).cast::<usize>().read() }
}

/// The registers, and last the flags that are to stay.
fn register(context: *mut u8, i: usize) -> usize {
    match arch::FLAGS {
        _ if i < REGISTERS => word(context, arch::REGISTERS.0 + i * size_of::<usize>()),
        Some((offset, mask)) => word(context, offset) & mask,
        None => 0,
    }
}

/// Notes the registers at the first instruction, and compares them in the section and after it.
fn watch(context: *mut u8, site: Option<usize>) {
    let holds = |value: usize| (0..REGISTERS).any(|i| register(context, i) == value);
    if !WATCHED.load(Relaxed) {
        let first = WATCHED_FIRST.load(Relaxed);
        if site == Some(FIRST) || site == Some(POINT) && SITES[POINT].address.load(Relaxed) == first {
            AT_FIRST.iter().enumerate().for_each(|(i, cell)| cell.store(register(context, i), Relaxed));
            let held =
                VALUES.iter().enumerate().filter(|(_, value)| value.load(Relaxed) != 0 && holds(value.load(Relaxed)));
            HELD.store(held.fold(0, |held, (i, _)| held | 1 << i), Relaxed);
            WATCHED.store(true, Relaxed);
        }
        return;
    }
    if site == Some(POINT) {
        return; // arming or after the commit: the latter is compared by its own breakpoint
    }
    let changed = AT_FIRST.iter().enumerate().filter(|(i, cell)| cell.load(Relaxed) != register(context, *i));
    CHANGED.fetch_or(changed.fold(0, |all, (i, _)| all | 1 << i), Relaxed);
    let held = HELD.load(Relaxed);
    let lost = VALUES.iter().enumerate().filter(|(i, cell)| held >> i & 1 == 1 && !holds(cell.load(Relaxed)));
    LOST.fetch_or(lost.fold(0, |all, (i, _)| all | 1 << i), Relaxed);
    if site.is_none() && ABORT_ENDS.load(Relaxed) {
        WATCHED.store(false, Relaxed);
        WATCHED_FIRST.store(0, Relaxed);
    }
}
