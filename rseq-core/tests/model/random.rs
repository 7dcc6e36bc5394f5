//! Random sections that keep the rules: the model has nothing to say against them.

use crate::case::Choices;
use crate::explore::Kernel;
use crate::{CHOICES, Seen, explore_case, runner};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::TestCaseError;
use rseq_core::section::{Parameter, Place, Source, Statement, Step};

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

impl Draft {
    fn place(&self, base: &'static str) -> Place {
        Place { base, offset: self.slot }
    }

    fn published(&self, choices: &mut Choices<'_>) -> Place {
        self.place(["v", "v2"][choices.below(2)])
    }

    fn value(&self, choices: &mut Choices<'_>) -> &'static str {
        let values: Vec<&str> = self.known.iter().copied().chain(["expect", "count"]).collect();
        values[choices.below(values.len())]
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        let exit = "CompareFailed";
        let (left, right) = (Source::Memory(self.published(choices)), "expect");
        let step = match choices.below(6) {
            0 => Step::LeaveIfDifferent { left, right, exit },
            1 => Step::LeaveIfEqual { left, right, exit },
            2 => Step::Store { to: Place { base: "w", offset: None }, value: self.value(choices) },
            3 if !self.known.is_empty() => Step::Add { register: self.known[0], value: self.value(choices) },
            4 if !self.known.is_empty() => Step::LeaveIfZero { register: self.known[0], exit },
            _ => {
                let register = ["a", "b"][choices.below(2)];
                self.known.retain(|known| *known != register);
                self.known.push(register);
                Step::Load { register, from: self.published(choices) }
            }
        };
        self.steps.push(step);
    }

    fn commit(&mut self, choices: &mut Choices<'_>) {
        let (to, value) = (self.published(choices), self.value(choices));
        self.steps.push(match choices.below(3) {
            0 => Step::CommitStore { to, value },
            1 => Step::CommitIncrement { to },
            _ => Step::CommitAdd { to, value },
        });
    }
}

fn section(choices: &mut Choices<'_>) -> &'static Statement {
    let by_caller = choices.below(2) == 0;
    let first = if by_caller {
        vec![Step::CheckIndex { expected: "cpu", exit: "Aborted" }]
    } else {
        let (register, limit, exit) = ("i", "len", "OutOfRange");
        vec![Step::LoadIndex { register }, Step::Bound { register, limit, exit }, Step::Scale { register }]
    };
    let slot = (!by_caller).then_some("i");
    let mut draft = Draft { slot, steps: first, known: Vec::new() };
    for _ in 0..choices.below(5) {
        draft.step(choices);
    }
    draft.commit(choices);
    Box::leak(Box::new(Statement {
        name: "random",
        parameters: if by_caller { &BY_CALLER } else { &BY_ITSELF },
        scratch: &["i", "a", "b"],
        abort: by_caller.then_some("Aborted"),
        steps: draft.steps.leak(),
        forms: &[],
    }))
}

#[test]
fn sections_that_keep_the_rules_are_right() {
    let seen = std::cell::RefCell::new(Seen::default());
    let result = runner(SECTIONS).run(&(vec(any::<u8>(), 32), vec(any::<u8>(), CHOICES)), |(steps, choices)| {
        let statement = section(&mut Choices::new(&steps));
        match explore_case(statement, Kernel::Right, &choices, &mut seen.borrow_mut()) {
            None => Err(TestCaseError::reject("senseless")),
            Some(result) => result.map_err(|failure| TestCaseError::fail(format!("{:#?}\n{failure}", statement.steps))),
        }
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    println!("{} schedules", seen.borrow().paths);
}
