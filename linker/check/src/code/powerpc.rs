//! powerpc, 32 and 64 bits.

use super::{Flow, Meaning, last_number};

/// These begin like branches, but are not.
const NO_BRANCH: [&str; 6] = ["bpermd", "brinc", "brd", "brh", "brw", "bcd"];

pub fn meaning(mnemonic: &str, operands: &str) -> Meaning {
    // A hint whether the branch is taken follows the name.
    let name = mnemonic.trim_end_matches(['+', '-']);
    match name {
        "b" | "ba" => Meaning::flow(Flow::Jump(last_number(operands))),
        "blr" | "bctr" => Meaning::flow(Flow::Jump(None)),
        "sc" | "scv" => Meaning::flow(Flow::System),
        "lwsync" | "sync" | "hwsync" | "msync" => Meaning { orders: true, ..Meaning::default() },
        "dcbz" | "dcbzl" => Meaning::stores(true),
        _ if name.starts_with('b') && !NO_BRANCH.iter().any(|other| name.starts_with(other)) => branch(name, operands),
        _ => Meaning::stores(name.starts_with("st")),
    }
}

fn branch(name: &str, operands: &str) -> Meaning {
    let by_register = name.ends_with("lr") || name.ends_with("ctr");
    let links = name != "bnl" && (name.ends_with('l') || name.ends_with("la"));
    let target = if by_register { None } else { last_number(operands) };
    Meaning::flow(if links { Flow::Call(target) } else { Flow::Branch(target) })
}
