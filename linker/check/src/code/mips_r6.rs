//! The new encodings of release 6 of mips. Capstone 5 either does not support them, or returns the distance of a branch
//! as its target.

use super::{Flow, Meaning};

/// None for words with their previous meaning, or with none.
pub fn decode(word: u32, address: u64) -> Option<(String, Meaning)> {
    if let Some((name, flow)) = flow(word, address) {
        let target = flow.target().map(|target| format!(", {target:#x}")).unwrap_or_default();
        return Some((format!("{name} ${}, ${}{target}", rs(word), rt(word)), Meaning::flow(flow)));
    }
    if let Some((name, stores)) = exclusive(word) {
        let offset = (word as i32) << 16 >> 23;
        return Some((format!("{name} ${}, {offset}(${})", rt(word), rs(word)), Meaning::stores(stores)));
    }
    plain(word).map(|text| (text.to_owned(), Meaning::default()))
}

fn rs(word: u32) -> u32 {
    word >> 21 & 31
}

fn rt(word: u32) -> u32 {
    word >> 16 & 31
}

/// Branches. Those whose names end in c are compact: without a delay slot.
fn flow(word: u32, address: u64) -> Option<(&'static str, Flow)> {
    let to = |bits: u32| {
        let words = (word << (32 - bits)) as i32 >> (32 - bits);
        Some(address.wrapping_add(4).wrapping_add_signed(i64::from(words) * 4))
    };
    let (rs, rt) = (rs(word), rt(word));
    let branch = |name| (name, Flow::Branch(to(16)));
    let call = |name| (name, Flow::Call(to(16)));
    Some(match (word >> 26, rs, rt) {
        // `blez` and `bgtz`, and nothing, as before.
        (0x06 | 0x07 | 0x16 | 0x17, _, 0) => return None,
        (0x06, 0, _) => call("blezalc"),
        (0x06, _, _) if rs == rt => call("bgezalc"),
        (0x06, _, _) => branch("bgeuc"),
        (0x07, 0, _) => call("bgtzalc"),
        (0x07, _, _) if rs == rt => call("bltzalc"),
        (0x07, _, _) => branch("bltuc"),
        (0x08, _, _) if rs >= rt => branch("bovc"),
        (0x08, 0, _) => call("beqzalc"),
        (0x08, _, _) => branch("beqc"),
        (0x18, _, _) if rs >= rt => branch("bnvc"),
        (0x18, 0, _) => call("bnezalc"),
        (0x18, _, _) => branch("bnec"),
        (0x16, 0, _) => branch("blezc"),
        (0x16, _, _) if rs == rt => branch("bgezc"),
        (0x16, _, _) => branch("bgec"),
        (0x17, 0, _) => branch("bgtzc"),
        (0x17, _, _) if rs == rt => branch("bltzc"),
        (0x17, _, _) => branch("bltc"),
        (0x11, 0x09, _) => branch("bc1eqz"),
        (0x11, 0x0d, _) => branch("bc1nez"),
        (0x12, 0x09, _) => branch("bc2eqz"),
        (0x12, 0x0d, _) => branch("bc2nez"),
        (0x32, _, _) => ("bc", Flow::Jump(to(26))),
        (0x3a, _, _) => ("balc", Flow::Call(to(26))),
        (0x36, 0, _) => ("jic", Flow::Jump(None)),
        (0x36, _, _) => ("beqzc", Flow::Branch(to(21))),
        (0x3e, 0, _) => ("jialc", Flow::Call(None)),
        (0x3e, _, _) => ("bnezc", Flow::Branch(to(21))),
        _ => return None,
    })
}

/// Load linked and store conditional.
fn exclusive(word: u32) -> Option<(&'static str, bool)> {
    match (word >> 26, word & 0x7f) {
        (0x1f, 0x36) => Some(("ll", false)),
        (0x1f, 0x37) => Some(("lld", false)),
        (0x1f, 0x26) => Some(("sc", true)),
        (0x1f, 0x27) => Some(("scd", true)),
        _ => None,
    }
}

