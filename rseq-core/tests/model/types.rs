//! The sections of the per-CPU types, in memory as the types lay it out. The other threads run any of a type's
//! sections.

use crate::case::Choices;
use crate::memory::{ACTORS, Memory, REGION, WORD};
use rseq_core::testing::{Memory as _, SectionIr};

/// States the sections of types as data.
macro_rules! types {
    ($(
        $of:ident: $kind:ident, $macro:ident
        $(bits $bits:literal)? $(limit $limit:literal)? $(error $error:ident)?;
    )+) => {
        $(
            mod $of {
                $(use rseq_core::ops::this_cpu::$error;)?
                #[allow(unused_imports, reason = "of the exits, most types have some")]
                use rseq_core::{Aborted, Committed, CompareFailed, OutOfRange};
                rseq_core::$macro!(#![model] $($bits)?);
            }
        )+

        /// What there is, with the number of sections that are interpreted. Statics: their addresses say whose a
        /// section is.
        static TYPES: &[(Kind, &[SectionIr])] = &[$((Kind::$kind, types!(@first $of $($limit)?))),+];
    };
    (@first $of:ident) => { $of::SECTIONS };
    (@first $of:ident $limit:literal) => { $of::SECTIONS.split_at($limit).0 };
}

types! {
    stack: Stack, __stack_sections;
    ring: Ring, __ring_sections;
    // The record of three words fills a buffer. Those of more words have more of the same steps; `percpu_abort_points`
    // has them.
    ring_words: Ring, __ring_word_sections limit 3;
    region: Region, __region_sections;
    pool: Pool, __pool_sections error Error;
    list: List, __list_sections error Error;
    counter: Counter, __narrow_counter_sections bits 30;
    watermark: Watermark, __watermark_sections;
    lock: Lock, __lock_sections;
}

/// Sections that are wrong, and what they would be right for.
mod wrong {
    use rseq_core::ops::this_cpu::Error;
    use rseq_core::*;

    critical_section! {
        #![model, unchecked]

        /// A pool's push, but the count is there before the word.
        unsafe fn push_count_first(
            base: *mut usize, len: usize, limit: usize, word: usize
        ) -> Result<Committed, Error> {
            exits(OutOfRange, CompareFailed) scratch(i, count) abort(restart) stride(S);
            load_index(i);
            bound(i, len) else OutOfRange;
            scale(i, S);
            add(i, base);
            load(count, [i]);
            bound(count, limit) else CompareFailed;
            add(count, 1);
            repeatable store([i], count);
            commit store([i + count * 8], word);
        }
    }
}

static WRONG: &[(Kind, &[SectionIr])] = &[(Kind::Pool, wrong::SECTIONS)];

/// Those that are wrong.
pub fn wrong() -> impl Iterator<Item = &'static SectionIr> {
    WRONG.iter().flat_map(|(_, sections)| *sections)
}

/// Whose slots they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Stack,
    Ring,
    Region,
    Pool,
    List,
    Counter,
    Watermark,
    Lock,
}

/// A section's type.
#[derive(Clone, Copy)]
pub struct Type {
    kind: Kind,
    sections: &'static [SectionIr],
}

/// All sections of all types.
pub fn all() -> impl Iterator<Item = &'static SectionIr> {
    TYPES.iter().flat_map(|(_, sections)| *sections)
}

/// The type that has this section.
pub fn of(ir: &'static SectionIr) -> Option<Type> {
    let mut types = TYPES.iter().chain(WRONG).map(|&(kind, sections)| Type { kind, sections });
    types.find(|found| found.sections.as_ptr_range().contains(&std::ptr::from_ref(ir)))
}

/// The header of a stack, and of a ring's slot.
const HEADER: usize = 32;
/// Bytes of a ring's buffer, which follows the slot's fields.
const BUFFER: usize = REGION - HEADER;
/// Where positions begin.
const POSITIONS: usize = 0x40_0000;

/// Memory, and the sections of all threads with their parameters on each of the two CPUs.
pub struct Scene {
    pub sections: [&'static SectionIr; ACTORS],
    pub memory: Memory,
    pub parameters: [[Vec<usize>; 2]; ACTORS],
}

impl Type {
    /// A thread's section `ir`, and two others of the same type, on the CPUs `first` and `first + 1`; it copies no more
    /// than `longest` bytes but for whole items.
    pub fn scene(
        self,
        ir: &'static SectionIr,
        base: usize,
        first: i32,
        longest: usize,
        choices: &mut Choices<'_>,
    ) -> Scene {
        let mut maker = Maker { of: self, base, first: first as usize, longest, memory: Memory::new(base), choices };
        maker.fill(ir);
        let others: Vec<&SectionIr> = self.sections.iter().filter(|section| section.name != "set_top").collect();
        let sections = std::array::from_fn(|actor| match actor {
            0 => ir,
            _ => others[maker.choices.below(others.len())],
        });
        let parameters = std::array::from_fn(|actor| maker.parameters(sections[actor], actor));
        Scene { sections, memory: maker.memory, parameters }
    }
}

struct Maker<'c, 'b> {
    of: Type,
    base: usize,
    first: usize,
    longest: usize,
    memory: Memory,
    choices: &'c mut Choices<'b>,
}

impl Maker<'_, '_> {
    fn region(&self, number: usize) -> usize {
        self.base + number * REGION
    }

    fn own(&self, actor: usize) -> usize {
        self.region(2 + actor)
    }

    fn put(&mut self, address: usize, word: usize) {
        self.memory.store(address, WORD, word).expect("a word of the memory");
    }

