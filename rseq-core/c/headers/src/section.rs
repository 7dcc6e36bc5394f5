//! The C function of a section.

use crate::arch::{Arch, FREE_INPUTS};
use crate::att;
use crate::quote::{FAR, SHIFT, literal};
use crate::text::{self, Section, Text};

/// The exits: the label of each in C, and its name in rseq-core. An exit's number is its position in this list.
/// `differed` is only for tests: a comparison succeeded, and failed when it was repeated.
const EXITS: [(&str, &str); 4] = [
    ("aborted", "Aborted"),
    ("compare_failed", "CompareFailed"),
    ("differed", "Differed"),
    ("out_of_range", "OutOfRange"),
];

/// The number of the exit for tests.
const DIFFERED: usize = 2;

/// The points in a section where tests inject code: for code in a further one, `param_test` of the kernel and of
/// librseq has no operand.
const INJECTS: usize = 6;

/// Writes a section for one architecture and memory order.
pub struct Writer<'a> {
    arch: &'a Arch,
    section: &'a Section,
    text: &'a Text,
}

impl<'a> Writer<'a> {
    pub fn new(arch: &'a Arch, section: &'a Section, text: &'a Text) -> Self {
        Self { arch, section, text }
    }

    /// The C function, for one memory order and one index.
    pub fn function(&self, order: &str, index: &str) -> String {
        let commit = if order == "release" { " The commit is a store-release." } else { "" };
        let cpu = if self.section.restarts { vec![] } else { vec!["int cpu".into()] };
        let parameters = [self.section.declarations(), cpu].concat();
        let mut out = format!(
            "{}static inline __attribute__((always_inline))\n{}{{\n{}{}\tRSEQ_INJECT_C(9)\n\n{}\
             \t__asm__ __volatile__ goto (\n",
            text::comment(&(self.section.about.replace('`', "") + commit)),
            text::declaration(&format!("int {}", self.name(order, index)), &parameters),
            if self.arch.input == "m" { "\tvoid *area = __rseq_area();\n\n" } else { "" },
            self.bound_inputs(),
            if self.arch.has_literals { "\t__RSEQ_ASM_ROOM\n" } else { "" },
        );
        let handler = if self.section.restarts { "__RSEQ_ASM_RESTART" } else { "__RSEQ_ASM_HANDLER" };
        out.push_str(&format!("\t\t__RSEQ_ASM_DESCRIPTOR\n\t\t{handler}\n"));
        out.push_str(&self.per_exit(|number, label| format!("\t\t__RSEQ_ASM_EXIT({number}, {label})\n")));
        out.push_str("\t\t__RSEQ_ASM_HANDLER_END\n\t\t__RSEQ_ASM_INJECT(1)\n\t\t/* Arm the section: it begins. */\n");
        if self.section.restarts {
            out.push_str("\t\t\"75:\\n\\t\"\n");
        }
        out.push_str("\t\t__RSEQ_ASM_ARM\n");
        out.push_str(&self.per_exit(|number, _| format!("\t\t__RSEQ_ASM_EXIT_POINT({number})\n")));
        out.push_str("\t\t__RSEQ_ASM_INJECT(2)\n");
        out.push_str(&self.steps(order, index));
        out.push_str(&self.operands());
        out.push_str(&self.endings());
        out
    }

    fn name(&self, order: &str, index: &str) -> String {
        function_name(self.section, order, index)
    }

    /// The numbers of the section's exits.
    fn exits(&self) -> impl Iterator<Item = usize> {
        let is_used = |name: &str| self.section.exits.contains(&name) || (name == "Aborted" && !self.section.restarts);
        (0..EXITS.len()).filter(move |&number| is_used(EXITS[number].1))
    }

    fn per_exit(&self, line: impl Fn(usize, &str) -> String) -> String {
        let line = |number: usize| line(number, EXITS[number].0);
        let out: String = self.exits().map(line).collect();
        format!("{out}#ifdef RSEQ_COMPARE_TWICE\n{}#endif\n", line(DIFFERED))
    }

    /// The steps, each with a comment. A point for injected test code follows each but loads, as long as fewer
    /// than [`INJECTS`] are in the section.
    fn steps(&self, order: &str, index: &str) -> String {
        let mut out = String::new();
        let mut inject = 3;
        let mut pending = Vec::new();
        for (number, (name, operands)) in self.section.steps.iter().enumerate() {
            out.push_str(&format!("\t\t/* {} */\n", comment(name, operands, order, index)));
            out.push_str(&self.lines(self.text.steps[number], index));
            if name.starts_with("commit") {
                out.push_str("\t\t\"73:\\n\\t\"\n");
            }
            if !self.text.again[number].is_empty() {
                pending.push(self.text.again[number]);
            }
            if *name != "load" && inject <= INJECTS {
                out.push_str(&format!("\t\t__RSEQ_ASM_INJECT({inject})\n"));
                inject += 1;
            }
            if ["check_index", "bound"].contains(name) || name.starts_with("cb") {
                out.push_str("#ifdef RSEQ_COMPARE_TWICE\n");
                pending.drain(..).for_each(|again| out.push_str(&self.lines(again, index)));
                out.push_str("#endif\n");
            }
        }
        out + "\t\t__RSEQ_ASM_END\n"
    }