/// Instructions that compute, or load relative to the program counter.
fn plain(word: u32) -> Option<&'static str> {
    let (shift, function) = (word >> 6 & 31, word & 63);
    match (word >> 26, shift, function) {
        (0x00, 2 | 3, 0x18..=0x1f) => Some("mul, div"),
        (0x00, 0, 0x35 | 0x37) => Some("sel"),
        (0x00, 1, 0x10..=0x13) => Some("cl"),
        (0x01, _, _) if matches!(rt(word), 0x06 | 0x1e) => Some("dahi, dati"),
        (0x0f, _, _) if rs(word) != 0 => Some("aui"),
        (0x1d, _, _) => Some("daui"),
        (0x1f, 0 | 8..=15, 0x20 | 0x24) => Some("align, bitswap"),
        (0x1f, _, 0x25 | 0x35) if shift & 1 == 0 => Some("cache, pref"),
        (0x3b, _, _) => match word >> 18 & 7 {
            0 | 1 | 7 => Some("addiupc, auipc, aluipc"),
            _ => Some("lpc (pc)"),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `llvm-mc -mcpu=mips64r6` encodes them, each 0x80 bytes after the target.
    const FLOW: &[(u32, &str, Flow)] = &[
        (0xcbff_ffdf, "bc", Flow::Jump(Some(0x1000))),
        (0xebff_ffdf, "balc", Flow::Call(Some(0x1000))),
        (0xd89f_ffdf, "beqzc", Flow::Branch(Some(0x1000))),
        (0xf89f_ffdf, "bnezc", Flow::Branch(Some(0x1000))),
        (0xd804_0000, "jic", Flow::Jump(None)),
        (0xf804_0000, "jialc", Flow::Call(None)),
        (0x2085_ffdf, "beqc", Flow::Branch(Some(0x1000))),
        (0x6085_ffdf, "bnec", Flow::Branch(Some(0x1000))),
        (0x5c85_ffdf, "bltc", Flow::Branch(Some(0x1000))),
        (0x5885_ffdf, "bgec", Flow::Branch(Some(0x1000))),
        (0x1c85_ffdf, "bltuc", Flow::Branch(Some(0x1000))),
        (0x1885_ffdf, "bgeuc", Flow::Branch(Some(0x1000))),
        (0x5804_ffdf, "blezc", Flow::Branch(Some(0x1000))),
        (0x5884_ffdf, "bgezc", Flow::Branch(Some(0x1000))),
        (0x5c04_ffdf, "bgtzc", Flow::Branch(Some(0x1000))),
        (0x5c84_ffdf, "bltzc", Flow::Branch(Some(0x1000))),
        (0x20a4_ffdf, "bovc", Flow::Branch(Some(0x1000))),
        (0x60a4_ffdf, "bnvc", Flow::Branch(Some(0x1000))),
        (0x2004_ffdf, "beqzalc", Flow::Call(Some(0x1000))),
        (0x6004_ffdf, "bnezalc", Flow::Call(Some(0x1000))),
        (0x1804_ffdf, "blezalc", Flow::Call(Some(0x1000))),
        (0x1884_ffdf, "bgezalc", Flow::Call(Some(0x1000))),
        (0x1c04_ffdf, "bgtzalc", Flow::Call(Some(0x1000))),
        (0x1c84_ffdf, "bltzalc", Flow::Call(Some(0x1000))),
        (0x4520_ffdf, "bc1eqz", Flow::Branch(Some(0x1000))),
        (0x45a0_ffdf, "bc1nez", Flow::Branch(Some(0x1000))),
    ];

    #[test]
    fn branches_lead_to_where_they_do() {
        for &(word, name, flow) in FLOW {
            let (text, meaning) = decode(word, 0x1080).expect(name);
            assert_eq!((text.split(' ').next(), meaning.flow), (Some(name), flow), "{word:#x}");
        }
    }

    #[test]
    fn what_stores_and_what_loads_is_known() {
        let meaning = |word| decode(word, 0).map(|(text, meaning)| (text, meaning.stores)).expect("release 6 has it");
        assert_eq!(meaning(0x7ca4_0026), ("sc $4, 0($5)".into(), true));
        assert_eq!(meaning(0x7ca4_ffa7), ("scd $4, -1($5)".into(), true));
        assert_eq!(meaning(0x7ca4_0436), ("ll $4, 8($5)".into(), false));
        // lwpc, ldpc, lwupc
        for word in [0xec8f_ffc3, 0xec9b_ffe1, 0xec97_ffc1] {
            assert!(meaning(word).0.contains('('), "{word:#x}");
        }
    }

    #[test]
    fn what_computes_is_an_instruction() {
        for (name, word) in [
            ("dmul", 0x00a6_209c),
            ("ddiv", 0x00a6_209e),
            ("dmodu", 0x00a6_20df),
            ("mul", 0x00a6_2098),
            ("seleqz", 0x00a6_2035),
            ("selnez", 0x00a6_2037),
            ("aui", 0x3ca4_0001),
            ("daui", 0x74a4_0001),
            ("dahi", 0x0486_0001),
            ("dati", 0x049e_0001),
            ("auipc", 0xec9e_0001),
            ("addiupc", 0xec80_0001),
            ("align", 0x7ca6_2260),
            ("dalign", 0x7ca6_2264),
            ("bitswap", 0x7c05_2020),
            ("dbitswap", 0x7c05_2024),
            ("clz", 0x00a0_2050),
            ("dclz", 0x00a0_2052),
            ("cache", 0x7c81_0025),
            ("pref", 0x7c81_0035),
        ] {
            assert_eq!(decode(word, 0).map(|(_, meaning)| meaning), Some(Meaning::default()), "{name}");
        }
    }

    #[test]
    fn what_is_as_before_is_left_to_capstone() {
        for (name, word) in [
            ("beq", 0x1085_ffff),
            ("bal", 0x0411_ffff),
            ("blez", 0x1880_ffff),
            ("b", 0x1000_ffff),
            ("ld", 0xdca4_0000),
            ("sd", 0xfca4_0000),
            ("daddu", 0x00a6_202d),
            ("lui", 0x3c04_0001),
            ("lsa", 0x00a6_2005),
            ("seb", 0x7c05_2420),
            ("rdhwr", 0x7c03_e83b),
            ("sync", 0x0000_000f),
            ("syscall", 0x0000_000c),
            ("break", 0x0000_000d),
            ("jr", 0x03e0_0009),
        ] {
            assert_eq!(decode(word, 0), None, "{name}");
        }
    }
}
