//! Random memory and parameters for any section, chosen by what its steps do with each parameter.

use crate::machine::{Call, Ending};
use crate::memory::{ACTORS, Fault, Memory, REGION, WORD};
use core::fmt;
use rseq_core::section::{Parameter, Place, Source, Statement, Step};

/// The most bytes that a case copies.
pub const LONGEST_COPY: usize = 3 * WORD;

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

/// What the steps do with a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// The CPU that the section checks.
    Index,
    /// A bound of the index.
    Limit,
    /// Bytes to copy.
    Length,
    /// A distance from an address.
    Offset,
    /// Any number.
    Number,
    /// A word of the CPU's, which the section loads or commits to.
    Published,
    /// Two of them: the section adds a distance to the address.
    PublishedPair,
    /// A word that it only stores to before the commit, such as one for a result.
    Written,
    /// Bytes that it copies, or copies to.
    Copied,
}

impl Role {
    fn is_published(self) -> bool {
        matches!(self, Self::Published | Self::PublishedPair)
    }

    /// Bytes behind a pointer.
    fn size(self) -> usize {
        match self {
            Self::Published | Self::Written => WORD,
            Self::PublishedPair => 2 * WORD,
            Self::Copied => LONGEST_COPY,
            _ => 0,
        }
    }
}

fn role(statement: &Statement, parameter: &Parameter) -> Role {
    let name = parameter.name;
    let has = |uses: &dyn Fn(&Step) -> bool| statement.steps.iter().any(uses);
    if !parameter.pointer {
        return match () {
            () if has(&|step| matches!(step, Step::CheckIndex { expected, .. } if *expected == name)) => Role::Index,
            () if has(&|step| matches!(step, Step::Bound { limit, .. } if *limit == name)) => Role::Limit,
            () if has(&|step| matches!(step, Step::Copy { length, .. } if *length == name)) => Role::Length,
            () if has(&|step| offset(step) == Some(name)) => Role::Offset,
            () => Role::Number,
        };
    }
    let apart =
        |step: &Step| place_of(step).is_some_and(|place| place.base == name && is_parameter(statement, place.offset));
    match () {
        () if has(&apart) => Role::PublishedPair,
        () if has(&|step| published(step) == Some(name)) => Role::Published,
        () if has(&|step| matches!(step, Step::Copy { to, from, .. } if [to.base, from.base].contains(&name))) => {
            Role::Copied
        }
        () => Role::Written,
    }
}

fn is_parameter(statement: &Statement, name: Option<&str>) -> bool {
    statement.parameters.iter().any(|parameter| Some(parameter.name) == name)
}

/// The word that a step works on.
fn place_of(step: &Step) -> Option<Place> {
    match step {
        Step::Load { from: place, .. }
        | Step::Store { to: place, .. }
        | Step::CommitStore { to: place, .. }
        | Step::CommitAdd { to: place, .. }
        | Step::CommitIncrement { to: place }
        | Step::LeaveIfDifferent { left: Source::Memory(place), .. }
        | Step::LeaveIfEqual { left: Source::Memory(place), .. } => Some(*place),
        _ => None,
    }
}

/// Where a step loads from, or commits to.
fn published(step: &Step) -> Option<&'static str> {
    match step {
        Step::Store { .. } => None,
        _ => place_of(step).map(|place| place.base),
    }
}

fn offset(step: &Step) -> Option<&'static str> {
    place_of(step).and_then(|place| place.offset)
}

/// Memory, and what each of the actors calls the section with on each of the two CPUs.
#[derive(Clone)]
pub struct Case {
    pub statement: &'static Statement,
    /// The numbers of the two CPUs, which follow each other.
    pub cpus: [i32; 2],
    pub memory: Memory,
    parameters: [[Vec<usize>; 2]; ACTORS],
}

impl Case {
    /// A case with memory at `base`, on the CPUs `first` and `first + 1`, that copies no more than `longest` bytes.
    pub fn new(
        statement: &'static Statement,
        base: usize,
        first: i32,
        longest: usize,
        choices: &mut Choices<'_>,
    ) -> Self {
        assert!(longest <= LONGEST_COPY);
        let roles: Vec<Role> = statement.parameters.iter().map(|parameter| role(statement, parameter)).collect();
        let plan = Plan { statement, base, first, longest, places: place(statement, &roles, choices), roles };
        let memory = plan.memory(choices);
        let parameters = std::array::from_fn(|actor| plan.parameters(actor, &memory, choices));
        Self { statement, cpus: [first, first + 1], memory, parameters }
    }