    /// The lines of an assembly text as C string literals.
    pub fn lines(&self, text: &str, index: &str) -> String {
        let memory = self.in_memory();
        assert!(self.arch.name != "s390x" || !text.contains("({rseq_t}"), "register 0 is no base");
        let text = self.substitute(text, index);
        let lines = text.lines().filter(|line| !line.is_empty()).map(|line| match self.arch.name {
            "x86_64" => att::line(line, &memory),
            _ => line.to_owned(),
        });
        lines.map(|line| format!("\t\t{}\n", literal(&line))).collect()
    }

    /// Replaces the names in braces by GCC's operands, registers and constants.
    fn substitute(&self, text: &str, index: &str) -> String {
        let text = text.replace('%', "%%");
        let text = if self.arch.name == "x86_64" { x86_64_descriptor(&text) } else { text };
        let mut out = String::new();
        let mut rest = &*text;
        while let Some((before, (name, after))) =
            rest.split_once('{').and_then(|(before, after)| Some((before, after.split_once('}')?)))
        {
            out.push_str(before);
            let (name, modifier) = name.split_once(':').unwrap_or((name, ""));
            out.push_str(&self.operand(name, modifier, index));
            rest = after;
        }
        out + rest
    }

    fn operand(&self, name: &str, modifier: &str, index: &str) -> String {
        if let Some(number) = EXITS.iter().position(|(_, exit)| *exit == name) {
            return number.to_string();
        }
        match name {
            "rseq_cs" | "rseq_start" => "8".to_owned(),
            "rseq_far" => FAR.to_owned(),
            "STRIDE" => SHIFT.to_owned(),
            "rseq_index" if index == "mm_cid" => "24".to_owned(),
            "rseq_index" => "4".to_owned(),
            _ => match self.arch.register(name, self.section.scratch) {
                Some(register) => self.arch.text(register, modifier),
                None => format!("%{}[{name}]", self.arch.modifier(modifier)),
            },
        }
    }

    /// Pointers that are only ever the whole address of a word, on x86-64: the compiler may address that as it likes.
    fn in_memory(&self) -> Vec<&'static str> {
        let pointers = self.section.parameters.iter().filter(|(_, pointer)| *pointer && self.arch.name == "x86_64");
        pointers
            .map(|(name, _)| *name)
            .filter(|name| {
                self.section
                    .uses(name)
                    .all(|(step, operand)| step != "repeatable copy" && operand == format!("[{name}]"))
            })
            .collect()
    }

    /// Whether an instruction takes a parameter as a number too, on x86-64.
    fn may_be_immediate(&self, name: &str) -> bool {
        let takes = ["cbne", "cbeq", "bound", "repeatable store", "commit store", "commit add"];
        self.arch.name == "x86_64"
            && self.section.uses(name).all(|(step, operand)| takes.contains(&step) && operand == name)
    }

    /// The register that a parameter is bound to, if the section has too many inputs.
    fn bound(&self, parameter: &str) -> Option<&'static str> {
        let parameters = self.section.parameters;
        // The area is an input too.
        if parameters.len() < FREE_INPUTS {
            return None;
        }
        let place = parameters.iter().rev().position(|(name, _)| *name == parameter)?;
        self.arch.bound.iter().rev().nth(place).copied()
    }

    /// Declarations of register variables for bound parameters.
    fn bound_inputs(&self) -> String {
        let bound = self.section.parameters.iter().filter_map(|(name, pointer)| {
            let declared = self.section.declaration(name, *pointer, &format!("in_{name}"));
            Some(format!("\tregister {declared} __asm__ (\"{}\") = {name};\n", self.bound(name)?))
        });
        let lines: String = bound.collect();
        if lines.is_empty() { lines } else { lines + "\n" }
    }

    /// Whether the assembly uses a register, and so must clobber it. `before` and `after` name registers only in
    /// assembler comments.
    fn has_register(&self, name: &str) -> bool {
        let Text { handler, descriptor, arm, far, near, again_from, steps, again, .. } = self.text;
        let jumps = [*arm, *far, *near, *again_from];
        let texts = [*handler, *descriptor, &jumps, *steps, *again].concat();
        self.arch.name == "arm" || texts.iter().any(|text| text.contains(&format!("{{{name}")))
    }

    fn operands(&self) -> String {
        let memory = self.in_memory();
        let input = self.arch.input;
        let mut inputs = Vec::new();
        if !self.section.restarts {
            inputs.push(format!("[cpu] \"{input}\" (cpu)"));
        }
        inputs.push(if input == "m" {
            format!("[rseq_area] \"{input}\" (area)")
        } else {
            format!("[rseq_area] \"{input}\" (__rseq_area())")
        });
        for (name, _) in self.section.arguments() {
            inputs.push(if memory.contains(name) {
                format!("[{name}] \"m\" (*{name})")
            } else if self.bound(name).is_some() {
                format!("[{name}] \"{input}\" (in_{name})")
            } else if self.may_be_immediate(name) {
                format!("[{name}] \"er\" ({name})")
            } else {
                format!("[{name}] \"{input}\" ({name})")
            });
        }
        let changed = self.arch.changed(self.section.scratch.len(), |name| self.has_register(name)).join("\", \"");
        format!(
            "\t\t: /* no outputs: older compilers do not support them in asm goto */\n\t\t: {}\n\
             \t\t  RSEQ_INJECT_INPUT\n\t\t: \"{changed}\"\n\
             \t\t  RSEQ_INJECT_CLOBBER\n\t\t: {}\n#ifdef RSEQ_COMPARE_TWICE\n\t\t  , differed\n#endif\n\t);\n",
            inputs.join(",\n\t\t  "),
            self.exits().map(|number| EXITS[number].0).collect::<Vec<_>>().join(", "),
        )
    }

    fn endings(&self) -> String {
        let ending = |number| match EXITS[number] {
            ("compare_failed", _) => "compare_failed:\n\trseq_after_asm_goto();\n\treturn 1;\n".to_owned(),
            ("aborted", _) => "aborted:\n\trseq_after_asm_goto();\n\tRSEQ_INJECT_FAILED\n\treturn -1;\n".to_owned(),
            (label, _) => format!("{label}:\n\trseq_after_asm_goto();\n\treturn -1;\n"),
        };
        format!(
            "\trseq_after_asm_goto();\n\treturn 0;\n{}\
             #ifdef RSEQ_COMPARE_TWICE\ndiffered:\n\trseq_after_asm_goto();\n\
             \trseq_bug(\"a second comparison failed\");\n#endif\n}}\n\n",
            self.exits().map(ending).collect::<String>()
        )
    }
}

