//! One call of a section in the model's memory, with what its attempts leave in it.

use crate::memory::Memory;
use rseq_core::testing::{Call as Interpreted, Ending, Fault, SectionIr};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    call: Interpreted,
    /// Where this attempt has stored before its commit, and how many bytes.
    stored: Vec<(usize, usize)>,
}

impl Call {
    pub fn new(ir: &'static SectionIr, parameters: &[usize]) -> Self {
        Self { call: Interpreted::new(ir, parameters), stored: Vec::new() }
    }

    /// Whether nothing of this attempt has run.
    pub fn is_at_start(&self) -> bool {
        self.call.is_at_start()
    }

    /// Whether the next instruction is the commit itself.
    pub fn is_at_commit(&self) -> bool {
        self.call.is_at_commit()
    }

    /// Gives up this attempt: nothing may read what it has stored.
    pub fn give_up(&mut self, memory: &mut Memory) {
        for (address, length) in self.stored.drain(..) {
            memory.leave_behind(address, length);
        }
    }

    /// Begins again; parameters keep their values, scratch registers hold anything.
    pub fn restart(&mut self) {
        self.call.restart();
    }

    /// Runs to the end without an interruption, on the CPU `index`.
    pub fn complete(mut self, index: i32, memory: &mut Memory) -> Result<Ending, Fault> {
        loop {
            if let Some(ending) = self.advance(index, memory)? {
                return Ok(ending);
            }
        }
    }

    /// One step, on the CPU `index`: None if the section continues.
    pub fn advance(&mut self, index: i32, memory: &mut Memory) -> Result<Option<Ending>, Fault> {
        let ending = self.call.advance(index, &mut Recorded { memory, stored: &mut self.stored })?;
        if let Some(Ending::Left(_)) = ending {
            self.give_up(memory);
        }
        Ok(ending)
    }
}

/// Memory, and a note of each store.
struct Recorded<'a> {
    memory: &'a mut Memory,
    stored: &'a mut Vec<(usize, usize)>,
}

impl rseq_core::testing::Memory for Recorded<'_> {
    fn load(&self, address: usize, bytes: usize) -> Result<usize, Fault> {
        self.memory.load(address, bytes)
    }

    fn store(&mut self, address: usize, bytes: usize, value: usize) -> Result<(), Fault> {
        // A store of what is there already changes nothing, whether or not its attempt commits.
        if self.memory.load(address, bytes) != Ok(value) {
            self.stored.push((address, bytes));
        }
        self.memory.store(address, bytes, value)
    }
}
