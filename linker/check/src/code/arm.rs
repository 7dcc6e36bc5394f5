//! arm, in ARM and Thumb state.

use super::{Flow, Meaning, last_number};

const CONDITIONS: [&str; 17] =
    ["eq", "ne", "hs", "cs", "lo", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al"];

pub fn meaning(mnemonic: &str, operands: &str) -> Meaning {
    let name = mnemonic.split('.').next().unwrap_or(mnemonic);
    let target = last_number(operands);
    let conditional = |base: &str| name.strip_prefix(base).is_some_and(|rest| CONDITIONS.contains(&rest));
    match name {
        "b" => Meaning::flow(Flow::Jump(target)),
        "cbz" | "cbnz" => Meaning::flow(Flow::Branch(target)),
        _ if conditional("b") => Meaning::flow(Flow::Branch(target)),
        "bl" | "blx" => Meaning::flow(Flow::Call(target)),
        _ if conditional("bl") || conditional("blx") => Meaning::flow(Flow::Call(target)),
        "bx" | "bxj" | "tbb" | "tbh" => Meaning::flow(Flow::Jump(None)),
        _ if conditional("bx") => Meaning::flow(Flow::Branch(None)),
        _ if name.starts_with("svc") => Meaning::flow(Flow::System),
        "dmb" | "dsb" => Meaning { orders: matches!(operands, "ish" | "sy" | "osh" | "nsh"), ..Meaning::default() },
        _ if name.starts_with("stl") => Meaning { stores: true, orders: true, ..Meaning::default() },
        _ => Meaning {
            flow: if sets_pc(name, operands) { Flow::Jump(None) } else { Flow::Next },
            stores: ["st", "vst", "swp", "push"].iter().any(|start| name.starts_with(start)),
            orders: false,
        },
    }
}

fn sets_pc(name: &str, operands: &str) -> bool {
    let first = operands.split(',').next().unwrap_or("").trim();
    let listed = (name.starts_with("pop") || name.starts_with("ldm")) && operands.contains("pc");
    // `str pc, [x]`, `cmp pc, x` and the like only read it.
    let reads = ["st", "cmp", "cmn", "tst", "teq", "push"].iter().any(|start| name.starts_with(start));
    listed || (first == "pc" && !reads)
}
