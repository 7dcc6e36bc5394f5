//! Random memory and parameters for any section, chosen by what its steps do with each parameter.

use crate::call::Call;
use crate::memory::{ACTORS, Memory, REGION, WORD};
use crate::types::{self, Scene};
use core::fmt;
use rseq_core::testing::{Address, Ending, Fault, Memory as _, Operand, Parameter, SectionIr, Step};

/// The most bytes that a case copies.
pub const LONGEST_COPY: usize = 3 * WORD;

/// Values that carry into other bytes, or show where a sign comes in.
const EDGES: [usize; 5] = [usize::MAX, usize::MAX / 2 + 1, usize::MAX / 0xff * 0x80, usize::MAX / 0x101, 0x7fff_fffe];

/// A source of choices: the bytes that the property test varies, and 0 once they are used up.
pub struct Choices<'a>(std::slice::Iter<'a, u8>);

impl<'a> Choices<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes.iter())
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % bound
    }
}

/// Bytes that a section reaches from an address to which it adds a distance: two of the largest accesses.
const REACH: usize = 16;

/// What the steps do with a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// The CPU that the section checks.
    Index,
    /// A bound of the index.
    Limit,
    /// Bytes to copy.
    Length,
    /// A distance from an address: a multiple of `unit`, below `count` times it.
    Offset { unit: usize, count: usize },
    /// Any number.
    Number,
    /// Memory of the CPU's, which the section loads from or commits to: this many bytes.
    Published(usize),
    /// Memory that it only stores to before the commit, such as a word for a result.
    Written(usize),
    /// Bytes that it copies, or copies to.
    Copied,
}

impl Role {
    fn is_published(self) -> bool {
        matches!(self, Self::Published(_))
    }

    /// Bytes at a pointer.
    fn size(self) -> usize {
        match self {
            Self::Published(size) | Self::Written(size) => size,
            Self::Copied => LONGEST_COPY,
            _ => 0,
        }
    }
}

fn role(ir: &SectionIr, parameter: &Parameter) -> Role {
    let name = parameter.name;
    let takes = |step: &str, at: usize| {
        let named = Some(&Operand::Name(name));
        ir.steps.iter().any(|other| other.name == step && other.operands.get(at) == named)
    };
    if !parameter.pointer {
        return match () {
            () if takes("check_index", 0) => Role::Index,
            () if takes("bound", 1) => Role::Limit,
            () if takes("repeatable copy", 2) => Role::Length,
            () => offset(ir, name).unwrap_or(Role::Number),
        };
    }
    let is_apart = |address: &Address| address.displacement > 0 || is_parameter(ir, address.index.map(|index| index.0));
    let uses: Vec<(&Step, Address)> = addresses(ir).filter(|(_, address)| address.base == name).collect();
    let size = if uses.iter().any(|(_, address)| is_apart(address)) { REACH } else { WORD };
    match () {
        () if uses.iter().any(|(step, _)| step.name == "repeatable copy") => Role::Copied,
        () if uses.iter().any(|(step, _)| !step.name.starts_with("repeatable")) => Role::Published(size),
        () => Role::Written(size),
    }
}

/// The role of a number that is added to addresses: so that each access stays in reach, at a multiple of its size.
fn offset(ir: &SectionIr, name: &str) -> Option<Role> {
    let uses = addresses(ir).filter_map(|(step, address)| Some((bytes(step), address.index?)));
    let uses: Vec<(usize, usize)> =
        uses.filter(|(_, index)| index.0 == name).map(|(bytes, index)| (bytes, index.1)).collect();
    let unit = uses.iter().map(|(bytes, factor)| bytes.div_ceil(*factor)).max()?;
    let count = uses.iter().map(|(bytes, factor)| (REACH - bytes) / (unit * factor) + 1).min()?;
    Some(Role::Offset { unit, count })
}

/// The bytes that a step loads or stores at an address.
fn bytes(step: &Step) -> usize {
    match step.name.rsplit('_').next() {
        Some("u8") => 1,
        Some("u16") => 2,
        Some("u32") => 4,
        _ => WORD,
    }
}

