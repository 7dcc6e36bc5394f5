//! riscv, 32 and 64 bits; branches are printed as distances.

use super::{Flow, Instruction, Meaning, last_number};

const STORES: [&str; 10] = ["sb", "sh", "sw", "sd", "fsh", "fsw", "fsd", "swsp", "sdsp", "fsdsp"];

pub fn meaning(mnemonic: &str, operands: &str, address: u64) -> Meaning {
    let name = mnemonic.strip_prefix("c.").unwrap_or(mnemonic);
    let target = || last_number(operands).map(|distance| address.wrapping_add(distance));
    let links = |link: &str| !operands.starts_with(link);
    match name {
        "j" => Meaning::flow(Flow::Jump(target())),
        "jal" if operands.starts_with("zero,") => Meaning::flow(Flow::Jump(target())),
        "jal" | "call" => Meaning::flow(Flow::Call(target())),
        // `c.jalr` names no register to link by: it is ra.
        "jalr" if mnemonic == "c.jalr" || links("zero") => Meaning::flow(Flow::Call(None)),
        "jalr" | "jr" | "ret" | "mret" | "sret" => Meaning::flow(Flow::Jump(None)),
        "ecall" => Meaning::flow(Flow::System),
        "beq" | "bne" | "blt" | "bge" | "bltu" | "bgeu" | "beqz" | "bnez" | "blez" | "bgez" | "bltz" | "bgtz" => {
            Meaning::flow(Flow::Branch(target()))
        }
        "fence" => Meaning { orders: operands.is_empty() || orders(operands), ..Meaning::default() },
        _ => Meaning::stores(STORES.contains(&name) || name.starts_with("amo") || name.starts_with("sc.")),
    }
}

/// Whether earlier loads and stores are ordered before later stores.
fn orders(operands: &str) -> bool {
    let Some((before, after)) = operands.split_once(',') else { return false };
    before.contains('r') && before.contains('w') && after.contains('w')
}

/// `auipc r, high; jalr zero, low(r)`.
pub fn far(before: &[Instruction]) -> Option<u64> {
    let [.., high, low] = before else { return None };
    let register = (high.word >> 7) & 31;
    let pair = high.word & 0x7f == 0x17 && low.word & 0x7fff == 0x0067 && (low.word >> 15) & 31 == register;
    let (upper, lower) = ((high.word & 0xffff_f000) as i32, low.word as i32 >> 20);
    pair.then(|| high.address.wrapping_add_signed(upper.into()).wrapping_add_signed(lower.into()))
}
