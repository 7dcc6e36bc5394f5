//! What each step of a section does: an interpreter of [`SectionIr`]s. It may panic, so its functions are inline: a
//! program that does not interpret has none of its code.

use super::{Address, Arithmetic, Operand, SectionIr, Step};
use core::hash::{Hash, Hasher};
use core::ptr;

/// Bytes of a word.
const WORD: usize = size_of::<usize>();

/// The most operands of a section: parameters, output and scratch registers.
const OPERANDS: usize = 16;

/// The place of the word that a section returns: not an address of a [`Memory`].
const OUTPUT: usize = usize::MAX - 63;

/// What a correct section does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An access outside of the memory, at this address.
    Outside(usize),
    /// An access at an address that is not a multiple of its size.
    Misaligned(usize),
    /// A load of what an attempt that did not commit had stored.
    LeftBehind(usize),
    /// A use of a register that was not written since the section began.
    Undefined(&'static str),
    /// A change of a parameter, which the next attempt needs.
    Parameter(&'static str),
    /// Not an operand of the section, or not a step.
    Unknown(&'static str),
}

/// Memory that a section is interpreted in. Addresses are multiples of the number of bytes, which is that of a word
/// at most.
#[allow(clippy::missing_errors_doc, reason = "the fault that the memory finds")]
pub trait Memory {
    /// The `bytes` at `address` as the low bytes of a word, zero-extended.
    fn load(&self, address: usize, bytes: usize) -> Result<usize, Fault>;

    /// Stores the low `bytes` of `value` at `address`.
    fn store(&mut self, address: usize, bytes: usize, value: usize) -> Result<(), Fault>;
}

/// How a section ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ending {
    /// By its commit, with its output.
    Committed(Option<usize>),
    /// By an exit.
    Left(&'static str),
}

/// One call of a section, step by step. If some architecture takes several instructions for a step, it has several
/// parts here, so that an interruption can come between two of them.
#[derive(Clone, Debug)]
pub struct Call {
    ir: &'static SectionIr,
    values: [Option<usize>; OPERANDS],
    output: Option<usize>,
    step: usize,
    /// The next part of a step of several instructions.
    part: usize,
    /// The value that the processor holds between a load and a store of one step.
    held: usize,
}

/// Two calls are equal if the same comes of both, in the same memory.
impl PartialEq for Call {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let place = |call: &Self| (call.step, call.part, call.held, call.output);
        ptr::eq(self.ir, other.ir) && place(self) == place(other) && self.values == other.values
    }
}

impl Eq for Call {}

impl Hash for Call {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.step, self.part, self.held).hash(state);
    }
}

impl Call {
    /// A call with parameters as words, before its first step.
    ///
    /// # Panics
    ///
    /// If there is not a word for each parameter, or the section has more than 16 operands.
    #[inline]
    pub fn new(ir: &'static SectionIr, parameters: &[usize]) -> Self {
        assert_eq!(parameters.len(), ir.parameters.len(), "{}", ir.name);
        let mut values = [None; OPERANDS];
        let given = parameters.iter().copied().chain(ir.output.map(|_| OUTPUT));
        values.iter_mut().zip(given).for_each(|(value, given)| *value = Some(given));
        Self { ir, values, output: Some(0), step: 0, part: 0, held: 0 }
    }

    /// Whether nothing of this attempt has run yet.
    #[inline]
    pub fn is_at_start(&self) -> bool {
        self.step == 0 && self.part == 0
    }

    /// Whether the next instruction is the commit itself.
    #[inline]
    pub fn is_at_commit(&self) -> bool {
        self.step + 1 == self.ir.steps.len() && (self.part == 1 || self.ir.steps[self.step].name != "commit add")
    }

    /// Begins again after an abort: parameters keep their values; scratch registers and the output are undefined.
    #[inline]
    pub fn restart(&mut self) {
        let inputs = self.inputs();
        self.values[inputs..].fill(None);
        self.output = None;
        (self.step, self.part) = (0, 0);
    }

