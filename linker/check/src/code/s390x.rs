//! s390x.

use super::{Flow, Meaning, last_number};

/// Instructions that write memory and whose names do not begin with `st`.
const WRITE: [&str; 22] = [
    "mvc", "mvcle", "mvi", "mviy", "mvhi", "mvghi", "mvhhi", "xc", "oc", "nc", "oi", "oiy", "ni", "niy", "xi", "xiy",
    "asi", "agsi", "alsi", "algsi", "mvcl", "tr",
];

pub fn meaning(mnemonic: &str, operands: &str) -> Meaning {
    let target = last_number(operands);
    match mnemonic {
        "j" | "jg" => Meaning::flow(Flow::Jump(target)),
        "svc" | "pc" => Meaning::flow(Flow::System),
        // `basr r, 0` links and continues.
        "basr" | "balr" | "bassm" if operands.ends_with("%r0") || operands.ends_with(", 0") => Meaning::default(),
        "bras" | "brasl" | "bas" | "bal" | "basr" | "balr" | "bassm" => Meaning::flow(Flow::Call(target)),
        // Not a branch: on no condition, or without a register, as for serialisation.
        "bcr" | "bc" if operands.starts_with("0,") || operands.ends_with("%r0") => Meaning::default(),
        "br" | "b" | "bc" | "bcr" => Meaning::flow(Flow::Jump(None)),
        "brct" | "brctg" | "brcth" | "brxh" | "brxle" | "brxhg" | "brxlg" | "brc" | "brcl" => {
            Meaning::flow(Flow::Branch(target))
        }
        "cs" | "csg" | "csy" | "cds" | "cdsg" | "cdsy" | "csst" => Meaning::stores(true),
        _ if compares_and_jumps(mnemonic) => Meaning::flow(Flow::Branch(target)),
        _ if mnemonic.starts_with('j') => Meaning::flow(Flow::Branch(target)),
        // Branches to what a register holds, on a condition.
        _ if mnemonic.starts_with('b') && mnemonic.ends_with('r') => Meaning::flow(Flow::Branch(None)),
        // Load and add, and, or, exclusive or: interlocked.
        _ => Meaning::stores(
            mnemonic.starts_with("st")
                || WRITE.contains(&mnemonic)
                || ["laa", "lan", "lao", "lax"].iter().any(|start| mnemonic.starts_with(start)),
        ),
    }
}

/// Compare-and-branch instructions, such as `crj`, `cgijne` and `clgrjl`.
fn compares_and_jumps(mnemonic: &str) -> bool {
    let Some((compare, _)) = mnemonic.split_once('j') else { return false };
    matches!(compare, "cr" | "cgr" | "ci" | "cgi" | "clr" | "clgr" | "cli" | "clgi")
}
