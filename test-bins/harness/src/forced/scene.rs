//! The memory that operations work on, and how it looks before and after one.

use crate::ktap::{OrFail, Unmet};
use crate::skip;
use crate::sys::cpu::{self, Set};
use crate::sys::memory::Mapping;
use rseq_core::sys::Errno;
use rseq_core::{Area, Index, Token, arch as core_arch};

use super::breakpoint::{INPUTS, Published};

/// Bytes from one slot to the next.
pub const STRIDE: usize = 64;
const WORDS: usize = STRIDE / size_of::<usize>();

/// What a slot holds.
pub type Words = [usize; WORDS];

/// A slot that holds these words, each at so many bytes from its first, and 0 elsewhere.
pub fn words(held: &[(usize, usize)]) -> Words {
    let mut words = [0; WORDS];
    held.iter().for_each(|(at, word)| words[at / size_of::<usize>()] = *word);
    words
}

/// A slot that holds two words, 8 bytes apart, and 0 elsewhere.
pub fn pair([first, second]: [usize; 2]) -> Words {
    words(&[(0, first), (8, second)])
}

/// The same with another word at `at` bytes.
pub fn with(held: [usize; 2], at: usize, word: usize) -> Words {
    let mut words = pair(held);
    words[at / size_of::<usize>()] = word;
    words
}

/// What slots hold at first, where they hold no address.
pub const START: usize = 0x5ea7_0001;
/// What operations store.
pub const NEW: usize = 0x0dd0_0ace;
/// What they add.
pub const COUNT: usize = 0x0001_0203;
/// What the second word holds at first.
pub const SECOND: usize = 0x1ced_cafe;
/// What operations store there.
pub const NEW_SECOND: usize = 0x2bad_5eed;
/// Bytes to copy: two words at once, one more and single bytes on every architecture.
pub const LENGTH: usize = 27;

/// Bytes of a ring's buffer.
pub const RING: usize = 96;

/// What an operation may take, in the order of [`Scene::inputs`].
pub mod takes {
    pub const WORD: u32 = 1 << 0;
    pub const BASE: u32 = 1 << 1;
    pub const EXPECT: u32 = 1 << 2;
    pub const EXPECT_SECOND: u32 = 1 << 3;
    pub const NEW: u32 = 1 << 4;
    pub const COUNT: u32 = 1 << 5;
    pub const NEW_SECOND: u32 = 1 << 6;
    pub const POPPED: u32 = 1 << 7;
    pub const SECOND: u32 = 1 << 8;
    pub const ARRAY: u32 = 1 << 9;
    pub const FREE: u32 = 1 << 10;
    pub const FROM: u32 = 1 << 11;
    pub const TO: u32 = 1 << 12;
    pub const STATE: u32 = 1 << 13;
    pub const RING: u32 = 1 << 14;
    pub const SOURCE: u32 = 1 << 15;
}

/// What belongs to the thread, and what only its own operations reach.
#[derive(Clone, Copy, PartialEq)]
#[repr(C)]
pub struct Own {
    /// The first node of a list, linked to the second by each of its words.
    pub first: [usize; 2],
    pub second_node: [usize; 2],
    /// A node of no list.
    pub free: [usize; 2],
    /// What was popped.
    pub popped: usize,
    /// The second word of operations that compare or store two.
    pub second: usize,
    /// The address of `table`, whose last word is the address of the slot.
    pub array: usize,
    pub table: [usize; 3],
    /// Two words to store to in pieces.
    pub pieces: [u64; 2],
    pub from: [u8; 32],
    pub to: [u8; 32],
    /// Three words of a section's own, 8 bytes apart.
    pub state: [u64; 3],
    /// What records are written to.
    pub ring: [u8; RING],
    /// Words of a record.
    pub source: [usize; 8],
}

/// What the comparisons of an operation find, and where it takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Every comparison succeeds.
    Commits,
    /// The first or the second comparison fails.
    Fails(u8),
    /// The first attempt is for a slot that is not the thread's.
    Elsewhere,
    /// The thread goes to another CPU at the event.
    Moves,
}

impl State {
    /// Which comparison is to fail; 0: none.
    pub fn fails(self) -> u8 {
        if let Self::Fails(which) = self { which } else { 0 }
    }
}

/// What an operation is called with.
pub struct Scene<'r, A: Area, I: Index> {
    pub token: Token<'r, A, I>,
    /// The slot that the caller picks.
    pub at: usize,
    pub word: *mut usize,
    pub base: *mut usize,
    pub len: usize,
    pub expect: usize,
    pub expect_second: usize,
    /// Which comparison is to fail; 0: none.
    pub fails: u8,
    pub own: *mut Own,
}

