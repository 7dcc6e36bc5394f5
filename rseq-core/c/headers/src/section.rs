//! The C function of a section.

use crate::arch::{Arch, FREE_INPUTS};
use crate::att;
use crate::text::{self, Section, Text};

/// The exits: the label of each in C, and its name in the section. A second comparison that fails, for tests, is the
/// last.
const EXITS: [(&str, &str); 3] =
    [("aborted", "Aborted"), ("compare_failed", "CompareFailed"), ("differed", "Differed")];

/// Stands for an exit's label until its text is quoted.
const FAR: &str = "<far>";

/// Texts of one section for one architecture.
pub struct Writer<'a> {
    arch: &'a Arch,
    section: &'a Section,
    text: &'a Text,
}

impl<'a> Writer<'a> {
    pub fn new(arch: &'a Arch, section: &'a Section, text: &'a Text) -> Self {
        Self { arch, section, text }
    }

    /// The function, for one order and one index.
    pub fn function(&self, order: &str, index: &str) -> String {
        let commit = if order == "release" { " The commit is a store-release." } else { "" };
        let parameters = [self.declarations(), vec!["int cpu".into()]].concat();
        let mut out = format!(
            "{}static inline __attribute__((always_inline))\n{}{{\n{}{}\tRSEQ_INJECT_C(9)\n\n{}\
             \t__asm__ __volatile__ goto (\n",
            text::comment(&(self.section.about.replace('`', "") + commit)),
            text::declaration(&format!("int rseq_{}__ptr_{order}_{index}", self.section.name), &parameters),
            if self.arch.input == "m" { "\tvoid *area = __rseq_area();\n\n" } else { "" },
            self.bound_inputs(),
            if self.arch.has_literals { "\t__RSEQ_ASM_ROOM\n" } else { "" },
        );
        out.push_str("\t\t__RSEQ_ASM_DESCRIPTOR\n\t\t__RSEQ_ASM_HANDLER\n");
        out.push_str(&self.per_exit(|number, label| format!("\t\t__RSEQ_ASM_EXIT({number}, {label})\n")));
        out.push_str("\t\t__RSEQ_ASM_HANDLER_END\n\t\t__RSEQ_ASM_INJECT(1)\n\t\t/* Arm the section: it begins. */\n");
        out.push_str("\t\t__RSEQ_ASM_ARM\n");
        out.push_str(&self.per_exit(|number, _| format!("\t\t__RSEQ_ASM_EXIT_POINT({number})\n")));
        out.push_str("\t\t__RSEQ_ASM_INJECT(2)\n");
        out.push_str(&self.steps(order, index));
        out.push_str(&self.operands());
        out.push_str(&self.endings());
        out
    }

    fn per_exit(&self, line: impl Fn(usize, &str) -> String) -> String {
        let exits = if self.section.compares { 2 } else { 1 };
        let mut out: String =
            EXITS[..exits].iter().enumerate().map(|(number, (label, _))| line(number, label)).collect();
        out.push_str(&format!("#ifdef RSEQ_COMPARE_TWICE\n{}#endif\n", line(2, "differed")));
        out
    }

