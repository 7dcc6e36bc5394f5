//! i686 and x86-64, in Intel syntax.

use capstone::InsnDetail;
use capstone::arch::x86::X86OperandType;
use capstone::arch::{ArchDetail, DetailsArchInsn};

use super::{Flow, Meaning, last_number};

pub fn meaning(mnemonic: &str, operands: &str, detail: Option<InsnDetail<'_>>) -> Meaning {
    // Behind prefixes such as `lock` and `notrack`.
    let name = mnemonic.rsplit(' ').next().unwrap_or(mnemonic);
    Meaning { flow: flow(name, operands), stores: detail.is_some_and(|detail| stores(&detail)), orders: false }
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

fn stores(detail: &InsnDetail<'_>) -> bool {
    let ArchDetail::X86Detail(detail) = detail.arch_detail() else { return false };
    detail.operands().any(|operand| {
        matches!(operand.op_type, X86OperandType::Mem(_)) && operand.access.is_some_and(|access| access.is_writable())
    })
}
