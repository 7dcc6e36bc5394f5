//! One call of a section, step by step. Steps that are several instructions on some architecture are several steps here.

use crate::memory::{Fault, Memory, WORD};
use rseq_core::section::{Place, Source, Statement, Step};

/// How a step ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    On,
    Ended(Ending),
}

/// How a section ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    Committed,
    Left(&'static str),
}

/// The most operands of a section: parameters and scratch registers.
const REGISTERS: usize = 16;

#[derive(Clone, Debug)]
pub struct Call {
    statement: &'static Statement,
    registers: [Option<usize>; REGISTERS],
    step: usize,
    /// How far a step of several instructions is.
    part: usize,
    /// What the processor holds between a load and a store of one step.
    held: usize,
    /// Where this attempt has stored before its commit, and how many bytes.
    stored: Vec<(usize, usize)>,
}

impl Call {
    pub fn new(statement: &'static Statement, parameters: &[usize]) -> Self {
        assert_eq!(parameters.len(), statement.parameters.len(), "{}", statement.name);
        let mut registers = [None; REGISTERS];
        for (register, value) in registers.iter_mut().zip(parameters) {
            *register = Some(*value);
        }
        Self { statement, registers, step: 0, part: 0, held: 0, stored: Vec::new() }
    }

    /// Whether nothing of this attempt has run.
    pub fn is_at_start(&self) -> bool {
        self.step == 0 && self.part == 0
    }

    /// Whether the next instruction is the commit itself.
    pub fn is_at_commit(&self) -> bool {
        self.step + 1 == self.statement.steps.len()
            && (self.part == 1
                || !matches!(self.statement.steps[self.step], Step::CommitAdd { .. } | Step::CommitIncrement { .. }))
    }

    /// Gives up this attempt: what it has stored is nobody's to read.
    pub fn give_up(&mut self, memory: &mut Memory) {
        for (address, length) in self.stored.drain(..) {
            memory.leave_behind(address, length);
        }
    }

    /// Begins again; parameters keep their values, scratch registers hold anything.
    pub fn restart(&mut self) {
        self.registers[self.statement.parameters.len()..].fill(None);
        (self.step, self.part) = (0, 0);
    }

    /// Runs to the end without an interruption, on the CPU `index`.
    pub fn complete(mut self, index: i32, memory: &mut Memory) -> Result<Ending, Fault> {
        loop {
            if let Flow::Ended(ending) = self.advance(index, memory)? {
                return Ok(ending);
            }
        }
    }

    /// One step, on the CPU `index`.
    pub fn advance(&mut self, index: i32, memory: &mut Memory) -> Result<Flow, Fault> {
        let step = self.statement.steps[self.step];
        if let Some(flow) = self.perform(step, index, memory)? {
            if let Flow::Ended(Ending::Left(_)) = flow {
                self.give_up(memory);
            }
            return Ok(flow);
        }
        (self.step, self.part) = (self.step + 1, 0);
        Ok(Flow::On)
    }

    /// None where the step is over and another follows.
    fn perform(&mut self, step: Step, index: i32, memory: &mut Memory) -> Result<Option<Flow>, Fault> {
        let leave = |condition, exit| Ok(if condition { Some(Flow::Ended(Ending::Left(exit))) } else { None });
        match step {
            Step::CheckIndex { expected, exit } => leave(self.value(expected)? as u32 != index as u32, exit),
            Step::LoadIndex { register } => self.set(register, index as isize as usize),
            Step::Bound { register, limit, exit } => leave(self.value(register)? >= self.value(limit)?, exit),
            Step::Scale { register } => self.set(register, self.value(register)?.wrapping_mul(Statement::STRIDE)),
            Step::Load { register, from } => self.set(register, memory.load(self.address(from)?)?),
            Step::LeaveIfDifferent { left, right, exit } => {
                leave(self.source(left, memory)? != self.value(right)?, exit)
            }
            Step::LeaveIfEqual { left, right, exit } => leave(self.source(left, memory)? == self.value(right)?, exit),
            Step::LeaveIfZero { register, exit } => leave(self.value(register)? == 0, exit),
            Step::Add { register, value } => self.set(register, self.value(register)?.wrapping_add(self.value(value)?)),
            Step::Store { to, value } => {
                let address = self.address(to)?;
                memory.store(address, self.value(value)?)?;
                self.stored.push((address, WORD));
                Ok(None)
            }
            Step::Copy { to, from, length, counter } => self.copy_byte([to, from], length, counter, memory),
            Step::CommitStore { to, value } => {
                memory.store(self.address(to)?, self.value(value)?)?;
                Ok(Some(Flow::Ended(Ending::Committed)))
            }
            Step::CommitAdd { to, value } => self.commit_add(self.address(to)?, self.value(value)?, memory),
            Step::CommitIncrement { to } => self.commit_add(self.address(to)?, 1, memory),
        }
    }

    fn copy_byte(
        &mut self,
        [to, from]: [Place; 2],
        length: &'static str,
        counter: &'static str,
        memory: &mut Memory,
    ) -> Result<Option<Flow>, Fault> {
        if self.part == self.value(length)? {
            self.clear(counter)?;
            return Ok(None);
        }
        let to = self.address(to)?.wrapping_add(self.part);
        memory.copy_byte(to, self.address(from)?.wrapping_add(self.part))?;
        self.stored.push((to, 1));
        self.part += 1;
        Ok(Some(Flow::On))
    }

    fn commit_add(&mut self, address: usize, count: usize, memory: &mut Memory) -> Result<Option<Flow>, Fault> {
        if self.part == 0 {
            self.held = memory.load(address)?;
            self.part = 1;
            return Ok(Some(Flow::On));
        }
        memory.store(address, self.held.wrapping_add(count))?;
        Ok(Some(Flow::Ended(Ending::Committed)))
    }

    fn register(&self, name: &'static str) -> Result<usize, Fault> {
        let parameters = self.statement.parameters.iter().map(|parameter| parameter.name);
        let mut names = parameters.chain(self.statement.scratch.iter().copied());
        names.position(|known| known == name).ok_or(Fault::Unknown(name))
    }

    fn value(&self, name: &'static str) -> Result<usize, Fault> {
        self.registers[self.register(name)?].ok_or(Fault::Undefined(name))
    }

    fn scratch(&mut self, name: &'static str) -> Result<&mut Option<usize>, Fault> {
        let register = self.register(name)?;
        if register < self.statement.parameters.len() {
            return Err(Fault::Parameter(name));
        }
        Ok(&mut self.registers[register])
    }

    fn set(&mut self, name: &'static str, value: usize) -> Result<Option<Flow>, Fault> {
        *self.scratch(name)? = Some(value);
        Ok(None)
    }

    fn clear(&mut self, name: &'static str) -> Result<(), Fault> {
        *self.scratch(name)? = None;
        Ok(())
    }

    fn address(&self, place: Place) -> Result<usize, Fault> {
        let offset = place.offset.map_or(Ok(0), |offset| self.value(offset))?;
        Ok(self.value(place.base)?.wrapping_add(offset))
    }

    fn source(&self, source: Source, memory: &Memory) -> Result<usize, Fault> {
        match source {
            Source::Operand(name) => self.value(name),
            Source::Memory(place) => memory.load(self.address(place)?),
        }
    }
}
