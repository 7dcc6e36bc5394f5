//! A section as data, which `build.rs` generates for each operation and architecture.

/// An operation on one architecture.
pub struct Section {
    /// The name in rseq-core.
    pub name: &'static str,
    /// The first paragraph of its documentation.
    pub about: &'static str,
    /// The name of each parameter, and whether it is a pointer. Without `restarts`, the first one is the index that the
    /// section compares.
    pub parameters: &'static [(&'static str, bool)],
    /// Names of scratch registers.
    pub scratch: &'static [&'static str],
    /// Whether it restarts after an abort, and loads the index itself.
    pub restarts: bool,
    /// The exits of its steps, in the order of the steps.
    pub exits: &'static [&'static str],
    /// The name and the operands of each step, as in rseq-core's source.
    pub steps: &'static [(&'static str, &'static [&'static str])],
    /// The assembly for each memory order that the operation supports.
    pub texts: &'static [(&'static str, Text)],
}

impl Section {
    /// The parameters of the C function, except the index.
    pub fn arguments(&self) -> &'static [(&'static str, bool)] {
        &self.parameters[usize::from(!self.restarts)..]
    }

    /// The declaration of a variable with the C type of a parameter.
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

    /// The steps and operands in which a parameter occurs.
    pub fn uses<'n>(&'n self, name: &'n str) -> impl Iterator<Item = (&'static str, &'static str)> + 'n {
        let all = self.steps.iter().flat_map(|(step, operands)| operands.iter().map(move |operand| (*step, *operand)));
        all.filter(move |(_, operand)| {
            operand.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
        })
    }
}

/// The assembly of a section, with the names of operands in braces. The fields are the arguments of `__rseq_function!`
/// in rseq-core.
pub struct Text {
    /// Switches to the section of the abort handler.
    pub failure: &'static str,
    /// The bytes before the signature.
    pub trap: &'static str,
    /// Switches back from the section of the abort handler.
    pub end: &'static str,
    /// The first lines of the handler.
    pub handler: &'static [&'static str],
    /// Loads the descriptor's address into a register.
    pub descriptor: &'static [&'static str],
    /// Stores it in `rseq_cs`.
    pub arm: &'static str,
    /// The first line of the `asm!`.
    pub before: &'static str,
    /// The last line of the `asm!`.
    pub after: &'static str,
    /// A jump to an exit.
    pub far: &'static str,
    /// A jump from the handler to an exit's stub.
    pub near: &'static str,
    /// A jump from the handler to the label 75, where the section is armed again.
    pub again_from: &'static str,
    /// The steps.
    pub steps: &'static [&'static str],
    /// For `RSEQ_COMPARE_TWICE`: the loads and comparisons again, with the exit for tests; empty for other steps.
    pub again: &'static [&'static str],
}

/// The maximum width of generated lines; a tab counts as one column.
const COLUMNS: usize = 110;

/// A C comment, wrapped.
pub fn comment(text: &str) -> String {
    match wrapped(text, " ", " * ").as_slice() {
        [line] if line.len() <= COLUMNS => format!("/* {text} */\n"),
        lines => format!("/*\n * {}\n */\n", lines.join("\n")),
    }
}

/// The declarator of a function, wrapped.
pub fn declaration(start: &str, parameters: &[String]) -> String {
    format!("{}\n", wrapped(&format!("{start}({})", parameters.join(", ")), ", ", "\t\t").join("\n"))
}

/// Wraps a text after separators, and indents all lines but the first.
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