/// Moves the descriptor's address from `r11` to `rax`, as in the kernel's sections, so that the compiler has as many
/// free registers as with those. The unwind information has the register's number.
fn x86_64_descriptor(text: &str) -> String {
    text.replace("r11", "%%rax").replace("0x16, 16, 3, 0x7b, 8, 6", "0x16, 16, 3, 0x70, 8, 6")
}

/// The name of a section's C function, for one memory order and one index.
pub fn function_name(section: &Section, order: &str, index: &str) -> String {
    match section.restarts {
        true => format!("rseq_this_cpu_{}_{index}", section.name),
        false => format!("rseq_{}__ptr_{order}_{index}", section.name),
    }
}

/// A comment on a step, in C syntax.
fn comment(name: &str, operands: &[&str], order: &str, index: &str) -> String {
    let value = |operand: &str| match operand.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(sum) if sum.contains(' ') => format!("*({sum})"),
        Some(name) => format!("*{name}"),
        None => operand.to_owned(),
    };
    let release = if order == "release" { ", after all earlier loads and stores" } else { "" };
    match (name, operands) {
        ("check_index", _) if index == "mm_cid" => "Go to aborted unless the concurrency ID is cpu.".to_owned(),
        ("check_index", _) => "Go to aborted unless the CPU number is cpu.".to_owned(),
        ("load_index", [to]) if index == "mm_cid" => format!("{to} = the concurrency ID"),
        ("load_index", [to]) => format!("{to} = the CPU number"),
        ("bound", [index, len]) => {
            format!("Go to out_of_range if {index} >= {len}, which it is if the thread is not registered.")
        }
        ("scale", [index, _]) => format!("{index} = the offset of its slot from the first one"),
        ("cbz", [value]) => format!("Go to compare_failed if {value} == 0."),
        ("load", [to, from]) => format!("{to} = {}", value(from)),
        ("cbne", [left, right]) => format!("Go to compare_failed unless {} == {right}.", value(left)),
        ("cbeq", [left, right]) => format!("Go to compare_failed if {} == {right}.", value(left)),
        ("repeatable store", [to, from]) => format!("{} = {from}. It is repeated after an abort.", value(to)),
        ("repeatable copy", [to, from, len, _]) => {
            let bare = |operand: &str| operand.trim_matches(['[', ']']).to_owned();
            format!("Copy {len} bytes from {} to {}. It is repeated after an abort.", bare(from), bare(to))
        }
        ("commit store", [to, from]) => format!("Commit: {} = {from}{release}.", value(to)),
        ("commit add", [to, count]) => format!("Commit: {} += {count}{release}.", value(to)),
        _ => format!("{name} {}", operands.join(", ")),
    }
}
