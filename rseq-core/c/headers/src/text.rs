//! A section as data: what `build.rs` makes of each operation and architecture.

/// An operation on one architecture.
pub struct Section {
    /// The name in rseq-core.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// Names, and whether it is a pointer. Without `restarts`, the first is the index that the section compares.
    pub parameters: &'static [(&'static str, bool)],
    /// Names of scratch registers.
    pub scratch: &'static [&'static str],
    /// Whether an abort begins it again, and it loads the index itself.
    pub restarts: bool,
    /// The exits of its steps, in their order.
    pub exits: &'static [&'static str],
    /// Names and operands of the steps, as they are stated.
    pub steps: &'static [(&'static str, &'static [&'static str])],
    /// The texts, for each memory order that there is of the operation.
    pub texts: &'static [(&'static str, Text)],
}

impl Section {
    /// The parameters of the C function, but for the index.
    pub fn arguments(&self) -> &'static [(&'static str, bool)] {
        &self.parameters[usize::from(!self.restarts)..]
    }

    /// A variable of the C type of a parameter.
    pub fn declaration(&self, parameter: &str, pointer: bool, variable: &str) -> String {
        let is_in = |steps: &[&str]| self.uses(parameter).any(|(step, _)| steps.contains(&step));
        match (pointer, is_in(&["repeatable copy", "bound"])) {
            (true, true) => format!("void *{variable}"),
            (true, false) => format!("intptr_t *{variable}"),
            (false, true) => format!("size_t {variable}"),
            (false, false) => format!("intptr_t {variable}"),
        }
    }

    /// The declarations of the arguments.
    pub fn declarations(&self) -> Vec<String> {
        self.arguments().iter().map(|(name, pointer)| self.declaration(name, *pointer, name)).collect()
    }

    /// Steps and operands that a parameter is in.
    pub fn uses<'n>(&'n self, name: &'n str) -> impl Iterator<Item = (&'static str, &'static str)> + 'n {
        let all = self.steps.iter().flat_map(|(step, operands)| operands.iter().map(move |operand| (*step, *operand)));
        all.filter(move |(_, operand)| {
            operand.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
        })
    }
}

/// The texts of a section, with operands in braces: see `__rseq_function!` in rseq-core, whose pieces these are.
pub struct Text {
    /// Opens the place of the abort handler.
    pub failure: &'static str,
    /// Stands before the signature.
    pub trap: &'static str,
    /// Closes the place of the abort handler.
    pub end: &'static str,
    /// What the handler begins with.
    pub handler: &'static [&'static str],
    /// Brings the descriptor's address into a register.
    pub descriptor: &'static [&'static str],
    /// Stores it in `rseq_cs`.
    pub arm: &'static str,
    /// Before all other texts.
    pub before: &'static str,
    /// After all other texts.
    pub after: &'static str,
    /// A jump to an exit.
    pub far: &'static str,
    /// A jump from the handler to an exit's stub.
    pub near: &'static str,
    /// A jump from the handler to where the section is armed, 75.
    pub again_from: &'static str,
    /// The steps.
    pub steps: &'static [&'static str],
    /// The loads and comparisons once more, the latter with another exit; empty for other steps.
    pub again: &'static [&'static str],
}

/// Columns of generated lines, where a tab is one.
const COLUMNS: usize = 110;

/// A comment, in as many lines as it takes.
pub fn comment(text: &str) -> String {
    match wrapped(text, " ", " * ").as_slice() {
        [line] if line.len() <= COLUMNS => format!("/* {text} */\n"),
        lines => format!("/*\n * {}\n */\n", lines.join("\n")),
    }
}

/// The first line of a function, in as many lines as its parameters take.
pub fn declaration(start: &str, parameters: &[String]) -> String {
    format!("{}\n", wrapped(&format!("{start}({})", parameters.join(", ")), ", ", "\t\t").join("\n"))
}

/// A text cut into lines after separators; all but the first begin with an indent.
fn wrapped(text: &str, separator: &str, indent: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for part in text.split_inclusive(separator) {
        let last = lines.last_mut().expect("there is a first one");
        if last.len() + part.trim_end().len() > COLUMNS {
            last.truncate(last.trim_end().len());
            lines.push(format!("{indent}{part}"));
        } else {
            last.push_str(part);
        }
    }
    lines
}