    /// The steps, each with what it does, and a place for a delay after those that tests want to stretch.
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
            if *name != "load" {
                out.push_str(&format!("\t\t__RSEQ_ASM_INJECT({inject})\n"));
                inject += 1;
            }
            if *name == "check_index" || name.starts_with("cb") {
                out.push_str("#ifdef RSEQ_COMPARE_TWICE\n");
                pending.drain(..).for_each(|again| out.push_str(&self.lines(again, index)));
                out.push_str("#endif\n");
            }
        }
        out + "\t\t__RSEQ_ASM_END\n"
    }

    /// Lines of a text as C strings.
    pub fn lines(&self, text: &str, index: &str) -> String {
        let memory = self.in_memory();
        assert!(self.arch.name != "s390x" || !text.contains("({rseq_t}"), "register 0 is no base");
        let text = self.substitute(text, index);
        let lines = text.lines().filter(|line| !line.is_empty()).map(|line| match self.arch.name {
            "x86_64" => att::line(line, &memory),
            _ => line.to_owned(),
        });
        let quoted = lines.map(|line| line.trim_end().replace('"', "\\\"").replace(FAR, "%l[\" __rseq_str(label) \"]"));
        quoted.map(|line| format!("\t\t\"{line}\\n\\t\"\n")).collect()
    }

    /// The text with the compiler's operands and the constants in place of names in braces.
    fn substitute(&self, text: &str, index: &str) -> String {
        let text = text.replace('%', "%%");
        // The register that has the descriptor's address, the only one that texts in Intel's syntax name.
        let text = if self.arch.name == "x86_64" { text.replace("r11", "%%r11") } else { text };
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
                self.uses(name).all(|(step, operand)| step != "repeatable copy" && operand == format!("[{name}]"))
            })
            .collect()
    }

    /// Whether an instruction takes a parameter as a number too, on x86-64.
    fn may_be_immediate(&self, name: &str) -> bool {
        let takes = ["cbne", "cbeq", "repeatable store", "commit store", "commit add"];
        self.arch.name == "x86_64" && self.uses(name).all(|(step, operand)| takes.contains(&step) && operand == name)
    }

    /// Steps and operands that a parameter is in.
    fn uses<'n>(&'n self, name: &'n str) -> impl Iterator<Item = (&'static str, &'static str)> + 'n {
        let all = self
            .section
            .steps
            .iter()
            .flat_map(|(step, operands)| operands.iter().map(move |operand| (*step, *operand)));
        all.filter(move |(_, operand)| {
            operand.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
        })
    }

    /// Whether a parameter is the address of bytes, not of a word.
    fn is_bytes(&self, name: &str) -> bool {
        self.uses(name).any(|(step, _)| step == "repeatable copy")
    }

    fn declarations(&self) -> Vec<String> {
        self.section.parameters[1..].iter().map(|(name, pointer)| self.declaration(name, *pointer, name)).collect()
    }

    /// A variable of the type of a parameter.
    fn declaration(&self, parameter: &str, pointer: bool, name: &str) -> String {
        match (pointer, self.is_bytes(parameter)) {
            (true, true) => format!("void *{name}"),
            (true, false) => format!("intptr_t *{name}"),
            (false, true) => format!("size_t {name}"),
            (false, false) => format!("intptr_t {name}"),
        }
    }

    /// The register that a parameter is in, where the section has too many inputs.
    fn bound(&self, parameter: &str) -> Option<&'static str> {
        let parameters = self.section.parameters;
        // The area is an input too.
        if parameters.len() < FREE_INPUTS {
            return None;
        }
        let place = parameters.iter().rev().position(|(name, _)| *name == parameter)?;
        self.arch.bound.iter().rev().nth(place).copied()
    }

    /// Variables that are in registers of their own.
    fn bound_inputs(&self) -> String {
        let bound = self.section.parameters.iter().filter_map(|(name, pointer)| {
            let declared = self.declaration(name, *pointer, &format!("in_{name}"));
            Some(format!("\tregister {declared} __asm__ (\"{}\") = {name};\n", self.bound(name)?))
        });
        let lines: String = bound.collect();
        if lines.is_empty() { lines } else { lines + "\n" }
    }

    fn operands(&self) -> String {
        let memory = self.in_memory();
        let input = self.arch.input;
        let mut inputs = vec![
            format!("[cpu] \"{input}\" (cpu)"),
            if input == "m" {
                format!("[rseq_area] \"{input}\" (area)")
            } else {
                format!("[rseq_area] \"{input}\" (__rseq_area())")
            },
        ];
        for (name, _) in &self.section.parameters[1..] {
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
        let changed = self.arch.changed(self.section.scratch.len()).join("\", \"");
        format!(
            "\t\t: /* no outputs: older compilers know none in asm goto */\n\t\t: {}\n\
             \t\t  RSEQ_INJECT_INPUT\n\t\t: \"{changed}\"\n\
             \t\t  RSEQ_INJECT_CLOBBER\n\t\t: aborted{}\n#ifdef RSEQ_COMPARE_TWICE\n\t\t  , differed\n#endif\n\t);\n",
            inputs.join(",\n\t\t  "),
            if self.section.compares { ", compare_failed" } else { "" },
        )
    }

    fn endings(&self) -> String {
        let compare_failed =
            if self.section.compares { "compare_failed:\n\trseq_after_asm_goto();\n\treturn 1;\n" } else { "" };
        format!(
            "\trseq_after_asm_goto();\n\treturn 0;\n\
             aborted:\n\trseq_after_asm_goto();\n\tRSEQ_INJECT_FAILED\n\treturn -1;\n\
             {compare_failed}#ifdef RSEQ_COMPARE_TWICE\ndiffered:\n\trseq_after_asm_goto();\n\
             \trseq_bug(\"a second comparison failed\");\n#endif\n}}\n\n"
        )
    }
}

/// What a step does, as a C programmer would write it.
fn comment(name: &str, operands: &[&str], order: &str, index: &str) -> String {
    let value = |operand: &str| match operand.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(sum) if sum.contains(' ') => format!("*({sum})"),
        Some(name) => format!("*{name}"),
        None => operand.to_owned(),
    };
    let release = if order == "release" { ", after all earlier loads and stores" } else { "" };
    match (name, operands) {
        ("check_index", _) if index == "mm_cid" => "Leave by aborted unless the concurrency ID is cpu.".to_owned(),
        ("check_index", _) => "Leave by aborted unless the CPU is cpu.".to_owned(),
        ("load", [to, from]) => format!("{to} = {}", value(from)),
        ("cbne", [left, right]) => format!("Leave by compare_failed unless {} == {right}.", value(left)),
        ("cbeq", [left, right]) => format!("Leave by compare_failed if {} == {right}.", value(left)),
        ("repeatable store", [to, from]) => format!("{} = {from}, which an aborted section may repeat.", value(to)),
        ("repeatable copy", [to, from, len, _]) => {
            let bare = |operand: &str| operand.trim_matches(['[', ']']).to_owned();
            format!("Copy {len} bytes from {} to {}, which an aborted section may repeat.", bare(from), bare(to))
        }
        ("commit store", [to, from]) => format!("Commit: {} = {from}{release}.", value(to)),
        ("commit add", [to, count]) => format!("Commit: {} += {count}{release}.", value(to)),
        _ => format!("{name} {}", operands.join(", ")),
    }
}