    pub fn parameters(&self, actor: usize, cpu: usize) -> &[usize] {
        &self.parameters[actor][cpu]
    }

    pub fn call(&self, actor: usize, cpu: usize) -> Call {
        Call::new(self.statement, self.parameters(actor, cpu))
    }

    /// The whole section of an actor without an interruption, on one of the two CPUs.
    pub fn complete(&self, actor: usize, cpu: usize, memory: &mut Memory) -> Result<Ending, Fault> {
        self.call(actor, cpu).complete(self.cpus[cpu], memory)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.statement.parameters.iter().map(|parameter| parameter.name).collect();
        writeln!(f, "{} {names:?}", self.statement.name)?;
        for (actor, parameters) in self.parameters.iter().enumerate() {
            writeln!(f, "thread {actor}, on CPU {:?}: {parameters:x?}", self.cpus)?;
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

/// A place of its own for each pointer. Sections that check the index get different ones on different CPUs; in those that
/// load it, one address leads to both regions, and whatever is no slot is the actor's own.
fn place(statement: &Statement, roles: &[Role], choices: &mut Choices<'_>) -> Vec<Cell> {
    let by_caller = matches!(statement.steps.first(), Some(Step::CheckIndex { .. }));
    let mut used = [0, 0];
    let cells = roles.iter().map(|role| {
        let own = !role.is_published() && (!by_caller || choices.below(2) == 0);
        let offset = used[usize::from(own)];
        used[usize::from(own)] += role.size();
        Cell { own, offset }
    });
    let cells = cells.collect();
    assert!(used.iter().all(|used| *used < REGION), "{}: too many pointers", statement.name);
    cells
}

struct Plan {
    statement: &'static Statement,
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

    /// The address of a word that no parameter points to, but the last in the region `number`, with another behind it
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
                let word = match choices.below(4) {
                    0 => 0,
                    1 => choices.below(3),
                    _ => self.node(number, choices),
                };
                memory.store(self.region(number) + cell * WORD, word).expect("a word of the memory");
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
        if matches!(self.statement.steps.first(), Some(Step::CheckIndex { .. })) {
            [first, on_cpu(1, choices)]
        } else {
            [first.clone(), first]
        }
    }

    fn parameter(&self, at: usize, actor: usize, cpu: usize, memory: &Memory, choices: &mut Choices<'_>) -> usize {
        let index = self.first as usize + cpu;
        match self.roles[at] {
            Role::Index => index,
            Role::Limit => [index, index + 1, index + 2, usize::MAX, 0][choices.below(5)],
            Role::Length => choices.below(self.longest + 1),
            Role::Offset => WORD * choices.below(2),
            Role::Number => match choices.below(4) {
                0 => self.node(cpu, choices),
                1 => choices.below(3),
                _ => self.compared(at, cpu, memory, choices),
            },
            Role::Published | Role::PublishedPair | Role::Written | Role::Copied => {
                self.pointer(self.places[at], actor, cpu)
            }
        }
    }

    /// The word that a number is compared with, if it is: the one at a parameter, or else the first of the region.
    fn compared(&self, at: usize, cpu: usize, memory: &Memory, choices: &mut Choices<'_>) -> usize {
        let name = self.statement.parameters[at].name;
        let base = self.statement.steps.iter().find_map(|step| match step {
            Step::LeaveIfDifferent { left: Source::Memory(place), right, .. }
            | Step::LeaveIfEqual { left: Source::Memory(place), right, .. }
                if *right == name =>
            {
                Some(place.base)
            }
            _ => None,
        });
        let parameter = self.statement.parameters.iter().position(|parameter| Some(parameter.name) == base);
        let offset = parameter.map_or(0, |parameter| match self.roles[parameter] {
            Role::PublishedPair => self.places[parameter].offset + WORD * choices.below(2),
            _ => self.places[parameter].offset,
        });
        memory.load(self.region(cpu) + offset).expect("a word of the region")
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
        self.statement.steps.iter().any(|step| matches!(step, Step::Scale { .. }))
    }
}
