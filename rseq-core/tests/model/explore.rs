//! Every way in which the kernel can interrupt one call, twice, and what the others do meanwhile.

use crate::call::Call;
use crate::case::Case;
use crate::memory::{ACTORS, Memory};
use rseq_core::testing::{Ending, Fault, SectionIr};
use std::collections::HashMap;

/// Interruptions of one call, of those with as many steps as most sections have.
const DEPTH: usize = 2;

/// The schedules of a call grow with the square of the steps if it is interrupted twice: types' sections of more steps,
/// which are the batches of stacks, are interrupted once. So are all sections of types where the kernel is wrong, which
/// one interruption shows.
const MOST_STEPS: usize = 24;

/// What the kernel does to a section that it interrupts: right, or as if the descriptor were wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    Right,
    /// It knows of no section: the descriptor was not stored.
    Silent,
    /// It takes the instruction before the commit for the last one of the section: the range is too short.
    Early,
    /// It takes the instruction after the commit for one of the section: the range is too long.
    Late,
}

/// What happens at one point of the call.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// The thread stops, another runs the section on a CPU or none does, and the thread continues on a CPU.
    Interrupted { meanwhile: Option<usize>, then: usize },
    /// The same before the section is armed.
    Moved { meanwhile: Option<usize>, then: usize },
    /// Another thread runs the section on the other CPU, while this one continues.
    Beside,
}

/// What is wrong with a section.
#[derive(Clone, Debug)]
pub enum Violation {
    /// It did what no section may do.
    #[expect(dead_code, reason = "printed")]
    Fault(Fault),
    /// No order of whole sections gives this memory and these endings.
    NoOrder,
}

impl From<Fault> for Violation {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// How a call was interrupted when it went wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    #[expect(dead_code, reason = "printed")]
    pub violation: Violation,
    #[expect(dead_code, reason = "printed")]
    pub events: Vec<(usize, Event)>,
}

/// A section of another thread that has run: whose, where, and its ending.
type Other = (usize, usize, Ending);

/// What a whole sequence leaves: memory, the ending of this thread's call, those of the others.
type Outcome = (Memory, Ending, Vec<Ending>);

/// What can come next depends on this alone.
#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    memory: Memory,
    cpu: usize,
    call: Call,
    others: Vec<Other>,
    /// How many events there were.
    events: usize,
}

/// How a world came to be: the events, and after how many steps each came.
#[derive(Clone, Default)]
struct History {
    events: Vec<(usize, Event)>,
    steps: usize,
}

pub struct Explorer<'a> {
    case: &'a Case,
    kernel: Kernel,
    depth: usize,
    orders: HashMap<Vec<usize>, Vec<Outcome>>,
    /// Worlds whose schedules were all tried, and how many those are: an abort before the first store leads to the
    /// same world wherever it comes.
    tried: HashMap<World, usize>,
    /// Calls that come to their end, by all schedules.
    pub paths: usize,
    /// Which endings there were.
    pub endings: Vec<Ending>,
}

impl<'a> Explorer<'a> {
    /// None where whole sections, one after the other, follow an address to nowhere: the memory is senseless.
    pub fn new(case: &'a Case, kernel: Kernel) -> Result<Option<Self>, Failure> {
        let mut orders = HashMap::new();
        for others in [vec![], vec![0], vec![1], vec![0, 0], vec![0, 1], vec![1, 0], vec![1, 1]] {
            let outcomes = match orders_of(case, &others) {
                Ok(outcomes) => outcomes,
                Err(Fault::Outside(_) | Fault::Misaligned(_)) if !case.is_laid_out => return Ok(None),
                Err(fault) => return Err(Failure { violation: fault.into(), events: Vec::new() }),
            };
            orders.insert(others, outcomes);
        }
        let is_once = kernel != Kernel::Right || case.ir.steps.len() > MOST_STEPS;
        let depth = if case.is_laid_out && is_once { 1 } else { DEPTH };
        Ok(Some(Self { case, kernel, depth, orders, tried: HashMap::new(), paths: 0, endings: Vec::new() }))
    }

