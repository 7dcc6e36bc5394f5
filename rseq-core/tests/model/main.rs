//! Every operation, from the ir that its assembly is made from, in a model of memory, registers and two CPUs: under
//! each schedule of two interruptions it does what whole sections in some order do. And the assembly does what the
//! model does.

#[path = "../affinity/mod.rs"]
mod affinity;
mod call;
mod case;
mod explore;
mod memory;
mod native;
mod random;
#[path = "../skipped/mod.rs"]
mod skipped;
mod tried;
mod types;

use case::{Case, Choices};
use explore::{Explorer, Failure, Kernel};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use rseq_core::testing::{Ending, Operand, SectionIr};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// Where the memory of the model is, when no assembly has to find it there.
const BASE: usize = 0x1_0000;

/// Choices that a case is made of.
const CHOICES: usize = 128;

/// The most bytes that an explored section copies: an interruption is possible at each.
const COPY: usize = 4;

/// Random cases of a section that are explored, of a type's a quarter as many; one of those with more than [`LONG`]
/// steps.
const CASES: u32 = 8;

/// The schedules of a case grow with the square of the steps.
const LONG: usize = 12;

/// Those among which one at least shows what is wrong with a control: with 64, one run in a hundred did not.
const CONTROL_CASES: u32 = 1024;

thread_local! {
    /// The seed of this test's next runner; the first one is shown if the test fails, and repeats it.
    static SEED: Cell<u64> = {
        let seed = match std::env::var("MODEL_SEED") {
            Ok(seed) => seed.parse().expect("MODEL_SEED is a number"),
            Err(_) => RandomState::new().hash_one(()),
        };
        println!("MODEL_SEED={seed}");
        Cell::new(seed)
    };
}

fn runner(cases: u32) -> TestRunner {
    let seed = SEED.get();
    SEED.set(seed.wrapping_add(1));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases, max_global_rejects: 1 << 16, failure_persistence: None, ..Config::default() };
    // Not by the configuration's seed: without proptest's "std" that changes nothing.
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    TestRunner::new_with_rng(Config { max_shrink_iters: 64, ..config }, random)
}

/// What was seen of a section.
#[derive(Default)]
struct Seen {
    paths: usize,
    endings: Vec<Ending>,
}

/// A case that its section gets wrong.
struct Wrong {
    failure: Failure,
    case: Case,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { failure, case } = self;
        write!(f, "{failure:x?}\n{case:?}")
    }
}

/// Explores one case; None where it is senseless.
fn explore_case(ir: &'static SectionIr, kernel: Kernel, choices: &[u8], seen: &mut Seen) -> Option<Result<(), Wrong>> {
    let case = Case::new(ir, BASE, 0, COPY, &mut Choices::new(choices));
    let mut explorer = match Explorer::new(&case, kernel) {
        Ok(explorer) => explorer?,
        Err(failure) => return Some(Err(Wrong { failure, case })),
    };
    let result = explorer.run();
    seen.paths += explorer.paths;
    seen.endings.extend(explorer.endings);
    seen.endings.sort();
    seen.endings.dedup();
    Some(result.map_err(|failure| Wrong { failure, case }))
}

/// Explores random cases of a section, and panics with the first failure, which is made small before.
fn explore(ir: &'static SectionIr, cases: u32, seen: &mut Seen) {
    let seen = RefCell::new(seen);
    let result = runner(cases).run(&vec(any::<u8>(), CHOICES), |choices| {
        match explore_case(ir, Kernel::Right, &choices, &mut seen.borrow_mut()) {
            None => Err(TestCaseError::reject("senseless")),
            Some(result) => result.map_err(|wrong| TestCaseError::fail(wrong.to_string())),
        }
    });
    if let Err(TestError::Fail(reason, _) | TestError::Abort(reason)) = result {
        panic!("{}: {reason}", ir.name);
    }
}

/// The first failure among random cases, of what is to fail. Four times `cases` are made, as many are senseless.
fn failure(ir: &'static SectionIr, kernel: Kernel, cases: u32) -> Option<Wrong> {
    let (mut random, choices) = (runner(cases), vec(any::<u8>(), CHOICES));
    (0..4 * cases).find_map(|_| {
        let choices = choices.new_tree(&mut random).expect("bytes").current();
        explore_case(ir, kernel, &choices, &mut Seen::default())?.err()
    })
}

#[test]
fn every_interruption_gives_an_order_of_whole_sections() {
    explore_all(tried::general(), CASES);
}

#[test]
fn every_interruption_of_a_type_gives_an_order_of_whole_sections() {
    explore_all(types::all(), CASES / 4);
}

/// Explores sections until each has ended in each of its ways.
fn explore_all(sections: impl Iterator<Item = &'static SectionIr>, cases: u32) {
    let mut paths = 0;
    for ir in sections {
        let mut seen = Seen::default();
        let all = |seen: &Seen| explore::endings(ir).iter().all(|ending| seen.endings.contains(ending));
        for _ in 0..100 {
            explore(ir, if ir.steps.len() <= LONG { cases } else { 1 }, &mut seen);
            if all(&seen) {
                break;
            }
        }
        assert!(all(&seen), "{}: of {:?} only {:?}", ir.name, explore::endings(ir), seen.endings);
        println!("{:32}{:10} schedules", ir.name, seen.paths);
        paths += seen.paths;
    }
    println!("{paths} schedules");
}

/// What `kernel` breaks: each section in which an interruption at the wrong moment can be seen.
fn broken_by(kernel: Kernel) -> Vec<&'static str> {
    let broken = |ir: &&'static SectionIr| failure(ir, kernel, CONTROL_CASES).is_some();
    tried::all().filter(|ir| depends_on_memory(ir)).filter(broken).map(|ir| ir.name).collect()
}

/// Those sections.
fn names() -> Vec<&'static str> {
    tried::all().filter(|ir| depends_on_memory(ir)).map(|ir| ir.name).collect()
}

/// Whether what a section commits depends on what it finds: a store of the same word may come late, and is as if its
/// section had begun late.
fn depends_on_memory(ir: &SectionIr) -> bool {
    ir.steps.iter().any(|step| {
        let is_load = step.name.starts_with("load") && step.name != "load_index";
        let compares = step.name.starts_with("cb") && matches!(step.operands, [Operand::Address(_), ..]);
        is_load || compares || step.name == "commit add"
    })
}

#[test]
fn a_section_that_is_not_armed_is_caught() {
    assert_eq!(broken_by(Kernel::Silent), names());
}

#[test]
fn a_range_that_ends_before_the_commit_is_caught() {
    assert_eq!(broken_by(Kernel::Early), names());
}

#[test]
fn a_range_that_goes_beyond_the_commit_is_caught() {
    // A ring's limit may be set to the same again.
    let names: Vec<_> = names().into_iter().filter(|name| *name != "set_limit").collect();
    assert_eq!(broken_by(Kernel::Late), names);
}

#[test]
fn wrong_sections_are_caught() {
    for ir in tried::wrong() {
        let failure = failure(ir, Kernel::Right, CONTROL_CASES);
        let Wrong { failure, .. } = failure.unwrap_or_else(|| panic!("{} passes", ir.name));
        println!("{}: {failure:x?}", ir.name);
    }
}