    /// Runs to the end without an interruption, with the index `index`.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    #[inline]
    pub fn complete(mut self, index: i32, memory: &mut impl Memory) -> Result<Ending, Fault> {
        loop {
            if let Some(ending) = self.advance(index, memory)? {
                return Ok(ending);
            }
        }
    }

    /// One step, or a part of one, with the index `index`: None if the section continues.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    #[inline]
    pub fn advance(&mut self, index: i32, memory: &mut impl Memory) -> Result<Option<Ending>, Fault> {
        let step = &self.ir.steps[self.step];
        match self.perform(step, index, memory)? {
            Flow::Within => self.part += 1,
            Flow::On if self.step + 1 < self.ir.steps.len() => (self.step, self.part) = (self.step + 1, 0),
            Flow::On => return self.committed().map(Some),
            Flow::Leave => return step.exit.map(|exit| Some(Ending::Left(exit))).ok_or(Fault::Unknown(step.name)),
        }
        Ok(None)
    }

    #[inline]
    fn committed(&self) -> Result<Ending, Fault> {
        match (self.ir.output, self.output) {
            (None, _) => Ok(Ending::Committed(None)),
            (Some(name), None) => Err(Fault::Undefined(name)),
            (Some(_), output) => Ok(Ending::Committed(output)),
        }
    }

    #[inline]
    fn perform(&mut self, step: &Step, index: i32, memory: &mut impl Memory) -> Result<Flow, Fault> {
        match (step.name, step.operands) {
            ("check_index", [x]) => Ok(Flow::leave_if(self.value(x)? as u32 != index as u32)),
            ("load_index", [r]) => self.set(r, index as isize as usize),
            ("bound", [r, x]) => Ok(Flow::leave_if(self.value(r)? >= self.value(x)?)),
            ("scale", [r, _]) => self.set(r, self.value(r)?.wrapping_mul(SectionIr::STRIDE)),
            ("cbne", [left, x]) => Ok(Flow::leave_if(self.compared(left, memory)? != self.value(x)?)),
            ("cbeq", [left, x]) => Ok(Flow::leave_if(self.compared(left, memory)? == self.value(x)?)),
            ("cbz", [r]) => Ok(Flow::leave_if(self.value(r)? == 0)),
            ("mov", [r, x]) => self.set(r, self.value(x)?),
            ("shl", [r, k]) => self.set(r, self.value(r)? << self.value(k)?),
            ("shr", [r, k]) => self.set(r, self.value(r)? >> self.value(k)?),
            ("repeatable copy", [to, from, length, counter]) => self.copy_byte([to, from], length, counter, memory),
            ("commit add", [m, x]) => self.commit_add(self.address(m)?, self.value(x)?, memory),
            (name, [first, second]) => match access(name) {
                Some(Access::Load(bytes)) => self.set(first, self.load(self.address(second)?, bytes, memory)?),
                Some(Access::Store(bytes)) => self.store(self.address(first)?, bytes, self.value(second)?, memory),
                None => self.compute(name, first, second),
            },
            (name, _) => Err(Fault::Unknown(name)),
        }
    }

    /// A step that takes a register and a value, and writes the register.
    #[inline]
    fn compute(&mut self, name: &'static str, register: &Operand, value: &Operand) -> Result<Flow, Fault> {
        let step = Arithmetic::named(name).ok_or(Fault::Unknown(name))?;
        self.set(register, (step.compute)(self.value(register)?, self.value(value)?))
    }

    /// The operands that keep their values.
    #[inline]
    fn inputs(&self) -> usize {
        self.ir.parameters.len() + usize::from(self.ir.output.is_some())
    }

    #[inline]
    fn position(&self, name: &'static str) -> Result<usize, Fault> {
        let parameters = self.ir.parameters.iter().map(|parameter| parameter.name);
        let mut names = parameters.chain(self.ir.output).chain(self.ir.scratch.iter().copied());
        names.position(|known| known == name).ok_or(Fault::Unknown(name))
    }

    #[inline]
    fn named(&self, name: &'static str) -> Result<usize, Fault> {
        self.values[self.position(name)?].ok_or(Fault::Undefined(name))
    }