    /// Tries every schedule: from each CPU, with a guess of each CPU.
    pub fn run(&mut self) -> Result<(), Failure> {
        for (cpu, guess) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let (memory, call) = (self.case.memory.clone(), self.case.call(0, guess));
            self.explore(World { memory, cpu, call, others: Vec::new(), events: 0 }, History::default())?;
        }
        Ok(())
    }

    /// Tries every schedule of what can come next.
    fn explore(&mut self, mut world: World, mut history: History) -> Result<(), Failure> {
        if let Some(paths) = self.tried.get(&world) {
            self.paths += paths;
            return Ok(());
        }
        let (first, before) = (world.clone(), self.paths);
        let ending = loop {
            if world.events < self.depth {
                self.branch(&world, &history, &Self::events(&world))?;
            }
            let committing = (self.kernel == Kernel::Late && world.call.is_at_commit()).then(|| world.call.clone());
            history.steps += 1;
            if let Some(ending) = self.advance(&mut world).map_err(|violation| failed(violation, &history))? {
                self.late(committing, &world, &history)?;
                break ending;
            }
        };
        self.judge(&world, ending).map_err(|violation| failed(violation, &history))?;
        self.tried.insert(first, self.paths - before);
        Ok(())
    }

    fn events(world: &World) -> Vec<Event> {
        let mut events = vec![Event::Beside];
        for meanwhile in [None, Some(0), Some(1)] {
            for then in [0, 1] {
                events.push(Event::Interrupted { meanwhile, then });
                if world.call.is_at_start() {
                    events.push(Event::Moved { meanwhile, then });
                }
            }
        }
        events
    }

    fn branch(&mut self, world: &World, history: &History, events: &[Event]) -> Result<(), Failure> {
        for event in events {
            let (mut branch, mut history) = (world.clone(), history.clone());
            branch.events += 1;
            history.events.push((history.steps, *event));
            self.apply(*event, &mut branch).map_err(|fault| failed(fault.into(), &history))?;
            self.explore(branch, history)?;
        }
        Ok(())
    }

    /// The interruptions just after the commit, which a wrong kernel takes for ones of the section.
    fn late(&mut self, committing: Option<Call>, after: &World, history: &History) -> Result<(), Failure> {
        let Some(call) = committing.filter(|_| after.events < self.depth) else { return Ok(()) };
        let world = World { call, ..after.clone() };
        self.branch(&world, history, &[Event::Interrupted { meanwhile: None, then: world.cpu }])
    }

    fn apply(&self, event: Event, world: &mut World) -> Result<(), Fault> {
        match event {
            Event::Beside => self.other(1 - world.cpu, world),
            Event::Moved { meanwhile, then } => {
                world.cpu = then;
                meanwhile.map_or(Ok(()), |cpu| self.other(cpu, world))
            }
            Event::Interrupted { meanwhile, then } => {
                let aborts = match self.kernel {
                    Kernel::Right | Kernel::Late => true,
                    Kernel::Silent => false,
                    Kernel::Early => !world.call.is_at_commit(),
                };
                if aborts {
                    world.call.give_up(&mut world.memory);
                }
                world.cpu = then;
                meanwhile.map_or(Ok(()), |cpu| self.other(cpu, world))?;
                if aborts {
                    self.again(world);
                }
                Ok(())
            }
        }
    }

    /// Another thread's whole section on a CPU.
    fn other(&self, cpu: usize, world: &mut World) -> Result<(), Fault> {
        let actor = 1 + world.others.len();
        assert!(actor < ACTORS, "an actor for each event");
        let ending = self.case.complete(actor, cpu, &mut world.memory)?;
        world.others.push((actor, cpu, ending));
        Ok(())
    }

    /// After an abort the section restarts itself, or its caller tries again on the CPU of the moment.
    fn again(&self, world: &mut World) {
        match self.case.ir.abort {
            None => world.call.restart(),
            Some(_) => world.call = self.case.call(0, world.cpu),
        }
    }

    fn advance(&self, world: &mut World) -> Result<Option<Ending>, Violation> {
        match world.call.advance(self.case.cpus[world.cpu], &mut world.memory)? {
            Some(Ending::Left(exit)) if self.case.ir.abort == Some(exit) => {
                self.again(world);
                Ok(None)
            }
            ending => Ok(ending),
        }
    }

    /// Whether an order of whole sections gives what this one gave.
    fn judge(&mut self, world: &World, ending: Ending) -> Result<(), Violation> {
        self.paths += 1;
        let kind = kind(ending);
        if !self.endings.contains(&kind) {
            self.endings.push(kind);
        }
        let cpus: Vec<usize> = world.others.iter().map(|other| other.1).collect();
        let same = |(memory, ours, others): &Outcome| {
            *ours == ending
                && world.others.iter().map(|other| other.2).eq(others.iter().copied())
                && world.memory.shows(memory)
        };
        if self.orders[&cpus].iter().any(same) { Ok(()) } else { Err(Violation::NoOrder) }
    }
}

fn failed(violation: Violation, history: &History) -> Failure {
    Failure { violation, events: history.events.clone() }
}

/// What all orders of this thread's section, on either CPU, and the others' on theirs give.
fn orders_of(case: &Case, others: &[usize]) -> Result<Vec<Outcome>, Fault> {
    let mut outcomes = Vec::new();
    for cpu in [0, 1] {
        let actors: Vec<(usize, usize)> = [cpu].iter().chain(others).copied().enumerate().collect();
        for order in permutations(&actors) {
            let mut memory = case.memory.clone();
            let mut endings = vec![Ending::Committed(None); actors.len()];
            for (actor, cpu) in order {
                endings[actor] = case.complete(actor, cpu, &mut memory)?;
            }
            let ours = endings.remove(0);
            outcomes.push((memory, ours, endings));
        }
    }
    Ok(outcomes)
}

fn permutations<T: Copy>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    (0..items.len())
        .flat_map(|first| {
            let rest: Vec<T> = items[..first].iter().chain(&items[first + 1..]).copied().collect();
            permutations(&rest).into_iter().map(move |mut order| {
                order.insert(0, items[first]);
                order
            })
        })
        .collect()
}

/// The ending without its output.
fn kind(ending: Ending) -> Ending {
    match ending {
        Ending::Committed(_) => Ending::Committed(None),
        left @ Ending::Left(_) => left,
    }
}

/// The exits by which a call can end: not by an abort, after which there is another attempt.
pub fn endings(ir: &SectionIr) -> Vec<Ending> {
    let mut endings = vec![Ending::Committed(None)];
    for exit in ir.steps.iter().filter_map(|step| step.exit) {
        let ending = Ending::Left(exit);
        if ir.abort != Some(exit) && !endings.contains(&ending) {
            endings.push(ending);
        }
    }
    endings
}