fn is_parameter(ir: &SectionIr, name: Option<&str>) -> bool {
    ir.parameters.iter().any(|parameter| Some(parameter.name) == name)
}

/// All addresses among the operands.
fn addresses(ir: &SectionIr) -> impl Iterator<Item = (&Step, Address)> {
    ir.steps.iter().flat_map(|step| {
        step.operands.iter().filter_map(move |operand| match operand {
            Operand::Address(address) => Some((step, *address)),
            _ => None,
        })
    })
}

/// Whether the caller picks the CPU.
fn is_by_caller(ir: &SectionIr) -> bool {
    ir.steps.first().is_some_and(|step| step.name == "check_index")
}

/// Memory, the section that each of the actors calls, and what it is called with on each of the two CPUs.
#[derive(Clone)]
pub struct Case {
    pub ir: &'static SectionIr,
    /// Whether memory and parameters are as the section's contract says, so that it reaches no address outside.
    pub is_laid_out: bool,
    sections: [&'static SectionIr; ACTORS],
    /// The numbers of the two CPUs, which follow each other.
    pub cpus: [i32; 2],
    pub memory: Memory,
    parameters: [[Vec<usize>; 2]; ACTORS],
}

impl Case {
    /// A case with memory at `base`, on the CPUs `first` and `first + 1`, that copies no more than `longest` bytes.
    pub fn new(ir: &'static SectionIr, base: usize, first: i32, longest: usize, choices: &mut Choices<'_>) -> Self {
        assert!(longest <= LONGEST_COPY);
        let cpus = [first, first + 1];
        if let Some(of) = types::of(ir) {
            let Scene { sections, memory, parameters } = of.scene(ir, base, first, longest, choices);
            return Self { ir, is_laid_out: true, sections, cpus, memory, parameters };
        }
        let roles: Vec<Role> = ir.parameters.iter().map(|parameter| role(ir, parameter)).collect();
        let plan = Plan { ir, base, first, longest, places: place(ir, &roles, choices), roles };
        let memory = plan.memory(choices);
        let parameters = std::array::from_fn(|actor| plan.parameters(actor, &memory, choices));
        Self { ir, is_laid_out: false, sections: [ir; ACTORS], cpus, memory, parameters }
    }

    pub fn parameters(&self, actor: usize, cpu: usize) -> &[usize] {
        &self.parameters[actor][cpu]
    }

    pub fn call(&self, actor: usize, cpu: usize) -> Call {
        Call::new(self.sections[actor], self.parameters(actor, cpu))
    }

    /// The whole section of an actor without an interruption, on one of the two CPUs.
    pub fn complete(&self, actor: usize, cpu: usize, memory: &mut Memory) -> Result<Ending, Fault> {
        self.call(actor, cpu).complete(self.cpus[cpu], memory)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (actor, (ir, parameters)) in self.sections.iter().zip(&self.parameters).enumerate() {
            let names: Vec<&str> = ir.parameters.iter().map(|parameter| parameter.name).collect();
            writeln!(f, "thread {actor}, {} {names:?} on CPU {:?}: {parameters:x?}", ir.name, self.cpus)?;
        }
        write!(f, "{:?}", self.memory)
    }
}

/// Where a pointer parameter points to, within a CPU's region or the actor's own.
#[derive(Clone, Copy, Debug)]
struct Cell {
    own: bool,
    offset: usize,
}

/// A different place for each pointer. Sections that check the index get different ones on different CPUs; in those
/// that load it, one address leads to both regions, and whatever is no slot is the actor's own.
fn place(ir: &SectionIr, roles: &[Role], choices: &mut Choices<'_>) -> Vec<Cell> {
    let by_caller = is_by_caller(ir);
    let mut used = [0, 0];
    let cells = roles.iter().map(|role| {
        let own = !role.is_published() && (!by_caller || choices.below(2) == 0);
        let offset = used[usize::from(own)];
        used[usize::from(own)] += role.size();
        Cell { own, offset }
    });
    let cells = cells.collect();
    assert!(used.iter().all(|used| *used < REGION), "{}: too many pointers", ir.name);
    cells
}

struct Plan {
    ir: &'static SectionIr,
    base: usize,
    first: i32,
    longest: usize,
    roles: Vec<Role>,
    places: Vec<Cell>,
}

impl Plan {
    fn region(&self, number: usize) -> usize {
        self.base + number * REGION
    }

