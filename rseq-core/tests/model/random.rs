//! Random sections that keep the rules: the model has nothing to say against them.

use crate::case::Choices;
use crate::explore::Kernel;
use crate::{CHOICES, Seen, explore_case, runner};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::TestCaseError;
use rseq_core::testing::{Address, Arithmetic, Operand, Parameter, SectionIr, Step};

/// Random sections.
const SECTIONS: u32 = 100;

/// Parameters of a section that the caller picks the CPU for, and of one that loads it.
static BY_CALLER: [Parameter; 6] = parameters("cpu");
static BY_ITSELF: [Parameter; 6] = parameters("len");

const fn parameters(first: &'static str) -> [Parameter; 6] {
    const fn parameter(name: &'static str, pointer: bool) -> Parameter {
        Parameter { name, pointer }
    }
    [
        parameter(first, false),
        parameter("v", true),
        parameter("v2", true),
        parameter("w", true),
        parameter("expect", false),
        parameter("count", false),
    ]
}

/// A section being made.
struct Draft {
    /// What leads to the slot: the register with its distance, where the section loads the index.
    slot: Option<&'static str>,
    steps: Vec<Step>,
    /// Scratch registers that hold a value.
    known: Vec<&'static str>,
}

/// A step without an exit.
fn step(name: &'static str, operands: &[Operand]) -> Step {
    Step { name, operands: operands.to_vec().leak(), exit: None }
}

fn leaving(name: &'static str, operands: &[Operand], exit: &'static str) -> Step {
    Step { exit: Some(exit), ..step(name, operands) }
}

fn pick(names: &[&'static str], choices: &mut Choices<'_>) -> &'static str {
    names[choices.below(names.len())]
}

impl Draft {
    fn published(&self, choices: &mut Choices<'_>) -> Operand {
        let base = pick(&["v", "v2"], choices);
        Operand::Address(Address { index: self.slot.map(|slot| (slot, 1)), ..Address::new(base) })
    }

    fn value(&self, choices: &mut Choices<'_>) -> Operand {
        let values: Vec<&str> = self.known.iter().copied().chain(["expect", "count"]).collect();
        match choices.below(values.len() + 1) {
            0 => Operand::Literal(choices.below(256)),
            at => Operand::Name(values[at - 1]),
        }
    }

    fn known(&self) -> Option<Operand> {
        self.known.first().map(|name| Operand::Name(name))
    }

    /// A register that holds a value from now on.
    fn written(&mut self, choices: &mut Choices<'_>) -> Operand {
        let register = pick(&["a", "b"], choices);
        self.known.retain(|known| *known != register);
        self.known.push(register);
        Operand::Name(register)
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        let compared = [self.published(choices), Operand::Name("expect")];
        let step = match (choices.below(8), self.known()) {
            (0, _) => leaving(pick(&["cbne", "cbeq"], choices), &compared, "CompareFailed"),
            (1, _) => {
                let store = ["repeatable store", "repeatable store_u8", "repeatable store_u16", "repeatable store_u32"];
                step(pick(&store, choices), &[Operand::Address(Address::new("w")), self.value(choices)])
            }
            (2, Some(register)) => {
                let one = Arithmetic::ALL[choices.below(Arithmetic::ALL.len())];
                step(one.name, &[register, self.value(choices)])
            }
            (3, Some(register)) => {
                step(pick(&["shl", "shr"], choices), &[register, Operand::Literal(choices.below(32))])
            }
            (4, Some(register)) => leaving("cbz", &[register], "CompareFailed"),
            (5, _) => {
                let value = self.value(choices);
                step("mov", &[self.written(choices), value])
            }
            _ => {
                let load = pick(&["load", "load", "load_acquire", "load_u8", "load_u16", "load_u32"], choices);
                let from = self.published(choices);
                step(load, &[self.written(choices), from])
            }
        };
        self.steps.push(step);
    }

    fn commit(&mut self, choices: &mut Choices<'_>) {
        let commits = ["commit store", "commit add", "commit store_u8", "commit store_u16", "commit store_u32"];
        self.steps.push(step(pick(&commits, choices), &[self.published(choices), self.value(choices)]));
    }
}

fn section(choices: &mut Choices<'_>) -> &'static SectionIr {
    let by_caller = choices.below(2) == 0;
    let [cpu, len, i] = ["cpu", "len", "i"].map(Operand::Name);
    let first = if by_caller {
        vec![leaving("check_index", &[cpu], "Aborted")]
    } else {
        let bound = leaving("bound", &[i, len], "OutOfRange");
        vec![step("load_index", &[i]), bound, step("scale", &[i, Operand::Name("S")])]
    };
    let slot = (!by_caller).then_some("i");
    let mut draft = Draft { slot, steps: first, known: Vec::new() };
    for _ in 0..choices.below(5) {
        draft.step(choices);
    }
    draft.commit(choices);
    Box::leak(Box::new(SectionIr {
        name: "random",
        parameters: if by_caller { &BY_CALLER } else { &BY_ITSELF },
        output: None,
        scratch: &["i", "a", "b"],
        abort: by_caller.then_some("Aborted"),
        steps: draft.steps.leak(),
        compiled: &[],
    }))
}

#[test]
fn sections_that_keep_the_rules_are_right() {
    let seen = std::cell::RefCell::new(Seen::default());
    let result = runner(SECTIONS).run(&(vec(any::<u8>(), 32), vec(any::<u8>(), CHOICES)), |(steps, choices)| {
        let ir = section(&mut Choices::new(&steps));
        match explore_case(ir, Kernel::Right, &choices, &mut seen.borrow_mut()) {
            None => Err(TestCaseError::reject("senseless")),
            Some(result) => result.map_err(|wrong| TestCaseError::fail(format!("{:#?}\n{wrong}", ir.steps))),
        }
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    println!("{} schedules", seen.borrow().paths);
}