impl<A: Area, I: Index> Scene<'_, A, I> {
    /// The values that an operation takes (bits of [`takes`]), which registers must keep where they hold them; 0 for
    /// others.
    pub fn inputs(&self, takes: u32) -> [usize; INPUTS] {
        let own = self.own;
        // SAFETY: computes addresses of fields, and accesses none.
        let fields = unsafe {
            [
                &raw const (*own).popped,
                &raw const (*own).second,
                &raw const (*own).array,
                (&raw const (*own).free).cast(),
                (&raw const (*own).from).cast(),
                (&raw const (*own).to).cast(),
                (&raw const (*own).state).cast(),
                (&raw const (*own).ring).cast(),
                (&raw const (*own).source).cast(),
            ]
        };
        let words = [self.word as usize, self.base as usize, self.expect, self.expect_second, NEW, COUNT, NEW_SECOND];
        let mut all = words.into_iter().chain(fields.map(|field| field as usize)).enumerate();
        core::array::from_fn(|_| all.next().map_or(0, |(i, input)| if takes >> i & 1 == 1 { input } else { 0 }))
    }
}

/// The slots, a copy of how they were, the thread's own memory, and two CPUs if there are two.
pub struct Stage {
    slots: Mapping,
    before: Mapping,
    own: Mapping,
    count: usize,
    cpus: [u32; 2],
}

impl Stage {
    /// Slots for every CPU that this thread may run on, and one more.
    pub fn new() -> Result<Self, Unmet> {
        let allowed = cpu::affinity(0).or_fail("sched_getaffinity")?;
        let first = allowed.iter().next().or_fail("an allowed CPU")?;
        let second = allowed.after(first).unwrap_or(first);
        let count = allowed.iter().last().unwrap_or(first) as usize + 2;
        let map = |bytes| Mapping::private(bytes).or_fail("memory");
        let cpus = [first, second];
        let stage = Self {
            slots: map(count * STRIDE)?,
            before: map(count * STRIDE)?,
            own: map(size_of::<Own>())?,
            count,
            cpus,
        };
        cpu::set_affinity(0, &Set::only(first)).or_fail("sched_setaffinity")?;
        Ok(stage)
    }

    /// The CPU to go to from `cpu`.
    pub fn other_cpu(&self, cpu: u32) -> Option<u32> {
        let [first, second] = self.cpus;
        (first != second).then_some(if cpu == first { second } else { first })
    }

    /// A skip where there is one CPU only.
    pub fn needs_two_cpus(&self) -> Result<(), Unmet> {
        self.other_cpu(self.cpus[0]).map(|_| ()).ok_or_else(|| skip!("this thread may run on one CPU only"))
    }

    pub fn own(&self) -> *mut Own {
        self.own.address() as *mut Own
    }

    pub fn base(&self) -> *mut usize {
        self.slots.address() as *mut usize
    }

    /// How many slots there are.
    pub fn slots(&self) -> usize {
        self.count
    }

    pub fn word(&self, slot: usize) -> *mut usize {
        self.base().wrapping_byte_add(slot * STRIDE)
    }

    /// All slots, but for the bytes from `private[0]` up to `private[1]` of each, which are not read before a commit.
    pub fn published(&self, private: [usize; 2]) -> Published {
        let private = private.map(|bytes| bytes / size_of::<usize>());
        Published { words: self.base(), before: self.copy(), count: self.count * WORDS, slot: WORDS, private }
    }

    fn copy(&self) -> *mut usize {
        self.before.address() as *mut usize
    }

    /// Everything as before the operation; each slot holds `start`.
    pub fn reset(&self, start: impl Fn(&Own) -> Words) {
        let own = self.own();
        // SAFETY: the mapping is that large, page-aligned and only used here; all-zero is valid for integers.
        let own = unsafe {
            own.write(core::mem::zeroed());
            &mut *own
        };
        own.first = [&raw const own.second_node as usize; 2];
        own.free = [START; 2];
        own.second = SECOND;
        own.array = &raw const own.table as usize;
        own.from = *b"restartable sequences in a scene";
        own.source = core::array::from_fn(|i| NEW_SECOND + i);
        let start = start(own);
        for i in 0..self.count * WORDS {
            // SAFETY: both mappings have this many words.
            unsafe {
                self.base().add(i).write_volatile(start[i % WORDS]);
                self.copy().add(i).write_volatile(start[i % WORDS]);
            }
        }
    }

    /// Whether slot `slot` holds `end`, and every other is as before, but for what is private.
    pub fn changed_only(&self, slot: usize, end: &Words, private: [usize; 2]) -> bool {
        let slot_words = |of: *mut usize| of.wrapping_add(slot * WORDS).cast::<Words>();
        let (now, copy) = (slot_words(self.base()), slot_words(self.copy()));
        // SAFETY: `slot` is one of the stage's; both mappings have it. Sections write it behind the compiler's back.
        let (holds, before) = unsafe { (now.read_volatile(), copy.read()) };
        // SAFETY: as above.
        unsafe { copy.write(holds) };
        let rest = self.published(private).is_untouched();
        // SAFETY: as above.
        unsafe { copy.write(before) };
        holds == *end && rest
    }
}

/// The index of this moment, from the very field that sections compare.
pub fn index_now<I: Index>() -> usize {
    // SAFETY: a u32 field of this thread's area, which the kernel writes.
    unsafe { core_arch::own_area().as_ptr().byte_add(I::OFFSET).cast::<u32>().read_volatile() as usize }
}

/// Puts this thread on `cpu`.
pub fn go_to(cpu: u32) -> Result<(), Errno> {
    cpu::set_affinity(0, &Set::only(cpu))
}
