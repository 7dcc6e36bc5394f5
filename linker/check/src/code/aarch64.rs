//! aarch64.

use super::{Flow, Meaning, last_number};

/// Atomic instructions whose names begin like a load's.
const ATOMIC: [&str; 10] = ["ldadd", "ldclr", "ldeor", "ldset", "ldsmax", "ldsmin", "ldumax", "ldumin", "cas", "swp"];

pub fn meaning(mnemonic: &str, operands: &str) -> Meaning {
    let target = last_number(operands);
    match mnemonic {
        "b" => Meaning::flow(Flow::Jump(target)),
        "cbz" | "cbnz" | "tbz" | "tbnz" => Meaning::flow(Flow::Branch(target)),
        _ if mnemonic.starts_with("b.") || mnemonic.starts_with("bc.") => Meaning::flow(Flow::Branch(target)),
        "bl" => Meaning::flow(Flow::Call(target)),
        _ if mnemonic.starts_with("blr") => Meaning::flow(Flow::Call(None)),
        "ret" | "eret" | "retaa" | "retab" | "br" | "braa" | "brab" | "braaz" | "brabz" => {
            Meaning::flow(Flow::Jump(None))
        }
        "svc" | "hvc" | "smc" => Meaning::flow(Flow::System),
        "dmb" | "dsb" => Meaning { orders: matches!(operands, "ish" | "sy" | "osh" | "nsh"), ..Meaning::default() },
        _ if mnemonic.starts_with("stl") => Meaning { stores: true, orders: true, ..Meaning::default() },
        _ => Meaning::stores(mnemonic.starts_with("st") || ATOMIC.iter().any(|name| mnemonic.starts_with(name))),
    }
}
