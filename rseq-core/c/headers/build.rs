//! Makes the assembly of all architectures available to one program. A compiler sees only the macros of
//! `rseq-core/src/arch` for its target, so this script copies those of every architecture under distinct names, and
//! applies them to each operation in `rseq-core/src/ops`.

use rseq_core::testing::{Address, Operand, SectionIr, Step};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

mod librseq {
    use rseq_core::{Aborted, Committed, CompareFailed};

    rseq_core::__librseq_sections! { #![model] }
}

mod this_cpu {
    use rseq_core::{Committed, CompareFailed, OutOfRange};

    rseq_core::__this_cpu_sections! { #![model] }
}

/// Architectures: the name, the file in `src/arch`, and the width of a word in bits.
const ARCHES: [(&str, &str, u32); 9] = [
    ("x86_64", "x86_64", 64),
    ("i686", "x86", 32),
    ("aarch64", "aarch64", 64),
    ("arm", "arm", 32),
    ("riscv64", "riscv", 64),
    ("s390x", "s390x", 64),
    ("powerpc64", "powerpc", 64),
    ("loongarch64", "loongarch64", 64),
    ("mips64", "mips", 64),
];

/// How an i686 section accesses a parameter: as a memory operand, because there are too few registers. `rseq_t` and
/// `rseq_u` are its temporary registers.
const WORD: &str = r#"
macro_rules! word {
    (fetch $x:ident $into:ident) => { concat!("movl ", word!(source $x), ", {", stringify!($into), "}\n") };
    (fetch $k:literal $into:ident) => { "" };
    (name $x:ident $into:ident) => { concat!("{", stringify!($into), "}") };
    (name $k:literal $into:ident) => { word!(source $k) };
    (source $x:ident) => { concat!("{", stringify!($x), "}") };
    (source $k:literal) => { concat!("$", $k) };
    (value $x:tt) => { word!(fetch $x rseq_u) };
    (reach [$base:ident]) => { word!(fetch $base rseq_t) };
    (reach [$base:ident + $distance:ident]) => {
        concat!("movl ", word!(source $base), ", {rseq_t}\n", "addl ", word!(source $distance), ", {rseq_t}\n")
    };
    (at $place:tt) => { "({rseq_t})" };
}
"#;

fn main() {
    let core = PathBuf::from("../../src");
    let function = source(&core.join("section/function.rs"));
    let load_store = source(&core.join("section/load_store.rs"));
    let docs = [source(&core.join("ops/librseq.rs")), source(&core.join("ops/this_cpu.rs"))];
    // An operation without an exit cannot be an `asm goto`, which needs a label.
    let this_cpu = this_cpu::SECTIONS.iter().filter(|ir| ir.steps.iter().any(|step| step.exit.is_some()));
    let families = [
        ("SECTIONS", librseq::SECTIONS.iter().collect::<Vec<_>>(), &docs[0]),
        ("THIS_CPU", this_cpu.collect(), &docs[1]),
    ];
    let mut out = String::new();
    let mut all = String::from("const ALL: &[(&str, u32, bool, [&[text::Section]; 2])] = &[\n");
    for (arch, file, bits) in ARCHES {
        let own = source(&core.join(format!("arch/{file}.rs")));
        let shared = if own.contains("macro_rules! __rseq_text ") { "" } else { &load_store };
        writeln!(out, "#[allow(unused_macros)]\nmod {arch} {{\n    use crate::text::{{Section, Text}};").unwrap();
        for (text, name) in [
            (&*own, "__rseq_set"),
            (&own, "__rseq_text"),
            (shared, "__rseq_text"),
            (&own, "__rseq_primitive"),
            (&own, "__rseq_frame"),
            (&function, "__rseq_log2"),
        ] {
            out.push_str(&macro_of(text, name, "").map_or_else(String::new, |found| rename(found, arch)));
        }
        let wide = macro_of(&function, "__rseq_wide", &format!("#[cfg(target_pointer_width = \"{bits}\")]\n"));
        out.push_str(&rename(wide.expect("each width has its texts"), arch));
        out.push_str(&capture(arch));
        if arch == "i686" {
            out.push_str(WORD);
        }
        for (name, sections, docs) in &families {
            writeln!(out, "    pub const {name}: &[Section] = &[").unwrap();
            sections.iter().for_each(|ir| out.push_str(&section(arch, ir, docs)));
            out.push_str("    ];\n");
        }
        out.push_str("}\n");
        let (signature, is_code) = signature(&own);
        writeln!(all, "    (\"{arch}\", {signature}, {is_code}, [{arch}::SECTIONS, {arch}::THIS_CPU]),").unwrap();
    }
    out.push_str(&all);
    out.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR").unwrap()).join("sections.rs"), out).unwrap();
}

fn source(path: &Path) -> String {
    println!("cargo::rerun-if-changed={}", path.display());
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The signature before abort handlers, and whether it is stored in the byte order of instructions, which on some
/// architectures differs from that of data.
fn signature(own: &str) -> (&str, bool) {
    let line = own.lines().find(|line| line.starts_with("pub const SIGNATURE")).expect("each architecture has one");
    let number = &line[line.find("0x").expect("a number in base 16")..];
    let end = number.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(number.len());
    (&number[..end], line.contains("from_ne_bytes"))
}

/// The text of a macro at the top level of a file, up to its closing brace in the first column.
fn macro_of<'s>(source: &'s str, name: &str, condition: &str) -> Option<&'s str> {
    let head = format!("macro_rules! {name} {{\n");
    let start = source.match_indices(&head).map(|(at, _)| at).find(|&at| source[..at].ends_with(condition))?;
    let len = source[start..].find("\n}\n")? + "\n}\n".len();
    Some(&source[start..start + len])
}

/// Renames macros and their uses, so that those of one architecture call each other.
fn rename(text: &str, arch: &str) -> String {
    text.replace("$crate::__rseq_", &format!("{arch}__rseq_"))
        .replace("macro_rules! __rseq_", &format!("macro_rules! {arch}__rseq_"))
}

/// Replaces the macro that expands to a section's `asm!`: this one expands to the same strings, as data.
fn capture(arch: &str) -> String {
    CAPTURE.replace("ARCH", arch)
}

const CAPTURE: &str = r#"
macro_rules! ARCH__rseq_function {
    (@asm $order:ident, $index:ty, $arming:tt, $abort:ident,
     [$(([$($word:ident)+] [$($arg:tt)*] [$($to:ident)?]))+]
     $scratch:tt $input:tt $stride:tt $exit:tt
     registers $class:ident
     operands [$($operands:tt)*]
     failure [$failure:literal, $trap:literal, $end:literal]
     handler [$($handler:literal),*]
     descriptor [$($descriptor:expr),+]
     arm $arm:expr,
     index $field:tt
     around [$($before:expr)?, $after:literal]
     options $options:tt) => {
        Text {
            failure: $failure,
            trap: $trap,
            end: $end,
            handler: &[$($handler),*],
            descriptor: &[$($descriptor),+],
            arm: $arm,
            before: concat!($($before)?),
            after: $after,
            far: ARCH__rseq_text!(far "{rseq_far}"),
            near: ARCH__rseq_text!(near "8{Aborted}f"),
            again_from: ARCH__rseq_text!(far "75f"),
            steps: &[$(ARCH__rseq_text!($order $field $($word)+ ($($arg)*) $($to)?)),+],
            again: &[$(ARCH__again!($order $field [$($word)+] ($($arg)*) $($to)?)),+],
        }
    };
}
macro_rules! ARCH__again {
    ($order:ident $field:tt [$($word:ident)+] ($($arg:tt)*) $to:ident) => {
        ARCH__rseq_text!($order $field $($word)+ ($($arg)*) Differed)
    };
    ($order:ident $field:tt [load] ($($arg:tt)*)) => { ARCH__rseq_text!($order $field load ($($arg)*)) };
    ($order:ident $field:tt $word:tt $arg:tt) => { "" };
}
"#;

/// A `Section`, with a `Text` for each memory order of its commit.
fn section(arch: &str, ir: &SectionIr, docs: &str) -> String {
    let orders: &[&str] = if ir.compiled.len() == 2 { &["relaxed", "release"] } else { &["relaxed"] };
    let texts: Vec<_> = orders.iter().map(|order| format!("(\"{order}\", {})", frame(arch, ir, order))).collect();
    let steps: Vec<_> = ir.steps.iter().map(|step| format!("(\"{}\", &{:?})", step.name, words(step))).collect();
    let parameters: Vec<_> = ir.parameters.iter().map(|p| (p.name, p.pointer)).collect();
    let exits: Vec<_> = ir.steps.iter().filter_map(|step| step.exit).collect();
    let pointers: Vec<_> = ir.output.iter().map(|name| (*name, true)).collect();
    let parameters = [parameters, pointers].concat();
    format!(
        "        Section {{ name: {:?}, about: {:?}, parameters: &{parameters:?}, scratch: &{:?}, restarts: {}, \
         exits: &{exits:?}, steps: &[{}], texts: &[{}] }},\n",
        ir.name,
        about(ir.name, docs),
        ir.scratch,
        ir.abort.is_none(),
        steps.join(", "),
        texts.join(", ")
    )
}

/// The first paragraph of an operation's documentation.
fn about(name: &str, docs: &str) -> String {
    let end = docs.find(&format!("pub unsafe fn {name}(")).expect("the operation is stated there");
    let lines = docs[..end].lines().rev().skip(1).map_while(|line| line.trim().strip_prefix("///"));
    let lines: Vec<_> = lines.map(str::trim).collect();
    let paragraph: Vec<_> = lines.into_iter().rev().take_while(|line| !line.is_empty()).collect();
    paragraph.join(" ").replace("[`", "").replace("`]", "")
}

fn frame(arch: &str, ir: &SectionIr, order: &str) -> String {
    let steps: String = ir.steps.iter().map(tokens).collect();
    let scratch = ir.scratch.join(" ");
    let section = format!("{order}, Index, [\"\" \"\"], Aborted, [{steps}] [{scratch}] [] [] []");
    match arch {
        "x86_64" => format!("x86_64__rseq_frame!([offset area] {section})"),
        "i686" => format!("i686__rseq_frame!(@placed word pointer [] [] {section})"),
        _ => format!("{arch}__rseq_frame!([pointer area] {section})"),
    }
}

/// A step as tokens of the grammar.
fn tokens(step: &Step) -> String {
    let arguments: Vec<_> = step.operands.iter().map(operand).collect();
    format!("([{}] [{}] [{}])", step.name, arguments.join(", "), step.exit.unwrap_or_default())
}

fn words(step: &Step) -> Vec<String> {
    step.operands.iter().map(operand).collect()
}

fn operand(operand: &Operand) -> String {
    match *operand {
        Operand::Name(name) => name.to_owned(),
        Operand::Literal(value) => value.to_string(),
        Operand::Address(Address { base, index: None, displacement: 0 }) => format!("[{base}]"),
        Operand::Address(Address { base, index: None, displacement }) => format!("[{base} + {displacement}]"),
        Operand::Address(Address { base, index: Some((index, 1)), .. }) => format!("[{base} + {index}]"),
        Operand::Address(Address { base, index: Some((index, factor)), .. }) => {
            format!("[{base} + {index} * {factor}]")
        }
    }
}