    /// The address of a word that no parameter points to, but the last in the region `number`, with another after it
    /// where there is room for two.
    fn node(&self, number: usize, choices: &mut Choices<'_>) -> usize {
        let taken = self.places.iter().zip(&self.roles).filter(|(cell, _)| cell.own == (number >= 2));
        let used = taken.map(|(cell, role)| cell.offset + role.size()).max().unwrap_or(0);
        let cells = (REGION - used) / WORD;
        self.region(number) + used + WORD * choices.below((cells - 1).max(1))
    }

    fn memory(&self, choices: &mut Choices<'_>) -> Memory {
        let mut memory = Memory::new(self.base);
        for number in 0..2 + ACTORS {
            for cell in 0..REGION / WORD {
                let word = match choices.below(8) {
                    0 | 1 => 0,
                    2 | 3 => choices.below(9),
                    4 => EDGES[choices.below(EDGES.len())],
                    _ => self.node(number, choices),
                };
                memory.store(self.region(number) + cell * WORD, WORD, word).expect("a word of the memory");
            }
        }
        memory
    }

    /// The parameters of an actor on each CPU: those of a section that loads the index are the same on both.
    fn parameters(&self, actor: usize, memory: &Memory, choices: &mut Choices<'_>) -> [Vec<usize>; 2] {
        let on_cpu = |cpu, choices: &mut Choices<'_>| -> Vec<usize> {
            (0..self.roles.len()).map(|at| self.parameter(at, actor, cpu, memory, choices)).collect()
        };
        let first = on_cpu(0, choices);
        if is_by_caller(self.ir) { [first, on_cpu(1, choices)] } else { [first.clone(), first] }
    }

    fn parameter(&self, at: usize, actor: usize, cpu: usize, memory: &Memory, choices: &mut Choices<'_>) -> usize {
        let index = self.first as usize + cpu;
        match self.roles[at] {
            Role::Index => index,
            Role::Limit => [index, index + 1, index + 2, usize::MAX, 0][choices.below(5)],
            Role::Length => choices.below(self.longest + 1),
            Role::Offset { unit, count } => unit * choices.below(count),
            Role::Number => match choices.below(6) {
                0 => self.node(cpu, choices),
                1 => choices.below(9),
                2 => EDGES[choices.below(EDGES.len())],
                _ => self.compared(at, cpu, memory, choices),
            },
            Role::Published(_) | Role::Written(_) | Role::Copied => self.pointer(self.places[at], actor, cpu),
        }
    }

    /// The word that a number is compared with, if it is: the one at a parameter, or else the first of the region.
    fn compared(&self, at: usize, cpu: usize, memory: &Memory, choices: &mut Choices<'_>) -> usize {
        let name = self.ir.parameters[at].name;
        let base = self.ir.steps.iter().find_map(|step| match (step.name, step.operands) {
            ("cbne" | "cbeq", [Operand::Address(address), Operand::Name(right)]) if *right == name => {
                Some(address.base)
            }
            _ => None,
        });
        let parameter = self.ir.parameters.iter().position(|parameter| Some(parameter.name) == base);
        let offset = parameter.map_or(0, |parameter| {
            let words = self.roles[parameter].size() / WORD;
            self.places[parameter].offset + WORD * choices.below(words.max(1))
        });
        memory.load(self.region(cpu) + offset, WORD).expect("a word of the region")
    }

    fn pointer(&self, cell: Cell, actor: usize, cpu: usize) -> usize {
        if cell.own {
            return self.region(2 + actor) + cell.offset;
        }
        let slots = self.slots_by_index();
        self.region(cpu).wrapping_sub(if slots { self.first as usize * REGION } else { 0 }) + cell.offset
    }

    /// Whether the section adds the index to the address.
    fn slots_by_index(&self) -> bool {
        self.ir.steps.iter().any(|step| step.name == "scale")
    }
}
