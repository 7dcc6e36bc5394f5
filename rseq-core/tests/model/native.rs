//! The assembly itself, in memory of the same layout, next to the model.

use crate::affinity;
use crate::case::{Case, Choices, LONGEST_COPY};
use crate::memory::SIZE;
use crate::skipped::skipped;
use crate::{CHOICES, runner, tried};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::TestCaseError;
use rseq_core::testing::{Compiled, Ending, Fault, Run, SectionIr};
use rseq_core::{Area, Mode, OwnArea, Registration, ThreadArea, Token, abi, arch, sys};
use std::ptr;

/// Random cases of each section, for each place of the area.
const CASES: u32 = 300;

/// The memory of a case, where the assembly finds it.
#[repr(C, align(64))]
struct Arena([u8; SIZE]);

/// Memory, a CPU to stay on, and how to call a section there.
struct Bench<A> {
    arena: *mut u8,
    /// The CPU in the model.
    cpu: i32,
    /// What the index reads in this thread.
    index: i32,
    token: Token<'static, A>,
    run: fn(&Compiled) -> Run<A>,
}

impl<A: Area> Bench<A> {
    /// Compares all sections that can run with this index.
    fn compare_all(&self) {
        let (mut sections, mut functions) = (0, 0);
        for ir in tried::all().filter(|ir| self.index >= 0 || turns_away(ir)) {
            sections += 1;
            for compiled in ir.compiled {
                functions += 1;
                let result =
                    runner(CASES).run(&vec(any::<u8>(), CHOICES), |choices| self.compare(ir, compiled, &choices));
                result.unwrap_or_else(|error| panic!("{} with the index {}: {error}", ir.name, self.index));
            }
        }
        println!("index {}: {sections} sections, {} random calls agree", self.index, functions * CASES);
    }

    fn compare(&self, ir: &'static SectionIr, compiled: &Compiled, choices: &[u8]) -> Result<(), TestCaseError> {
        let base = self.arena.expose_provenance();
        let case = Case::new(ir, base, self.cpu, LONGEST_COPY, &mut Choices::new(choices));
        let mut memory = case.memory.clone();
        let expected = case.call(0, 0).complete(self.index, &mut memory);
        if let Err(Fault::Outside(_) | Fault::Misaligned(_)) = expected {
            return Err(TestCaseError::reject("senseless"));
        }
        let expected = expected.map_err(|fault| TestCaseError::fail(format!("{fault:x?}")))?;
        let found = self.call(&case, compiled, expected);
        // SAFETY: the arena is SIZE bytes, and no section runs.
        let bytes: [u8; SIZE] = unsafe { self.arena.cast::<[u8; SIZE]>().read_volatile() };
        if found == expected && bytes == *memory.bytes() {
            return Ok(());
        }
        let at = (0..SIZE).find(|at| bytes[*at] != memory.bytes()[*at]).map(|at| base + at);
        let differs = format!("{found:?}, the model {expected:?}; the first byte that differs: {at:x?}");
        Err(TestCaseError::fail(format!("{differs}\n{case:?}the model:\n{memory:?}")))
    }

    /// Calls the section until it is not aborted, unless the model is too.
    fn call(&self, case: &Case, compiled: &Compiled, expected: Ending) -> Ending {
        loop {
            // SAFETY: the arena is SIZE bytes, and no section runs.
            unsafe { self.arena.cast::<[u8; SIZE]>().write_volatile(*case.memory.bytes()) };
            // SAFETY: the model has shown that with these parameters and this index the section stays in the arena.
            let ending = match unsafe { (self.run)(compiled)(self.token, case.parameters(0, 0)) } {
                Ok(output) => Ending::Committed(output),
                Err(exit) => Ending::Left(exit),
            };
            if ending == expected || case.ir.abort.is_none_or(|exit| ending != Ending::Left(exit)) {
                return ending;
            }
        }
    }
}

/// Whether a section looks at the index before it goes by it.
fn turns_away(ir: &SectionIr) -> bool {
    ir.steps.iter().any(|step| ["check_index", "bound"].contains(&step.name))
}

/// Takes the libc's registration from this thread, which ends with this test.
fn release_adopted(area: ThreadArea) {
    let lengths = [abi::ORIGINAL_SIZE, 33, 64, 40];
    // SAFETY: the thread's sections have ended, and its libc has none.
    let released = lengths
        .into_iter()
        .any(|len| unsafe { sys::rseq(area.pointer().as_ptr(), len, abi::FLAG_UNREGISTER, arch::SIGNATURE) }.is_ok());
    assert!(released, "no length releases the libc's registration");
}

#[test]
fn the_assembly_agrees_with_the_model() {
    let mut memory = Box::new(Arena([0; SIZE]));
    let arena = ptr::from_mut(&mut *memory).cast::<u8>();
    if let Some(token) = ThreadArea::current() {
        let cpu = token.cpu_id();
        affinity::pin(cpu);
        Bench { arena, cpu: cpu as i32, index: cpu as i32, token, run: |compiled| compiled.adopted }.compare_all();
        release_adopted(token.area());
    }
    // SAFETY: released below in the same thread, which is not registered now.
    let registration = match unsafe { Registration::<OwnArea>::runtime(Mode::Legacy) } {
        Ok(registration) => registration,
        Err(error) => return skipped(error),
    };
    let token = OwnArea::current().expect("a registered thread");
    let cpu = token.cpu_id();
    affinity::pin(cpu);
    let mut bench = Bench { arena, cpu: cpu as i32, index: cpu as i32, token, run: |compiled| compiled.own };
    bench.compare_all();
    registration.release().expect("released");
    bench.index = -1;
    bench.compare_all();
}
