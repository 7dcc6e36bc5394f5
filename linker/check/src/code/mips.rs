//! mips, 32 and 64 bits, without its compressed encodings.

use super::{Flow, Instruction, Meaning, last_number};

const STORES: [&str; 16] = [
    "sb", "sh", "sw", "sd", "swl", "swr", "sdl", "sdr", "sc", "scd", "swc1", "sdc1", "swxc1", "sdxc1", "suxc1", "sdc2",
];

pub fn meaning(mnemonic: &str, operands: &str) -> Meaning {
    let target = last_number(operands);
    match mnemonic {
        "b" | "j" | "bc" => Meaning::flow(Flow::Jump(target)),
        "jr" | "jr.hb" | "jic" | "jrc" | "eret" => Meaning::flow(Flow::Jump(None)),
        // So release 6 has `jr`.
        "jalr" | "jalr.hb" if operands.starts_with("$zero") => Meaning::flow(Flow::Jump(None)),
        "jalr" | "jalr.hb" | "jialc" => Meaning::flow(Flow::Call(None)),
        "syscall" => Meaning::flow(Flow::System),
        "sync" => Meaning { orders: matches!(operands, "" | "0"), ..Meaning::default() },
        "break" | "bitswap" | "bitrev" | "balign" => Meaning::default(),
        _ if mnemonic.starts_with("jal") || (mnemonic.starts_with('b') && is_linking(mnemonic)) => {
            Meaning::flow(Flow::Call(target))
        }
        _ if mnemonic.starts_with('b') => Meaning::flow(Flow::Branch(target)),
        _ => Meaning::stores(STORES.contains(&mnemonic)),
    }
}

fn is_linking(mnemonic: &str) -> bool {
    let plain = mnemonic.trim_end_matches('c').trim_end_matches('l');
    // `beql`, `bnel` and the other likely branches end with an l too.
    matches!(plain, "ba" | "bgeza" | "bltza" | "beqza" | "bneza" | "bgtza" | "bleza")
}

/// ```text
/// bal 1f; lw r, 0($31); .word target - .; 1: addu r, r, $31; move $31, s; jr r
/// ```
pub fn far(before: &[Instruction], word_at: impl Fn(u64) -> Option<u32>) -> Option<u64> {
    let [.., bal, load, add, _, jump] = before else { return None };
    let register = (jump.word >> 21) & 31;
    let loads = load.word == 0x8fe0_0000 | register << 16;
    // The lowest bits distinguish `addu` from `daddu`.
    let adds = (add.word | 0x0c) == (0x001f_0000 | register << 21 | register << 11 | 0x2d);
    let distance = word_at(bal.address + 8).filter(|_| loads && adds && bal.word >> 16 == 0x0411)?;
    Some((bal.address + 8).wrapping_add_signed((distance as i32).into()))
}