    fn get(&self, address: usize) -> usize {
        self.memory.load(address, WORD).expect("a word of the memory")
    }

    /// One of some words.
    fn one_of<const N: usize>(&mut self, words: [usize; N]) -> usize {
        words[self.choices.below(N)]
    }

    /// Each word another one, and then the two slots.
    fn fill(&mut self, ir: &SectionIr) {
        for cell in 0..(2 + ACTORS) * REGION / WORD {
            self.put(self.base + cell * WORD, 0x1000 + cell);
        }
        for slot in [self.region(0), self.region(1)] {
            match self.of.kind {
                Kind::Stack => self.stack(slot, ir.name == "set_top"),
                Kind::Ring => self.ring(slot),
                Kind::Region => {
                    let (closed, count) = (self.one_of([0, 0, 0, 1]), self.choices.below(7));
                    self.put(slot, closed);
                    self.put(slot + 8, count);
                }
                Kind::Pool => {
                    let count = self.one_of([0, 1, 2, 6, 7, 128]);
                    self.put(slot, count);
                }
                Kind::List => {
                    let first = self.one_of([0, 1, slot + 16, slot + 16]);
                    let second = self.one_of([0, slot + 32]);
                    self.put(slot, first);
                    self.put(slot + 16, second);
                    self.put(slot + 32, 0);
                }
                Kind::Counter => {
                    let word = self.small();
                    self.put(slot, word);
                }
                Kind::Watermark | Kind::Lock => {
                    let word = self.one_of([0, 1, 1, 2, 3]);
                    self.put(slot, word);
                }
            }
        }
    }

    /// A word from -2^30 to 2^30 - 1.
    fn small(&mut self) -> usize {
        self.one_of([0, 1, 1 << 29, (1 << 30) - 1, usize::MAX, (1usize << 30).wrapping_neg()])
    }

    fn stack(&mut self, slot: usize, is_closed: bool) {
        let most = (REGION - HEADER) / WORD;
        let items = self.choices.below(most + 1);
        let is_closed = is_closed || self.choices.below(6) == 0;
        self.put(slot, HEADER + items * WORD);
        self.put(slot + 8, if is_closed { 0 } else { REGION });
        self.put(slot + 16, if is_closed { usize::MAX } else { HEADER });
    }

    fn ring(&mut self, slot: usize) {
        let used = self.one_of([0, 0, 8, 16, 24, BUFFER]);
        let turn = POSITIONS + BUFFER * self.choices.below(2);
        let limit = self.one_of([used, BUFFER, BUFFER]);
        self.put(slot, turn + used);
        self.put(slot + 8, turn + limit);
        self.put(slot + 16, (slot + HEADER).wrapping_sub(turn));
        self.put(slot + 24, slot + HEADER);
    }

    /// Those of a section that loads the index are the same on both CPUs.
    fn parameters(&mut self, ir: &SectionIr, actor: usize) -> [Vec<usize>; 2] {
        if self.of.kind == Kind::Lock {
            return [0, 1].map(|cpu| vec![self.first + cpu, self.region(cpu)]);
        }
        // What the thread had read of a slot before it called a section that compares it.
        let cpu = self.choices.below(2);
        let slot = self.region(cpu);
        let payload = 1 + self.choices.below(self.longest);
        let size = 8 + payload.next_multiple_of(8);
        let all = ir.parameters.iter().map(|parameter| match (self.of.kind, parameter.name) {
            (_, "base") => self.base.wrapping_sub(self.first * REGION),
            (_, "len") => {
                let beyond = self.first + 2;
                self.one_of([self.first, self.first + 1, beyond, beyond, usize::MAX])
            }
            (Kind::Stack, "item") | (Kind::Pool, "word") | (Kind::Region, "item") => 0x2000 + actor,
            (Kind::Stack, "from" | "to") => self.own(actor) + HEADER,
            (Kind::Stack, "state") => self.own(actor),
            (Kind::Stack, "bytes") => WORD * (1 + self.choices.below(2)),
            (Kind::Stack, "at") => self.first + self.choices.below(2),
            (Kind::Stack, "top") => HEADER + WORD * self.choices.below(3),
            (Kind::Ring, "most") => usize::MAX / 2,
            (Kind::Ring, "size") => size,
            (Kind::Ring, "header") => 0x3000 + actor,
            (Kind::Ring, "bytes") => payload,
            (Kind::Ring, "src") => self.own(actor),
            (Kind::Ring, "buffer") => slot + HEADER,
            (Kind::Ring, "tail") => self.get(slot).wrapping_sub(self.one_of([0, 0, 0, 8])),
            (Kind::Ring, "to") => slot + HEADER + self.get(slot) % BUFFER,
            (Kind::Ring, "place") => (slot + HEADER).wrapping_sub(self.get(slot) / BUFFER * BUFFER),
            (Kind::Ring, "new") => (self.get(slot) / BUFFER + 1) * BUFFER,
            (Kind::Ring, "limit") => {
                let (tail, room) = (self.get(slot), 8 + 8 * self.choices.below(4));
                (tail + room).min((tail / BUFFER + 1) * BUFFER)
            }
            (Kind::Region, "most") => 1 + self.choices.below(6),
            (Kind::Pool, "limit") => self.one_of([1, 2, 7, 7]),
            (Kind::List, "node") => self.own(actor),
            (Kind::Counter, "count") => self.small(),
            (Kind::Watermark, "value") => self.choices.below(5),
            (kind, name) => panic!("no value for {name} of {}, {kind:?}", ir.name),
        });
        let all: Vec<usize> = all.collect();
        [all.clone(), all]
    }
}