    #[inline]
    fn value(&self, operand: &Operand) -> Result<usize, Fault> {
        match *operand {
            Operand::Name(name) => self.named(name),
            Operand::Literal(value) => Ok(value),
            Operand::Address(address) => Err(Fault::Unknown(address.base)),
        }
    }

    #[inline]
    fn set(&mut self, operand: &Operand, value: usize) -> Result<Flow, Fault> {
        let Operand::Name(name) = *operand else { return Err(Fault::Unknown("a register")) };
        let position = self.position(name)?;
        if position < self.inputs() {
            return Err(Fault::Parameter(name));
        }
        self.values[position] = Some(value);
        Ok(Flow::On)
    }

    #[inline]
    fn address(&self, operand: &Operand) -> Result<usize, Fault> {
        let Operand::Address(Address { base, index, displacement }) = *operand else {
            return Err(Fault::Unknown("an address"));
        };
        let offset = index.map_or(Ok(0), |(name, factor)| self.named(name).map(|value| value.wrapping_mul(factor)))?;
        Ok(self.named(base)?.wrapping_add(offset).wrapping_add(displacement))
    }

    #[inline]
    fn compared(&self, operand: &Operand, memory: &impl Memory) -> Result<usize, Fault> {
        match operand {
            Operand::Address(_) => self.load(self.address(operand)?, WORD, memory),
            _ => self.value(operand),
        }
    }

    #[inline]
    fn load(&self, address: usize, bytes: usize, memory: &impl Memory) -> Result<usize, Fault> {
        if !address.is_multiple_of(bytes) {
            return Err(Fault::Misaligned(address));
        }
        match address {
            OUTPUT if bytes == WORD => self.output.ok_or(Fault::LeftBehind(address)),
            _ => memory.load(address, bytes),
        }
    }

    #[inline]
    fn store(&mut self, address: usize, bytes: usize, value: usize, memory: &mut impl Memory) -> Result<Flow, Fault> {
        if !address.is_multiple_of(bytes) {
            return Err(Fault::Misaligned(address));
        }
        match address {
            OUTPUT if bytes == WORD => self.output = Some(value),
            _ => memory.store(address, bytes, value)?,
        }
        Ok(Flow::On)
    }

    #[inline]
    fn copy_byte(
        &mut self,
        [to, from]: [&Operand; 2],
        length: &Operand,
        counter: &Operand,
        memory: &mut impl Memory,
    ) -> Result<Flow, Fault> {
        if self.part == self.value(length)? {
            return self.set(counter, self.part);
        }
        let byte = memory.load(self.address(from)?.wrapping_add(self.part), 1)?;
        memory.store(self.address(to)?.wrapping_add(self.part), 1, byte)?;
        Ok(Flow::Within)
    }

    #[inline]
    fn commit_add(&mut self, address: usize, count: usize, memory: &mut impl Memory) -> Result<Flow, Fault> {
        if self.part == 0 {
            self.held = self.load(address, WORD, memory)?;
            return Ok(Flow::Within);
        }
        self.store(address, WORD, self.held.wrapping_add(count), memory)
    }
}

/// Where a step leads.
enum Flow {
    /// To its next part.
    Within,
    /// To the next step, and out of the section after the last.
    On,
    /// To its exit.
    Leave,
}

impl Flow {
    const fn leave_if(condition: bool) -> Self {
        if condition { Self::Leave } else { Self::On }
    }
}

/// What a step that only loads or only stores does, and for how many bytes.
enum Access {
    Load(usize),
    Store(usize),
}

fn access(name: &str) -> Option<Access> {
    let word = name.rsplit(' ').next()?;
    if let Some(kind) = word.strip_prefix("load") {
        return bytes(kind).map(Access::Load);
    }
    word.strip_prefix("store").and_then(bytes).map(Access::Store)
}

/// The bytes of an access, from what follows `load` or `store`.
fn bytes(kind: &str) -> Option<usize> {
    match kind {
        "" | "_acquire" => Some(WORD),
        "_u8" => Some(1),
        "_u16" => Some(2),
        "_u32" => Some(4),
        "_u64" if WORD == 8 => Some(8),
        _ => None,
    }
}
