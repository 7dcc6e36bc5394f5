//! i686 and x86-64, in Intel syntax.

use capstone::InsnDetail;
use capstone::arch::x86::X86OperandType;
use capstone::arch::{ArchDetail, DetailsArchInsn};

use super::{Flow, Meaning, last_number};

pub fn meaning(mnemonic: &str, operands: &str, detail: Option<InsnDetail<'_>>) -> Meaning {
    // After prefixes such as `lock` and `notrack`.
    let name = mnemonic.rsplit(' ').next().unwrap_or(mnemonic);
    let stores = detail.is_some_and(|detail| stores(&detail) || (names_memory_first(operands) && !only_reads(name)));
    Meaning { flow: flow(name, operands), stores, orders: false }
}

fn flow(name: &str, operands: &str) -> Flow {
    match name {
        "jmp" | "ljmp" => Flow::Jump(last_number(operands)),
        "call" | "lcall" => Flow::Call(last_number(operands)),
        "syscall" | "sysenter" | "int" | "into" => Flow::System,
        _ if name.starts_with('j') || name.starts_with("loop") || name == "xbegin" => {
            Flow::Branch(last_number(operands))
        }
        _ if name.starts_with("ret") || name.starts_with("iret") => Flow::Jump(None),
        _ => Flow::Next,
    }
}

fn names_memory_first(operands: &str) -> bool {
    operands.split(", ").next().is_some_and(|first| first.contains('['))
}

/// Whether an instruction only reads the memory that it names first: Capstone does not mark all others as writing.
fn only_reads(name: &str) -> bool {
    const NAMES: [&str; 26] = [
        "cmp",
        "test",
        "bt",
        "push",
        "call",
        "lcall",
        "jmp",
        "ljmp",
        "mul",
        "imul",
        "div",
        "idiv",
        "nop",
        "ldmxcsr",
        "vldmxcsr",
        "lgdt",
        "lidt",
        "lldt",
        "ltr",
        "lmsw",
        "verr",
        "verw",
        "fxrstor",
        "fxrstor64",
        "xrstor",
        "xrstor64",
    ];
    let starts = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
    let is_x87 = name.starts_with('f') && !starts(&["fst", "fist", "fnst", "fnsave", "fsave", "fbstp", "fxsave"]);
    NAMES.contains(&name) || is_x87 || starts(&["cmps", "scas", "prefetch", "clflush", "clwb", "cldemote", "inv"])
}

fn stores(detail: &InsnDetail<'_>) -> bool {
    let ArchDetail::X86Detail(detail) = detail.arch_detail() else { return false };
    detail.operands().any(|operand| {
        matches!(operand.op_type, X86OperandType::Mem(_)) && operand.access.is_some_and(|access| access.is_writable())
    })
}
